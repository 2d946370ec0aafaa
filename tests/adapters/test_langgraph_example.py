"""The example program, watched in every way to run it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import TodoListMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from otel_agents.patching.apply import apply
from otel_agents.patching.threads import THREADS
from otel_agents.testing import Telemetry
from tests.adapters.graphs import MODES, release_notes, thread

# Old versions of the to-do middleware have no hook of their own.
HAS_HOOK = "after_model" in vars(TodoListMiddleware)
HOOK = "TodoListMiddleware.after_model"

TREE = """\
run release-notes: paused
  node planner (agent): ok
    node model (step): ok
    node TodoListMiddleware.after_model (step): ok
    plan: ok
    node model (step): ok
    node TodoListMiddleware.after_model (step): ok
    node list_topics (tool): ok
    node model (step): ok
    node TodoListMiddleware.after_model (step): ok
    plan: ok
    node model (step): ok
    node TodoListMiddleware.after_model (step): ok
  node researcher (step): ok
    node read_changes (tool): ok
  node researcher (step): ok
    node read_changes (tool): ok
  node researcher (step): ok
    node read_changes (tool): error
    node read_changes (tool): ok
  node brief (step): ok
  node desk (agent): ok
    node triage (agent): ok
      node model (step): ok
      node transfer_to_writer (tool): ok
    node writer (agent): ok
      policy PIIMiddleware[email]: ok
      node model (step): ok
      policy PIIMiddleware[email]: ok
      node house_style (tool): ok
      policy PIIMiddleware[email]: ok
      node model (step): ok
      policy PIIMiddleware[email]: ok
      policy PIIMiddleware[email]: ok
      node model (step): ok
      policy PIIMiddleware[email]: ok
  handoff writer: ok
  node review (agent): ok
    node fact_check (step): ok
  handoff publisher: ok
  node publisher (step): paused
run release-notes: ok
  node publisher (step): ok
""".splitlines()

# What happens, one word per event: + starts, - ends, ! fails, other words are events of their own.
STORY = """
start
+planner +model -model +TodoListMiddleware.after_model -TodoListMiddleware.after_model
plan_requested plan_generated
+model -model +TodoListMiddleware.after_model -TodoListMiddleware.after_model
+list_topics -list_topics
+model -model +TodoListMiddleware.after_model -TodoListMiddleware.after_model
plan_requested plan_updated
+model -model +TodoListMiddleware.after_model -TodoListMiddleware.after_model
-planner
+researcher +read_changes -read_changes -researcher
+researcher +read_changes -read_changes -researcher
+researcher +read_changes !read_changes -read_changes !researcher node_retry +read_changes -read_changes -researcher
+brief -brief
+desk
+triage +model -model +transfer_to_writer -transfer_to_writer -triage
handoff
+writer policy_triggered +model -model +house_style -house_style +model validation_error -model +model -model -writer
-desk
+review +fact_check -fact_check -review
handoff
+publisher -publisher
hitl_request complete
start hitl_resolved +publisher -publisher complete
"""

NODES_OF_HOOK = f"flex.node.duration_count{{capability={HOOK},kind=step,outcome=ok,runtime=langgraph}}"
METRICS = {
    "flex.run.status{runtime=langgraph,status=awaiting_hitl}": 1,
    "flex.run.status{runtime=langgraph,status=completed}": 1,
    "flex.run.duration_count{runtime=langgraph,status=awaiting_hitl}": 1,
    "flex.run.duration_count{runtime=langgraph,status=completed}": 1,
    "flex.run.transitions{runtime=langgraph,state=start}": 1,
    "flex.run.transitions{runtime=langgraph,state=paused}": 1,
    "flex.run.transitions{runtime=langgraph,state=resumed}": 1,
    "flex.run.transitions{runtime=langgraph,state=complete}": 1,
    "flex.planner.requests{phase=initial,runtime=langgraph}": 1,
    "flex.planner.requests{phase=replan,runtime=langgraph}": 1,
    "flex.planner.generated{runtime=langgraph}": 1,
    "flex.planner.updated{runtime=langgraph,trigger=write_todos}": 1,
    "flex.planner.duration_count{outcome=ok,phase=initial,runtime=langgraph}": 1,
    "flex.planner.duration_count{outcome=ok,phase=replan,runtime=langgraph}": 1,
    NODES_OF_HOOK: 4,
    "flex.node.duration_count{capability=brief,kind=step,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=desk,kind=agent,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=fact_check,kind=step,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=house_style,kind=tool,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=list_topics,kind=tool,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=model,kind=step,outcome=ok,runtime=langgraph}": 8,
    "flex.node.duration_count{capability=planner,kind=agent,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=publisher,kind=step,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=publisher,kind=step,outcome=paused,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=read_changes,kind=tool,outcome=error,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=read_changes,kind=tool,outcome=ok,runtime=langgraph}": 3,
    "flex.node.duration_count{capability=researcher,kind=step,outcome=ok,runtime=langgraph}": 3,
    "flex.node.duration_count{capability=review,kind=agent,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=transfer_to_writer,kind=tool,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=triage,kind=agent,outcome=ok,runtime=langgraph}": 1,
    "flex.node.duration_count{capability=writer,kind=agent,outcome=ok,runtime=langgraph}": 1,
    "flex.node.retries{capability=researcher,runtime=langgraph}": 1,
    "flex.policy.triggers{action=redact,policy=PIIMiddleware[email],runtime=langgraph}": 1,
    "flex.validation.errors{runtime=langgraph,scope=output}": 1,
    "flex.validation.retries{runtime=langgraph,scope=output}": 1,
    "flex.hitl.requests{runtime=langgraph}": 1,
    "flex.hitl.resolved{decision=approved,runtime=langgraph}": 1,
    "flex.hitl.wait.duration_count{decision=approved,runtime=langgraph}": 1,
    "yolo_handoffs_total{from_agent=review,to_agent=publisher}": 1,
    "yolo_handoffs_total{from_agent=triage,to_agent=writer}": 1,
    "yolo_handoff_duration_seconds_count{from_agent=review,to_agent=publisher}": 1,
    "yolo_handoff_duration_seconds_count{from_agent=triage,to_agent=writer}": 1,
}


if not HAS_HOOK:
    TREE = [line for line in TREE if HOOK not in line]
    STORY = STORY.replace(f" +{HOOK} -{HOOK}", "")
    del METRICS[NODES_OF_HOOK]


def _play(mode: str, **more: Any) -> tuple[int, int]:
    """Run the example to its end; returns the tokens that its models read and wrote."""
    used: list[Any] = []
    graph = release_notes(InMemorySaver(), used)
    config = {**thread(), **more}
    MODES[mode](graph, {"messages": [("user", "go")]}, config)
    MODES[mode](graph, Command(resume="approve"), config)
    assert graph.get_state(config).values["published"] != ""
    return sum(each["input_tokens"] for each in used), sum(each["output_tokens"] for each in used)


def _words(telemetry: Telemetry) -> list[str]:
    marks = {"node_start": "+", "node_complete": "-", "node_error": "!"}
    return [
        f"{marks[event.type]}{event.capability_id}" if event.type in marks else event.type for event in telemetry.events
    ]


@pytest.mark.parametrize("mode", MODES)
def test_example_is_the_same_tree_and_story_in_every_mode(mode: str, telemetry: Telemetry) -> None:
    """One node at a time, all four ways to run the example show the same operations and events, in the same order."""
    _play(mode)

    assert telemetry.tree() == TREE
    assert _words(telemetry) == STORY.split()


@pytest.mark.parametrize("mode", MODES)
def test_example_measures_exactly_what_happened(mode: str, telemetry: Telemetry) -> None:
    """Every metric has exactly the points and counts of the story, and nothing else is measured."""
    tokens_in, tokens_out = _play(mode)

    sums, of_process = "_sum{", ("yolo_cpu_usage_percent", "yolo_memory_usage_mb")
    found = {name: value for name, value in telemetry.metrics().items() if sums not in name and name not in of_process}
    assert found == {
        **METRICS,
        "flex.model.tokens{direction=input,runtime=langgraph}": tokens_in,
        "flex.model.tokens{direction=output,runtime=langgraph}": tokens_out,
    }


@pytest.mark.parametrize("mode", MODES)
def test_example_in_parallel_has_the_same_branches(mode: str, telemetry: Telemetry) -> None:
    """Nodes that run at the same time each have their own branch, whatever the order in which they get ahead."""
    _play(mode, max_concurrency=None)

    def branches(lines: list[str]) -> list[str]:
        text = "\n".join(lines).replace("\n  node", "\0  node").replace("\n  handoff", "\0  handoff")
        return sorted(text.split("\0"))

    assert branches(telemetry.tree()) == branches(TREE)
    assert sorted(_words(telemetry)) == sorted(STORY.split())


def test_carrying_operations_into_threads_changes_nothing_here(telemetry: Telemetry) -> None:
    """LangGraph carries its context into its threads by itself: with the threads adapter the tree is the same."""
    carrying = apply(THREADS)
    try:
        _play("invoke")
    finally:
        carrying.undo()

    assert telemetry.tree() == TREE


def test_spans_of_a_run_are_one_trace_and_the_resumed_run_links_to_the_paused_one(telemetry: Telemetry) -> None:
    """A run's spans hang under its own; the resumed run is a trace of its own with a link, and the same run id."""
    _play("invoke")
    paused, resumed = [span for span in telemetry.spans if span.name == "flex.run release-notes"]

    assert {span.context.trace_id for span in telemetry.spans} == {paused.context.trace_id, resumed.context.trace_id}
    assert [link.context.span_id for link in resumed.links] == [paused.context.span_id]
    assert {span.attributes["flex.run.id"] for span in telemetry.spans if span.attributes} == {"run-1"}
    assert resumed.attributes is not None
    assert resumed.attributes["flex.run.resumed"] is True
    assert resumed.attributes["flex.plan.version"] == 2


def test_an_exception_is_recorded_once_where_it_was_raised(telemetry: Telemetry) -> None:
    """The tool that failed has the exception; the node that tried again, and the run, show nothing red."""
    _play("invoke")

    red = [span.name for span in telemetry.spans if not span.status.is_unset]
    with_exception = [span.name for span in telemetry.spans for event in span.events]
    assert red == with_exception == ["flex.node read_changes"]


def test_tokens_stand_on_agents_and_runs(telemetry: Telemetry) -> None:
    """Agents and the run carry the sum of the model calls inside them, steps and tools carry none."""
    tokens_in, _ = _play("invoke")

    used: dict[str, Any] = {
        span.name: span.attributes.get("gen_ai.usage.input_tokens")
        for span in telemetry.spans
        if span.attributes and "gen_ai.usage.input_tokens" in span.attributes
    }
    total = used.pop("flex.run release-notes")
    assert set(used) == {"flex.node planner", "flex.node triage", "flex.node writer", "flex.node desk"}
    assert total == tokens_in > 1000
    assert used["flex.node desk"] == used["flex.node triage"] + used["flex.node writer"]
