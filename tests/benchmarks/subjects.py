"""The programs that are watched, and by whom; must not know what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.benchmarks import floors
from tests.benchmarks.variants import OURS, Variant, logfire, own, peer


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A program: what it is made with, its module, what its ways to run are called there, and who watches it.

    ``goals`` are what we may cost in all, by way and variant.
    """

    name: str
    says: str
    module: str
    ways: Mapping[str, str]
    own: tuple[Variant, ...]
    peers: tuple[Variant, ...]
    goals: Mapping[tuple[str, str], float]

    @property
    def variants(self) -> dict[str, Variant]:
        """All who watch, by name."""
        return {variant.name: variant for variant in (*self.own, *self.peers)}


LANGGRAPH: Final = Subject(
    name="langgraph",
    says="LangGraph",
    module="tests.benchmarks.graph",
    ways={"sync": "invoke", "async": "ainvoke"},
    own=own(floors.graphs),
    peers=(
        peer(
            "openllmetry",
            "OpenLLMetry",
            "opentelemetry-instrumentation-langchain",
            "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
        ),
        peer(
            "openinference",
            "OpenInference",
            "openinference-instrumentation-langchain",
            "openinference.instrumentation.langchain:LangChainInstrumentor",
        ),
        peer(
            "genai",
            "OpenTelemetry GenAI",
            "opentelemetry-instrumentation-genai-langchain",
            "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
        ),
    ),
    goals={("sync", OURS): 1.2},
)
OPENAI_AGENTS: Final = Subject(
    name="openai_agents",
    says="OpenAI Agents SDK",
    module="tests.benchmarks.assistants",
    ways={"run": "run", "streamed": "run_streamed"},
    own=own(floors.assistants),
    peers=(
        peer(
            "openllmetry",
            "OpenLLMetry",
            "opentelemetry-instrumentation-openai-agents",
            "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
        ),
        peer(
            "openinference",
            "OpenInference",
            "openinference-instrumentation-openai-agents",
            "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
        ),
        peer(
            "genai",
            "OpenTelemetry GenAI",
            "opentelemetry-instrumentation-genai-openai-agents",
            "opentelemetry.instrumentation.genai.openai_agents:OpenAIAgentsInstrumentor",
        ),
        logfire("logfire", "Logfire", "instrument_openai_agents"),
    ),
    goals={},
)
SUBJECTS: Final = {subject.name: subject for subject in (LANGGRAPH, OPENAI_AGENTS)}
