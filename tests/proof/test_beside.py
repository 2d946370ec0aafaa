"""Beside other instrumentations of the same program: it runs on, and nothing of ours is lost or there twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.need import missing, require_module
from tests.proof.programs import EXAMPLE, ROOT, Done, instrumented, quiet, run, sending, write
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

PEERS = ROOT / ".cache" / "peers"
TOOLS = {
    "flex.node list_topics": 1,
    "flex.node read_changes": 4,
    "flex.node transfer_to_writer": 1,
    "flex.node house_style": 1,
}
LASTING = {
    "flex.run release-notes": 2,
    "flex.plan": 2,
    "flex.node planner": 1,
    "flex.node researcher": 3,
    "flex.node brief": 1,
    "flex.node desk": 1,
    "flex.node triage": 1,
    "flex.node writer": 1,
    "flex.node review": 1,
    "flex.node fact_check": 1,
    "flex.node publisher": 2,
    "yolo.handoff writer": 1,
    "yolo.handoff publisher": 1,
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another instrumentation: what to install, its class, and what it calls the span of a tool."""

    name: str
    packages: tuple[str, ...]
    target: str
    tool: str


LANGCHAIN = (
    Peer(
        "genai",
        ("opentelemetry-instrumentation-genai-langchain", "opentelemetry-util-genai"),
        "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
        "execute_tool {}",
    ),
    Peer(
        "openinference",
        (
            "openinference-instrumentation-langchain",
            "openinference-instrumentation",
            "openinference-semantic-conventions",
        ),
        "openinference.instrumentation.langchain:LangChainInstrumentor",
        "{}",
    ),
    Peer(
        "openllmetry",
        ("opentelemetry-instrumentation-langchain", "opentelemetry-semantic-conventions-ai"),
        "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
        "execute_tool {}",
    ),
)
PLUMBING = Peer(
    "plumbing",
    ("opentelemetry-instrumentation-threading", "opentelemetry-instrumentation-asyncio"),
    "opentelemetry.instrumentation.threading:ThreadingInstrumentor",
    "",
)


def path_of(peer: Peer) -> str:
    """Return a folder that has the peer and nothing else; it is installed once."""
    folder, building = PEERS / peer.name, PEERS / f"{peer.name}.{os.getpid()}"
    if not folder.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(building)]
        done = subprocess.run([*command, *peer.packages], capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"{peer.name} from a package registry", done.stderr.strip()[-200:])
        with suppress(OSError):  # another worker was faster
            building.rename(folder)
    return os.pathsep.join((str(ROOT), str(folder)))


def played(peer: Peer, mode: str, tmp_path: Path) -> tuple[Done, Receiver]:
    """Run the example with the peer installed."""
    environ = {"PYTHONPATH": path_of(peer), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""}
    with receiving() as receiver:
        done = instrumented(
            *(str(EXAMPLE), "--mode", mode, "--pace", "0", "--thread", "t", "--db", str(tmp_path / "db.sqlite")),
            env=sending(receiver.endpoint, **environ),
        )
    return done, receiver


def ours(receiver: Receiver) -> dict[str, int]:
    """Return how many spans of each name are ours."""
    return Counter(span.name for span in receiver.spans if span.name.startswith(("flex.", "yolo.")))


def measured(receiver: Receiver, capability: str) -> int:
    """Return how often the histogram of nodes says that a capability ran."""
    found = [metric for metric in receiver.metrics if metric.name == "flex.node.duration"]
    points = [point for metric in found for point in metric.histogram.data_points]
    return sum(
        point.count
        for point in points
        if any(each.key == "capability" and each.value.string_value == capability for each in point.attributes)
    )


def told(receiver: Receiver, event: str, capability: str) -> int:
    """Return how many events of a type say this of a capability."""
    return sum(
        any(each.key == "flex.capability.id" and each.value.string_value == capability for each in record.attributes)
        for record in receiver.logs
        if record.event_name == event
    )


@pytest.mark.parametrize("mode", ["invoke", "astream"])
@pytest.mark.parametrize("peer", LANGCHAIN, ids=lambda peer: peer.name)
def test_no_tool_has_two_spans_and_everything_counts_once(peer: Peer, mode: str, tmp_path: Path) -> None:
    """Spans of tools are the other's, all else is ours; in metrics and events each run and node is there once."""
    bare = run(*(str(EXAMPLE), "--mode", mode, "--pace", "0", "--thread", "t", "--db", str(tmp_path / "bare.sqlite")))
    done, receiver = played(peer, mode, tmp_path)
    assert (done.returncode, done.stdout) == (0, bare.stdout)
    spans = ours(receiver)
    assert spans.items() >= LASTING.items()
    assert spans.keys().isdisjoint(TOOLS)
    everything = Counter(span.name for span in receiver.spans)
    for name, count in TOOLS.items():
        tool = name.removeprefix("flex.node ")
        assert everything[peer.tool.format(tool)] == count
        assert measured(receiver, tool) == told(receiver, "flex.node_complete", tool) == count
    assert measured(receiver, "researcher") == 3
    events = Counter(record.event_name for record in receiver.logs if record.event_name)
    assert (events["flex.start"], events["flex.complete"], events["yolo.handoff"]) == (2, 2, 2)
    assert events["flex.hitl_request"] == events["flex.hitl_resolved"] == 1


def test_context_that_others_carry_into_threads_and_tasks_changes_nothing(tmp_path: Path) -> None:
    """With OpenTelemetry's instrumentations of threading and asyncio the tree is the same as without them."""
    done, receiver = played(PLUMBING, "astream", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ours(receiver).items() >= (LASTING | TOOLS).items()
    known = {span.span_id: span.name for span in receiver.spans}
    around = {span.name: known.get(span.parent_span_id) for span in receiver.spans}
    assert around["flex.node read_changes"] == "flex.node researcher"
    assert around["flex.node researcher"] == "flex.run release-notes"
    assert around["flex.node house_style"] == "flex.node writer"


LOGGING = """
import logging
import otel_agents

logging.getLogger("host").warning("outside")
with otel_agents.run("r"):
    logging.getLogger("host").warning("inside")
"""


@pytest.mark.parametrize("event_log", ["off", "stderr", "propagate"])
def test_log_lines_and_events_are_exported_once(event_log: str, tmp_path: Path) -> None:
    """With OpenTelemetry's instrumentation of logging each line of the host and each event arrives once."""
    require_module("opentelemetry.instrumentation.logging")
    with receiving() as receiver:
        environ = sending(
            receiver.endpoint,
            OTEL_PYTHON_LOG_CORRELATION="true",
            OTEL_AGENTS_EVENT_LOG=event_log,
        )
        done = instrumented(write(tmp_path, LOGGING), env=environ)
    assert done.returncode == 0
    events = [record.event_name for record in receiver.logs if record.event_name]
    lines = [record.body.string_value for record in receiver.logs if not record.event_name]
    assert (events, lines) == (["flex.start", "flex.complete"], ["outside", "inside"])


ORDERS = """
import importlib, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from langgraph.graph import START, StateGraph
from langgraph.pregel.main import Pregel
from langchain_core.tools import tool
from otel_agents.instrumentor import OtelAgentsInstrumentor

before = dict(vars(Pregel))

@tool
def ping(text: str) -> str:
    "Answer."
    return text

def node(state: dict) -> dict:
    return {"x": ping.invoke({"text": "a"})}

graph = StateGraph(dict).add_node("node", node).add_edge(START, "node").compile(name="g")
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
module, _, name = sys.argv[1].partition(":")
theirs = getattr(importlib.import_module(module), name)()
mine = OtelAgentsInstrumentor()
both = {"ours": mine, "theirs": theirs}

def play():
    exporter.clear()
    assert graph.invoke({})["x"] == "a"
    names = [span.name for span in exporter.get_finished_spans()]
    flex = sorted(each for each in names if each.startswith("flex."))
    return flex, len(names) > len(flex)

for _ in range(2):
    for each in sys.argv[2].split(","):
        both[each].instrument(tracer_provider=provider)
    flex, others = play()
    assert flex == ["flex.node node", "flex.run g"], flex
    assert others
    first, second = sys.argv[3].split(",")
    both[first].uninstrument()
    flex, others = play()
    wanted = [] if first == "ours" else ["flex.node node", "flex.node ping", "flex.run g"]
    assert flex == wanted, flex
    both[second].uninstrument()
    assert play()[0] == []
same = {key for key, value in vars(Pregel).items() if before.get(key) is not value}
print("changed", sorted(same))
"""


@pytest.mark.parametrize("peer", LANGCHAIN, ids=lambda peer: peer.name)
@pytest.mark.parametrize("on", ["ours,theirs", "theirs,ours"])
@pytest.mark.parametrize("off", ["ours,theirs", "theirs,ours"])
def test_instrumented_and_uninstrumented_in_any_order(peer: Peer, on: str, off: str, tmp_path: Path) -> None:
    """In whatever order both are switched on and off, twice, each does its part while it is on, and nothing after.

    What lies under somebody else's wrapper cannot be taken out, so attributes are as before where the last on was
    the first off, if the other takes out its own at all.
    """
    done = run(write(tmp_path, ORDERS), peer.target, on, off, env=quiet(PYTHONPATH=path_of(peer)))
    assert done.returncode == 0, done.stderr
    if on != off and peer.name != "openllmetry":
        assert done.stdout == "changed []\n"
