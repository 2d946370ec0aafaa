"""`otel-agents demo`: a LangGraph program that nobody instrumented, watched through a pause for a human."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from otel_agents import guard
from otel_agents.cli import environment, words
from otel_agents.cli.run import fail, require_posix, say, shortcut

if TYPE_CHECKING:
    from otel_agents.cli.child import Child
    from otel_agents.cli.story import Story
    from otel_agents.cli.views import View

NEEDED: Final = ("langgraph", "langchain", "langgraph.checkpoint.sqlite", "langgraph_swarm", "sqlalchemy")
SHIPPED: Final = Path(__file__).parent / "example"  # in an installed package
BESIDE: Final = Path(__file__).parents[2] / "examples" / "langgraph_app"  # in a clone
SCRAPE_S: Final = 2.0
SCOPE: Final = re.compile(r'otel_scope_\w+="[^"]*",?')
OURS: Final = ("flex_", "yolo_", "otel_agents_")


class Mode(StrEnum):
    """How the graph is called."""

    INVOKE = "invoke"
    STREAM = "stream"
    AINVOKE = "ainvoke"
    ASTREAM = "astream"


class Decision(StrEnum):
    """What the human says."""

    APPROVE = "approve"
    REJECT = "reject"


def demo(
    *,
    mode: Annotated[Mode, typer.Option(help="How the graph is called.")] = Mode.INVOKE,
    pace: Annotated[float, typer.Option(metavar="SECONDS", min=0.0, help="How long a model call takes.")] = 0.3,
    decision: Annotated[
        Decision | None, typer.Option(help="The answer to the question; without it you are asked on a terminal.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="Show a Prometheus page; all in one process, which stays.")
    ] = None,
    otlp: Annotated[str | None, typer.Option(metavar="ENDPOINT", help="Send traces, metrics and logs there.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Events as JSON lines on stderr, the sums as the last one.")
    ] = False,
) -> None:
    """Watch a LangGraph program that nobody instrumented: no key, no network, a script plays the model.

    It stops where it asks a human, and goes on with the answer in another process: one run, and the wait is measured.

    Exit codes: 0; 2 when the demo's packages are missing or an option is wrong; else those of the program.
    """
    require_posix()
    missing = [name for name in NEEDED if not _has(name)]
    if missing:
        fail(f"the demo needs {', '.join(missing)}: pip install 'otel-agents[demo]'")
    from otel_agents.cli.child import exit_like

    with tempfile.TemporaryDirectory(prefix="otel-agents-demo-") as folder:
        stage = Stage(Path(folder), ["--mode", mode.value, "--pace", str(pace)], decision, as_json=as_json)
        env = shortcut(dict(os.environ), prometheus=prometheus, otlp=otlp)
        has_page = bool(prometheus) and "OTEL_EXPORTER_PROMETHEUS_PORT" in env
        status = stage.play_with_page(env) if has_page else stage.play(env)
    if status:
        exit_like(status)


class Stage:
    """One showing: the program, its files, what is told of it and how that is shown."""

    def __init__(self, folder: Path, options: list[str], decision: Decision | None, *, as_json: bool) -> None:
        from otel_agents.cli.story import Story
        from otel_agents.cli.views import choose

        self._options = [*options, "--db", str(folder / "threads.sqlite")]
        self._store = f"sqlite:///{folder / 'pauses.sqlite'}"
        self._thread = uuid.uuid4().hex[:8]
        self._decision = decision
        self._is_scraped = False
        self.story: Story = Story()
        self.view: View = choose(self.story, sys.stderr, as_json=as_json)
        self._say: Callable[[str], None] = _nothing if as_json else say

    def play(self, env: Mapping[str, str]) -> int:
        """Play until the human is asked, then the rest in another process; returns the exit status."""
        env = {"OTEL_AGENTS_PAUSE_STORE": self._store, **env}
        status = self._run(["--until-approval", "--thread", self._thread], env)
        if status == 0:
            answer = self._decision or self._ask()
            status = self._run(["--resume", self._thread, "--decision", answer.value], env)
        guard.run("cli.view", self.view.finish, self.story.finish())
        self._say_what_it_was()
        return status

    def play_with_page(self, env: Mapping[str, str]) -> int:
        """Play all in one process and keep its page up: until Ctrl-C on a terminal, else until it was read once."""
        self._page = f"http://{env['OTEL_EXPORTER_PROMETHEUS_HOST']}:{env['OTEL_EXPORTER_PROMETHEUS_PORT']}/metrics"
        answer = self._decision or Decision.APPROVE
        status = self._run(["--thread", self._thread, "--decision", answer.value], env, stay=True)
        guard.run("cli.view", self.view.finish, self.story.finish())
        return status

    def _run(self, options: list[str], env: Mapping[str, str], *, stay: bool = False) -> int:
        from otel_agents.cli.watch import watch

        script = str((SHIPPED if SHIPPED.is_dir() else BESIDE) / "app.py")
        command = [script, *self._options, *options]
        self._say(f"python {shlex.join(['app.py', *self._options[:4], *options])}")
        started = [sys.executable, *(["-m", "otel_agents.cli.stay"] if stay else []), *command]
        named = {"OTEL_SERVICE_NAME": "release-notes", **env}
        status = watch(
            started,
            lambda fd, path: environment.watched(started, named, fd, path),
            self.story,
            self.view,
            each=self._read_page if stay else None,
        )
        self.view.clear()
        return status

    def _ask(self) -> Decision:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return Decision.APPROVE
        is_approved = typer.confirm("\nPublish these notes?", default=True, err=True)
        return Decision.APPROVE if is_approved else Decision.REJECT

    def _read_page(self, child: Child) -> None:
        """Once the run is over, show what Prometheus would see."""
        is_over = sum(number for status, number in self.story.runs.items() if status != "awaiting_hitl")
        if self._is_scraped or not is_over:
            return
        self._is_scraped = True
        with urllib.request.urlopen(self._page, timeout=SCRAPE_S) as answer:  # noqa: S310  # our own page
            lines = answer.read().decode().splitlines()
        typer.echo("\n".join(_told(lines)))
        if sys.stderr.isatty():
            self._say(f"{self._page} stays until Ctrl-C")
        else:
            child.send(signal.SIGTERM)

    def _say_what_it_was(self) -> None:
        ids = {root.run_id for root in self.story.tree.roots}
        processes = len(set(self.story.processes))
        if len(ids) == 1 and self.story.waited_s:
            waited = words.duration(self.story.waited_s)
            self._say(
                f"one run, {next(iter(ids))}, in {words.count(processes, 'process', 'processes')}; it waited {waited}"
            )


def _told(page: list[str]) -> list[str]:
    """Return the lines of a page that say something, without the labels that are the same on all."""
    ours = [line for line in page if line.startswith(OURS) and "_bucket{" not in line and not line.endswith(" 0.0")]
    return [SCOPE.sub("", line).replace(",}", "}").replace("{}", "") for line in ours]


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _nothing(text: str) -> None:
    pass
