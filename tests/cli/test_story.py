from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import otel_agents
from otel_agents.cli import rows
from otel_agents.cli.drawing import summary, sums
from otel_agents.cli.story import Story
from tests.cli.making import NOON_S, line, node, recorded, run, story_of, told_by


def _start(number: int, name: str, at_ms: float = 0, parent: int = 1) -> dict[str, object]:
    return line("node_start", at_ms, node(number, name, parent), payload={"kind": "step"})


def _end(number: int, name: str, at_ms: float = 0, status: str = "ok", **operation: Any) -> dict[str, object]:
    place = node(number, name, **operation)
    return line("node_complete", at_ms, place, status=status, durationMs=5.0, payload={"kind": "step"})


def _statuses(story: Story) -> list[tuple[str, str]]:
    return [(row.name, row.status) for root in story.tree.roots for row in root.every()]


def test_operations_hang_below_what_was_open_around_them() -> None:
    """The tree of the manual API's operations comes out of the event lines, with outcomes and durations."""

    def program() -> None:
        with otel_agents.run("notes"), otel_agents.node("writer", kind="agent"):
            with otel_agents.node("search", kind="tool"):
                pass
            with otel_agents.plan() as plan:
                plan.set(version=1, node_count=2)

    [root] = story_of(recorded(program)).tree.roots

    [writer] = root.children
    assert (root.kind, root.name, root.status) == ("run", "notes", "ok")
    assert (writer.name, writer.detail, writer.status) == ("writer", "agent", "ok")
    assert [(row.kind, row.name, row.result) for row in writer.children] == [
        ("node", "search", "tool"),
        ("plan", "plan", "v1, 2 nodes"),
    ]
    assert writer.duration_s is not None
    assert 0 < writer.duration_s < root.seconds(0)  # type: ignore[operator]


def test_siblings_stand_in_the_order_of_their_start() -> None:
    """What is told only at its end goes where it began: a handoff stands before the agent that took over."""
    handoff = line(
        "handoff",
        30,
        {"id": 3, "parent": 1, "kind": "handoff", "name": "b"},
        durationMs=25.0,
        status="ok",
        payload={"fromAgent": "a", "toAgent": "b"},
    )
    lines = [line("start", 0, run()), _start(2, "a", 1), _start(4, "late", 20), handoff]

    [root] = story_of(lines).tree.roots

    assert [child.name for child in root.children] == ["a", "a -> b", "late"]
    assert root.children[1].started_s == pytest.approx(NOON_S + 0.005)


def test_failed_attempts_show_on_the_node_that_is_tried_again() -> None:
    """A retry raises the attempt and keeps the class of the error; it is no row of its own."""
    failed = {"attempt": 1, "errorType": "builtins.ConnectionError"}
    lines = [
        line("start", 0, run()),
        _start(2, "fetch", 1),
        line("node_error", 2, node(2, "fetch"), payload=failed),
        line("node_retry", 3, node(2, "fetch"), payload=failed),
        _end(2, "fetch", 9),
    ]
    story, told = told_by(lines)

    [fetch] = story.tree.roots[0].children
    assert (fetch.status, fetch.attempt, fetch.failure) == ("ok", 2, "ConnectionError")
    assert [each.word for each in told] == ["start", "start", "retry", "ok"]


def test_a_question_waits_until_its_answer_in_another_process() -> None:
    """The row of the question outlives the paused run; the answer ends it, with the wait of the answer."""
    ask = line("hitl_request", 5, run(), payload={"requestId": "q1", "origin": "publisher"})
    pause = line("complete", 6, run(), status="awaiting_hitl", durationMs=6.0, payload={"status": "awaiting_hitl"})
    story = story_of([line("start", 0, run()), ask, pause])
    [question] = story.tree.roots[0].children
    assert (question.name, question.status) == ("waiting for a human", "waiting")
    assert question.seconds(NOON_S + 10.005) == pytest.approx(10.0)

    other = "2b1fb2cc0675e12a2dd-0"
    story.add(line("start", 9000, run(), id=other, payload={"resumed": True}))
    answer = {"requestId": "q1", "decision": "approved", "waitMs": 8995.0}
    told = story.add(line("hitl_resolved", 9001, run(), id=other, payload=answer))

    assert told is not None
    assert (told.row, told.word) == (question, "answer")
    assert (question.name, question.status, question.duration_s) == ("human: approved", "answered", 8.995)
    assert (story.waited_s, story.resumed) == (8.995, 1)
    assert [root.status for root in story.tree.roots] == ["paused", "running"]


def test_the_same_numbers_in_two_processes_are_two_operations() -> None:
    """Operations are told apart by the process, which the event's id begins with."""
    other = "2b1fb2cc0675e12a2dd-0"
    lines = [line("start", 0, run()), line("start", 1, run(name="second"), id=other, runId="run-2")]
    lines += [_start(2, "a", 2), line("node_start", 3, node(2, "b"), id=other, runId="run-2")]

    story = story_of(lines)

    assert _statuses(story) == [("notes", "running"), ("a", "running"), ("second", "running"), ("b", "running")]


def test_facts_without_duration_are_rows_inside_the_operation_they_happened_in() -> None:
    """A fact told by `record` stands in the tree, and ends nothing."""

    def program() -> None:
        with otel_agents.run("notes"), otel_agents.node("triage", kind="agent"):
            otel_agents.record.decision("triage", "route")
            otel_agents.record.safety_block("triage", "send")
            otel_agents.record.handoff("triage", "writer", duration_s=0.2)

    story = story_of(recorded(program))

    [triage] = story.tree.roots[0].children
    assert [(row.kind, row.name, row.status) for row in triage.children if row.kind != "handoff"] == [
        ("decision", "triage decides route", "fact"),
        ("safety_block", "triage blocked: send", "fact"),
    ]
    [handoff] = [row for row in triage.children if row.kind == "handoff"]
    assert (handoff.name, handoff.status) == ("triage -> writer", "ok")
    assert handoff.duration_s == pytest.approx(0.2, abs=0.002)


def test_every_outcome_is_kept_apart() -> None:
    """Failed, cancelled, paused and abandoned operations keep their outcome; the run keeps its status."""
    lines = [line("start", 0, run())]
    for number, status in enumerate(("error", "cancelled", "paused", "abandoned"), 2):
        lines += [_start(number, status, number), _end(number, status, number + 1, status)]
    lines.append(line("complete", 20, run(), status="failed", durationMs=20.0, payload={"status": "failed"}))

    story = story_of(lines)

    assert _statuses(story) == [("notes", "error"), *[(s, s) for s in ("error", "cancelled", "paused", "abandoned")]]
    assert story.runs == Counter(failed=1)


def test_what_never_ended_is_marked_when_the_program_is_over() -> None:
    """A killed program leaves running rows; they are returned outermost first, and shown as never ended."""
    story = story_of([line("start", 0, run()), _start(2, "a"), _start(3, "b", parent=2)])

    assert [row.name for row in story.finish()] == ["notes", "a", "b"]
    assert {status for _, status in _statuses(story)} == {"unended"}
    assert "1 never ended" in summary(story)


def test_what_a_finished_run_did_not_tell_of_is_over_with_it() -> None:
    """A plan that raised has no end event of its own; it does not run for ever in the tree."""

    def program() -> None:
        with otel_agents.run("notes"), otel_agents.plan():
            raise ValueError

    assert _statuses(story_of(recorded(program))) == [("notes", "error"), ("plan", "untold")]


def test_tokens_are_counted_once_at_the_outermost() -> None:
    """A run's tokens hold those of its agents; while it has not told, those of its agents stand for it."""
    agent = _end(2, "writer", 5, tokens=[30, 4])
    lines = [line("start", 0, run()), _start(2, "writer", 1), agent]
    story = story_of(lines)
    assert story.used() == (30, 4)

    story.add(line("complete", 9, run(tokens=[30, 4]), status="completed", durationMs=9.0))
    assert story.used() == (30, 4)


def test_the_sums_for_machines() -> None:
    """Counts by status and by type, waits in milliseconds, tokens by direction, lost lines, processes."""
    lines = [{"hello": 41}, line("start", 0, run()), _start(2, "a"), _end(2, "a", 3), {"lost": 3}]
    lines.append(line("complete", 9, run(tokens=[7, 8]), status="completed", durationMs=9.0))

    assert sums(story_of(lines)) == {
        "runs": {"completed": 1},
        "runsStarted": 1,
        "runsResumed": 0,
        "nodes": {"ok": 1},
        "events": {"complete": 1, "node_complete": 1, "node_start": 1, "start": 1},
        "waitedMs": 0.0,
        "tokens": {"input": 7, "output": 8},
        "lost": 3,
        "processes": [41],
    }


def test_bare_envelopes_make_a_tree_too() -> None:
    """Without our field beside the envelope, nodes hang below their run and are found again by their id."""
    known: dict[str, Any] = {"nodeId": "n1", "capabilityId": "draft"}
    lines = [
        line("start", 0, payload={"name": "notes"}),
        line("node_start", 1, payload={"kind": "agent"}, **known),
        line("node_complete", 4, status="ok", durationMs=3.0, payload={"kind": "agent"}, **known),
        line("policy_triggered", 5, payload={"policyId": "pii", "action": "redact"}),
        line("complete", 6, status="completed", durationMs=6.0),
    ]
    assert _statuses(story_of(lines)) == [("notes", "ok"), ("draft", "ok"), ("policy pii", "fact")]


@pytest.mark.parametrize("bad", [{}, {"type": "start"}, line("start", runId=None, id=7), {"hello": "x"}])
def test_a_line_that_is_no_event_changes_nothing(bad: dict[str, object]) -> None:
    """It raises for the caller's guard, and the story goes on."""
    story = Story()
    with pytest.raises((KeyError, TypeError, ValueError)):
        story.add(bad)
    story.add(line("start", 0, run()))
    assert _statuses(story) == [("notes", "running")]


def test_a_fan_out_of_thousands_keeps_the_first_and_what_failed() -> None:
    """The first hundred children are rows, failures beyond too, the others are counted by status."""
    lines = [line("start", 0, run())]
    lines += [_start(number, f"n{number}", number) for number in range(2, 5002)]
    lines += [_end(n, f"n{n}", 6000 + n, "error" if n in (3000, 4000) else "ok") for n in range(2, 4902)]

    story = story_of(lines)

    [root] = story.tree.roots
    assert [row.name for row in root.children[:2]] == ["n2", "n3"]
    assert [row.name for row in root.children[-2:]] == ["n3000", "n4000"]
    assert len(root.children) == rows.MAX_CHILDREN + 2
    assert +root.hidden == Counter(ok=4898 - rows.MAX_CHILDREN, running=100)
    assert story.nodes == Counter(ok=4898, error=2)


def test_memory_stays_bounded_over_runs_without_end() -> None:
    """Of a server's runs the newest are kept; nothing is remembered of the others but their number."""
    story = Story()
    for number in range(1, 2000, 2):
        story.add(line("start", number, run(number), runId=f"run-{number}"))
        story.add(_start(number + 1, "a", number, parent=number))
        story.add(_end(number + 1, "a", number))
        story.add(line("complete", number + 1, run(number), status="completed", durationMs=1.0))

    assert len(story.tree.roots) == rows.MAX_ROOTS
    assert story.tree.top.hidden == Counter(ok=1000 - rows.MAX_ROOTS)
    assert len(story.tree._rows) == 2 * rows.MAX_ROOTS
    assert story.runs == Counter(completed=1000)


def test_lost_ends_do_not_keep_rows_for_ever() -> None:
    """Of nodes whose end was lost a bounded number is watched; with the run all of them are over."""
    lines = [line("start", 0, run()), *[_start(n, f"n{n}", n) for n in range(2, 15_002)]]
    story = story_of(lines)
    [root] = story.tree.roots
    assert len(story.tree._unkept) == rows.MAX_UNKEPT

    story.add(line("complete", 20_000, run(), status="completed", durationMs=1.0))

    assert +root.hidden == Counter(untold=15_000 - rows.MAX_CHILDREN)
    assert {row.status for row in root.children} == {"untold"}
    assert story.tree._unkept == {}
    assert story.finish() == []
