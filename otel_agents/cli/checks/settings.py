"""Whether our own settings can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otel_agents import adapters
from otel_agents.audit import place
from otel_agents.cli.checks.finding import Finding, ok, problem
from otel_agents.config import Config
from otel_agents.pauses import open_pauses


def settings(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether every OTEL_AGENTS_* setting can be read and used."""
    config = Config.load(environ=env, strict=False)
    wrong = [*config.problems, *adapters.problems(config)]
    for each in wrong:
        yield problem(f"{each.place}: {each.what}", each.fix)
    if not wrong:
        yield ok("the settings of otel-agents can be read")
    if not config.enabled:
        yield problem(f"otel-agents is switched off by {config.source_of('enabled')}", "Set OTEL_AGENTS_ENABLED=true.")
    if not config.signals:
        yield problem(f"otel-agents makes no signals: {config.source_of('signals')}", "Unset OTEL_AGENTS_SIGNALS.")
    yield from _pauses(config)
    yield from _audit(config)


def _pauses(config: Config) -> Iterator[Finding]:
    if config.pause_store == "memory":
        return
    try:
        open_pauses(config.pause_store).close()
    except (ModuleNotFoundError, ValueError) as error:
        yield problem(str(error), "Correct OTEL_AGENTS_PAUSE_STORE, or install what is missing.")
    else:
        yield ok("the pause store can be opened")


def _audit(config: Config) -> Iterator[Finding]:
    if config.audit_file is None:
        return
    try:
        folder = place.try_out(config.audit_file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        yield problem(
            f"{config.source_of('audit_file')}: cannot write to {config.audit_file}: {why}",
            "Name a file in a directory that this user may write to.",
        )
    else:
        yield ok(f"the audit can be written in {folder}")
