"""Whether the installed distributions fit together; reads their metadata and imports nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Final

from otel_agents.cli.checks.finding import Finding, note, ok, problem

NAME: Final = "otel_agents"
MINOR: Final = re.compile(r"\d+\.(\d+)")
STABLE: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http",
)
PREVIEW: Final = (
    "opentelemetry-instrumentation",
    "opentelemetry-distro",
    "opentelemetry-exporter-prometheus",
    "opentelemetry-semantic-conventions",
)
APART: Final = 21  # 1.45 is released together with 0.66, 1.39 with 0.60
# Instrumentations that make spans of the same tools and models.
OTHERS: Final[Mapping[str, str]] = {
    "opentelemetry-instrumentation-langchain": "OpenLLMetry",
    "opentelemetry-instrumentation-genai-langchain": "OpenTelemetry GenAI",
    "openinference-instrumentation-langchain": "OpenInference",
}


def versions() -> Iterator[Finding]:
    """Look whether all OpenTelemetry distributions are of one release."""
    stable, preview = _minors(STABLE), _minors(PREVIEW)
    releases = {minor + APART for minor in stable.values()} | set(preview.values())
    told = version_of("opentelemetry-sdk") or "?"
    if len(releases) <= 1:
        yield ok(f"OpenTelemetry {told}, all distributions of one release")
        return
    newest = max(releases)
    old = [name for name, minor in stable.items() if minor + APART < newest]
    old += [name for name, minor in preview.items() if minor < newest]
    listed = ", ".join(f"{name} {version_of(name)}" for name in old)
    yield problem(
        f"OpenTelemetry distributions of different releases: {listed} are older than the others",
        f"pip install --upgrade {' '.join(old)}",
    )


def loader(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether `opentelemetry-instrument` will find us, and something that sets providers up."""
    ours = [point for point in entry_points(group="opentelemetry_instrumentor") if point.name == NAME]
    disabled = [each.strip() for each in env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")]
    if not ours:
        yield problem("the entry point otel_agents is not installed", "pip install --force-reinstall otel-agents")
    elif NAME in disabled or "*" in disabled:
        yield problem(
            f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={','.join(disabled)} switches otel-agents off",
            f"Take {NAME if NAME in disabled else '*'} out of OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
        )
    else:
        yield ok("opentelemetry-instrument finds the instrumentation otel_agents")
    if not entry_points(group="opentelemetry_configurator"):
        yield problem("nothing sets up OpenTelemetry's providers", "pip install opentelemetry-distro")


def neighbours() -> Iterator[Finding]:
    """Name instrumentations of the same libraries: they get along with us, and are worth knowing of."""
    for distribution, name in OTHERS.items():
        if version_of(distribution):
            yield note(f"{name} ({distribution}) is installed too: where it is active, it makes the spans of tools")
    found = [name for name in OTHERS if version_of(name)]
    if len(found) > 1:
        yield note(
            f"{' and '.join(found)} instrument the same calls, each with spans of its own",
            "Uninstall all but one, or name the others in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
        )


def version_of(distribution: str) -> str:
    """Return an installed version, "" when it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _minors(distributions: tuple[str, ...]) -> dict[str, int]:
    found = ((name, MINOR.match(version_of(name))) for name in distributions)
    return {name: int(version[1]) for name, version in found if version is not None}
