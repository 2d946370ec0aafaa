"""Whether the frameworks that adapters are for are whole, in versions that we know; imports none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement  # comes with opentelemetry-instrumentation

from otel_agents.adapters import ADAPTERS, Row
from otel_agents.cli.checks.finding import Finding, note, ok, problem
from otel_agents.cli.checks.packages import version_of
from otel_agents.config import Config
from otel_agents.patching.installed import release

OURS: Final = "otel-agents"  # what comes along with us is whole, as we are
TESTS: Final = frozenset(("test", "tests"))  # taken out of many an image, and needed by no program
NAMED: Final = 3


def frameworks(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look at each framework that is installed and whose adapter is switched on."""
    selection = Config.load(environ=env, strict=False).adapters
    for row in ADAPTERS:
        if row.distribution not in ("", OURS) and selection.allows(row.name) and version_of(row.distribution):
            yield from _framework(row)


def _framework(row: Row) -> Iterator[Finding]:
    name, version = row.distribution, version_of(row.distribution)
    has, numbers, newest = f"{name} {version}", release(version), release(row.newest)
    if numbers < release(row.oldest):
        yield problem(
            f"{has} is older than {row.oldest}, the oldest that is supported: some of what it does may not be seen",
            f"pip install '{name}>={row.oldest}', or set OTEL_AGENTS_ADAPTERS=-{row.name} if you do not watch it.",
        )
    elif numbers[: len(newest)] > newest:
        told = f"{has} is newer than {row.newest}, the newest that was tested"
        yield note(told, "`otel-agents patches --import` says whether all is there.")
    else:
        yield ok(f"{has} is supported")
    if lost := list(_lost(name)):
        yield problem(
            f"{has} is half installed: {_listed(lost)} not there",
            f"pip install --force-reinstall --no-deps {name}=={version}",
        )
    if unmet := sorted(set(_unmet(name, frozenset(), set()))):
        yield problem(f"{has} is half installed: it needs {_listed(unmet)} not there", f"pip install {name}=={version}")


def _lost(distribution: str) -> Iterator[str]:
    """Yield the modules that were installed, and are gone; one may have been compiled in its place."""
    for file in metadata.files(distribution) or ():
        if file.suffix == ".py" and TESTS.isdisjoint(file.parts):
            place = Path(file.locate())
            if not place.exists() and not place.with_suffix(".pyc").exists():
                yield str(file)


def _unmet(distribution: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Yield what is needed and not installed: by the distribution, and by what that needs."""
    seen.add((distribution, extras))
    for requirement in _requirements(distribution):
        wanted = (requirement.name, frozenset(requirement.extras))
        marker = requirement.marker
        if wanted in seen or not (marker is None or any(marker.evaluate({"extra": each}) for each in extras or ("",))):
            continue
        if version_of(requirement.name):
            yield from _unmet(*wanted, seen)
        else:
            yield requirement.name


def _requirements(distribution: str) -> Iterator[Requirement]:
    for text in metadata.requires(distribution) or ():
        with suppress(InvalidRequirement):  # of days without rules; what cannot be read cannot be missed
            yield Requirement(text)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}, which {'are' if len(names) > 1 else 'is'}"
