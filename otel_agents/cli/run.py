"""`otel-agents run`: a program, unchanged, with us switched on and its story on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final, NoReturn, TextIO

import typer

from otel_agents import guard
from otel_agents.cli import environment, exporters, serving

Step = Callable[[Mapping[str, str], str], exporters.Shortcut]

NAME: Final = "otel-agents"
USAGE: Final = 2
UNWATCHED: Final = (
    "the program did not load otel-agents, so there is nothing to show. It has to be a Python program whose "
    "environment has otel-agents, started without -I, -E or -S and without OTEL_AGENTS_ENABLED=false."
)


def run(
    command: Annotated[list[str], typer.Argument(metavar="PROGRAM", help="The program, after --.")],
    *,
    prometheus: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="Show its metrics on a Prometheus page.")
    ] = None,
    otlp: Annotated[
        str | None, typer.Option(metavar="ENDPOINT", help="Send traces, metrics and logs there as well.")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="[HOST:PORT]", help="Serve events, metrics, health; by default at 127.0.0.1:9465."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE]", help="Write a profile; by default otel-agents-profile.html, else .html or .json."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Events as JSON lines, the sums as the last one.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Show it in a file, not on stderr.")
    ] = None,
) -> None:
    """Run a program unchanged and show what its agents do, live and at the end, on stderr.

    It needs no infrastructure. OTEL_* exporters that you set keep working; the others are off.
    Python programs and workers that the program starts are shown, too.

    Exit codes: those of the program; 127 when it is not found, 126 when it cannot be executed, 2 for wrong options.
    When a signal ends the program, the same signal ends this command.
    """
    require_posix()
    env = dict(os.environ)
    env = shortcut(env, prometheus=prometheus, otlp=otlp, serve=serve, profile=profile)
    from otel_agents.cli.child import StartError, exit_like

    try:
        status = _play(command, env, output, as_json=as_json)
    except StartError as error:
        say(str(error))
        raise typer.Exit(error.status) from None
    if told := serving.report(env):
        say(told)
    exit_like(status)


def shortcut(
    env: dict[str, str],
    *,
    prometheus: str | None = None,
    otlp: str | None = None,
    serve: str | None = None,
    profile: str | None = None,
) -> dict[str, str]:
    """Return the environment that the options ask for; says what cannot be used, and goes on."""
    steps: tuple[tuple[Step, str | None], ...] = (
        (lambda env, text: exporters.with_prometheus(env, exporters.read_address(text)), prometheus),
        (exporters.with_otlp, otlp),
        (serving.with_server, serve),
        (serving.with_profile, profile),
    )
    for step, text in steps:
        if not text:
            continue
        try:
            done = step(env, text)
        except ValueError as error:
            fail(str(error))
        if told := done.problem or done.note:
            say(told)
        env = {**env, **done.env}
    return env


def _play(command: list[str], env: Mapping[str, str], output: Path | None, *, as_json: bool) -> int:
    from otel_agents.cli.story import Story
    from otel_agents.cli.views import choose
    from otel_agents.cli.watch import watch

    story = Story()
    with ExitStack() as files:
        stream = _opened(output) if output else sys.stderr
        if output:  # what a full disk does not take is no failure of the program
            files.callback(guard.run, "cli.view", stream.close)
        view = choose(story, stream, as_json=as_json)
        is_watchable = check_interpreter(command, env)

        def environ(fd: int, path: str) -> Mapping[str, str]:
            return environment.watched(command, env, fd, path) if is_watchable else env

        status = watch(command, environ, story, view)
        guard.run("cli.view", view.finish, story.finish())
    if is_watchable and not story.processes:
        say(UNWATCHED)
    return status


def _opened(output: Path) -> TextIO:
    try:
        return output.open("w", encoding="utf-8")
    except OSError as error:
        fail(f"--output {output}: {error.strerror or error}")


def check_interpreter(command: list[str], env: Mapping[str, str]) -> bool:
    """Whether the program's Python can load us, as far as one can see; says so when not."""
    python = environment.interpreter(command, env)
    if python is None or environment.can_watch(python, env):
        return True
    say(f"{python} has no otel-agents, so the program runs unwatched. Fix: {python} -m pip install otel-agents")
    return False


def require_posix() -> None:
    """Exit with 2 on a system without signals and pipes as we need them."""
    if os.name != "posix":
        fail("this command needs a POSIX system; on Windows start the program with opentelemetry-instrument")


def say(text: str) -> None:
    """Tell the user one thing, on stderr, if anybody reads that."""
    try:
        print(f"{NAME}: {text}", file=sys.stderr, flush=True)  # noqa: T201  # a command prints
    except OSError:
        pass


def fail(text: str) -> NoReturn:
    """Tell the user what is wrong with the call, and exit with 2."""
    say(text)
    raise typer.Exit(USAGE)
