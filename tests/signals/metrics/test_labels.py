"""Label sets are clean and bounded."""

from __future__ import annotations

import threading

import pytest

from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv import metrics as m
from otel_agents.signals.metrics.labels import LabelSets, text
from tests.signals.metrics.measured import Measured


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("draft", "draft"),
        (None, "unknown"),
        ("", "unknown"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (2.5, "2.5"),
        ("x" * 128, "x" * 128),
        ("x" * 129, "x" * 128),
        ("half \ud800 surrogate", "half ? surrogate"),
        ("Zürich ✓", "Zürich ✓"),
    ],
)
def test_text(value: object, label: str) -> None:
    """A label value is never empty, short, and valid UTF-8: one that is not would cost the whole scrape."""
    assert text(value) == label


@pytest.mark.parametrize(
    ("value", "label"), [("ok", "ok"), (None, "unknown"), ("OK", "_other"), ("a made-up one", "_other")]
)
def test_a_closed_set_stays_closed(value: object, label: str) -> None:
    """A label with a closed set of values never has another."""
    assert text(value, frozenset({"ok", "error"})) == label


def test_the_same_values_give_the_same_labels() -> None:
    """Labels stand under their label names; asked again they are the very same dict."""
    sets = LabelSets(m.NODE_DURATION, 10, pytest.fail)
    values = ("draft", "agent", "ok", "langgraph")
    labels = sets.of(values)
    assert labels == {"capability": "draft", "kind": "agent", "outcome": "ok", "runtime": "langgraph"}
    assert sets.of(values) is labels


def test_numbers_and_booleans_are_told_apart() -> None:
    """1 and True are equal, yet they are different labels, whichever comes first."""
    sets = LabelSets(m.REACTION_MATCHES, 10, pytest.fail)
    seen = [sets.of((value, "chat", "flex")) for value in (1, True, 1.0, 1)]
    assert [labels["rule"] for labels in seen if labels] == ["1", "true", "1.0", "1"]


def test_values_of_any_kind_do_not_fill_the_memory() -> None:
    """What is kept for the hot path is bounded like the sets themselves, also for values that are cut."""
    sets = LabelSets(m.REACTION_MATCHES, 5, lambda: None)
    for n in range(100):
        sets.of(("x" * 200 + str(n), "chat", "flex"))
        sets.of((chr(0xD800 + n), "chat", "flex"))
        sets.of((f"rule-{n}", "chat", "flex"))
    assert (len(sets._known), len(sets._raw)) == (5, 5)


def test_beyond_the_bound_free_labels_are_other() -> None:
    """Beyond the bound on sets, free labels become `_other`, closed ones stay, and each measurement is counted."""
    measured = Measured(sets=3)
    run = measured.run()
    for n in range(5):
        for outcome in ("ok", "error"):
            node = measured.recorder.start(k.NODE, f"c{n}", {a.FLEX_NODE_KIND: "tool"}, parent=run)
            assert node is not None
            measured.recorder.end(node, outcome=outcome)
    points = measured.collect()
    assert points["flex.node.duration"] == {
        "capability=c0,kind=tool,outcome=ok,runtime=langgraph": 1,
        "capability=c0,kind=tool,outcome=error,runtime=langgraph": 1,
        "capability=c1,kind=tool,outcome=ok,runtime=langgraph": 1,
        "capability=_other,kind=tool,outcome=error,runtime=_other": 4,
        "capability=_other,kind=tool,outcome=ok,runtime=_other": 3,
    }
    assert points["otel_agents.metrics.overflow"] == {"instrument=flex.node.duration": 7}


def test_a_known_set_stays_known() -> None:
    """A set that was there before the bound was reached keeps its own series."""
    measured = Measured(sets=2)
    for rule in ("a", "b", "c", "a", "b", "d"):
        measured.recorder.fact(e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: rule})
    assert measured.collect()["flex.reaction.matches"] == {
        "channel=unknown,rule=a,runtime=manual": 2,
        "channel=unknown,rule=b,runtime=manual": 2,
        "channel=_other,rule=_other,runtime=_other": 2,
    }


def test_the_handoff_duration_has_its_own_bound() -> None:
    """Of a thousand pairs of agents a hundred have a series of their own, and the rest has one."""
    measured = Measured()
    run = measured.run()
    for n in range(130):
        handoff = measured.recorder.start(k.HANDOFF, f"to-{n}", {a.YOLO_FROM_AGENT: "from"}, parent=run)
        assert handoff is not None
        measured.recorder.end(handoff)
    points = measured.collect()
    durations = points["yolo_handoff_duration_seconds"]
    assert (len(durations), durations["from_agent=_other,to_agent=_other"]) == (101, 30)
    assert len(points["yolo_handoffs_total"]) == 130


def test_a_gauge_beyond_the_bound_is_dropped() -> None:
    """Values of a gauge are not merged: what is beyond the bound is None, and counted."""
    overflowed: list[str] = []
    row = type(m.STATE_FILE_SIZE)("size", "gauge", "By", "Size.", (a.YOLO_AGENT,))
    sets = LabelSets(row, 1, lambda: overflowed.append("size"))
    assert [sets.of((agent,)) for agent in ("a", "b", "a")] == [{"agent": "a"}, None, {"agent": "a"}]
    assert overflowed == ["size"]


def test_zeros_never_overflow() -> None:
    """Starting counters at 0 takes no set beyond the bound and counts nothing as overflow."""
    measured = Measured(sets=2)
    measured.metrics.announce("langgraph")
    points = measured.collect()
    assert len(points["flex.run.transitions"]) == 2
    assert "otel_agents.metrics.overflow" not in points


def test_threads_do_not_break_the_bound() -> None:
    """Threads that bring new sets at the same time stay within the bound together."""
    sets = LabelSets(m.REACTION_MATCHES, 50, lambda: None)
    start = threading.Barrier(4)

    def bring(thread: int) -> None:
        start.wait()
        for n in range(200):
            sets.of((f"rule-{thread}-{n}", "chat", "flex"))

    threads = [threading.Thread(target=bring, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sets._known) == 50
