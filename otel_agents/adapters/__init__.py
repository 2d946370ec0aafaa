"""The adapters by name. Loading one imports our own module only, never the framework that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from otel_agents.config import Config, Problem, Selection
from otel_agents.config.problem import suggestion
from otel_agents.patching.table import Adapter


@dataclass(frozen=True, slots=True)
class Row:
    """An adapter that can be loaded from ``place``, ``module:NAME``; ``oldest`` and ``newest`` are tested versions.

    The newest is named by its minor: a patch release of the framework is no news.
    """

    name: str
    place: str
    distribution: str
    oldest: str
    newest: str


ADAPTERS: Final = (
    Row("threads", "otel_agents.patching.threads:THREADS", "", "3.11", "3.11"),
    Row("langgraph", "otel_agents.adapters.langgraph:ADAPTER", "langgraph", "1.0.2", "1.2"),
    Row("openai_agents", "otel_agents.adapters.openai_agents:ADAPTER", "openai-agents", "0.14.0", "0.24"),
    Row("flex", "otel_agents.adapters.flex:ADAPTER", "otel-agents", "0.1", "0.1"),
    Row("convergence", "otel_agents.adapters.convergence:ADAPTER", "otel-agents", "0.1", "0.1"),
    Row("gateway", "otel_agents.adapters.gateway:ADAPTER", "otel-agents", "0.1", "0.1"),
    Row("yolo", "otel_agents.adapters.yolo:ADAPTER", "otel-agents", "0.1", "0.1"),
)


def load(selection: Selection) -> Iterator[Adapter]:
    """Yield the adapters that the selection allows, in the order of the table."""
    for row in ADAPTERS:
        if selection.allows(row.name):
            module, _, name = row.place.partition(":")
            adapter: Adapter = getattr(import_module(module), name)
            yield adapter


def problems(config: Config) -> list[Problem]:
    """Return what is wrong with the selection: names that no adapter has."""
    known = sorted(row.name for row in ADAPTERS)
    otherwise = f"Known are {', '.join(known)}."
    return [
        Problem(
            "adapters",
            config.source_of("adapters"),
            f"there is no adapter {name!r}",
            suggestion(name, known, otherwise=otherwise),
        )
        for name in sorted(config.adapters.named - {*known})
    ]
