from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console

import otel_agents
from otel_agents.cli.drawing import Drawing, summary
from otel_agents.cli.shape import lines
from otel_agents.cli.story import Story
from otel_agents.cli.views import JsonView, LineView, sentence
from tests.cli.making import NOON_S, line, node, recorded, run, story_of


def _drawn(story: Story, at_s: float = NOON_S, *, encoding: str = "utf-8", width: int = 100, **how: Any) -> list[str]:
    """Return the tree as a terminal of that encoding shows it, without colours."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, color_system=None, highlight=False)
    console.print(Drawing(story, at_s, **how))
    file.seek(0)
    return [one.rstrip() for one in file.read().splitlines()]


def _release() -> Iterable[dict[str, Any]]:
    """A run with an agent, a failed tool, a handoff, a question and a node that still runs."""
    failed = {"attempt": 1, "errorType": "builtins.ConnectionError"}
    yield line("start", 0, run(), payload={"name": "notes", "threadId": "t1"})
    yield line("node_start", 0, node(2, "triage"), payload={"kind": "agent"})
    yield line("node_start", 1, node(3, "fetch", parent=2), payload={"kind": "tool"})
    yield line("node_error", 4, node(3, "fetch", parent=2), payload=failed)
    yield line("node_complete", 4, node(3, "fetch", parent=2), status="error", durationMs=3.0, payload={"kind": "tool"})
    end = node(2, "triage", tokens=[120, 34])
    yield line("node_complete", 8, end, status="ok", durationMs=8.0, payload={"kind": "agent"})
    handoff = {"id": 4, "parent": 1, "kind": "handoff", "name": "writer"}
    yield line(
        "handoff", 20, handoff, status="ok", durationMs=12.0, payload={"fromAgent": "triage", "toAgent": "writer"}
    )
    yield line("node_start", 20, node(5, "writer"), payload={"kind": "agent"})
    yield line("hitl_request", 1000, run(), payload={"requestId": "q"})


def test_the_tree_shows_names_outcomes_waits_and_aligned_durations() -> None:
    """Names stand left with their details, durations right-aligned beside them, then model tokens."""
    assert _drawn(story_of(_release()), NOON_S + 193) == [
        "… notes  thread t1                            3m13s",
        "├─ ✓ triage  agent                             8 ms  120 in, 34 out",
        "│  └─ ✗ fetch  tool, failed: ConnectionError   3 ms",
        "├─ → triage -> writer                         12 ms",
        "├─ … writer  agent                            3m13s",
        "└─ ? waiting for a human                      3m12s",
    ]


def test_on_a_narrow_terminal_names_are_cut_and_numbers_are_not() -> None:
    """What gives way is the text on the left: durations and tokens stay whole, in one line for each row."""
    assert _drawn(story_of(_release()), NOON_S + 193, width=52) == [
        "… notes  thread t1             3m13s",
        "├─ ✓ triage  agent              8 ms  120 in, 34 out",
        "│  └─ ✗ fetch  tool, failed:…   3 ms",
        "├─ → triage -> writer          12 ms",
        "├─ … writer  agent             3m13s",
        "└─ ? waiting for a human       3m12s",
    ]
    assert _drawn(story_of(_release()), width=52, encoding="ascii")[2] == "|  `- x fetch  tool, failed:    3 ms"


def test_a_terminal_without_unicode_gets_the_same_tree_in_ascii() -> None:
    """No character outside ASCII is sent to a stream that cannot encode it."""
    drawn = _drawn(story_of(_release()), encoding="ascii")

    assert all(one.isascii() for one in drawn)
    assert drawn[1].startswith("|- + triage  agent")
    assert drawn[2].startswith("|  `- x fetch  tool, failed: ConnectionError")
    assert drawn[3].startswith("|- > triage -> writer")


def test_what_is_no_success_does_not_look_like_one() -> None:
    """A gate that is not passed has done its work, and a run that failed says by what, as its nodes do."""
    ended = {"status": "failed", "errorType": "acme.errors.AgentError"}
    gate = {"id": 2, "parent": 1, "kind": "gate", "name": "tests"}
    checked = {"gate": "tests", "passed": False}
    story = story_of(
        [
            line("start", 0, run()),
            line("gate_checked", 1, gate, status="ok", durationMs=1.0, payload=checked),
            line("complete", 5, run(), status="failed", durationMs=5.0, payload=ended),
            line("workflow_finished", 5, run(), status="error", payload={"workflow": "notes", "success": False}),
        ]
    )

    assert _drawn(story) == ["✗ notes  failed: AgentError  5 ms", "└─ ! gate tests  not passed  1 ms"]


def test_running_rows_turn_while_it_is_live() -> None:
    """What runs shows another sign as time goes on; what is over does not change."""
    story = story_of(_release())
    first, later = (_drawn(story, NOON_S + at, is_moving=True) for at in (50.0, 50.1))

    assert first[0][0] != later[0][0]
    assert first[1] == later[1]


def test_markup_in_a_name_is_text() -> None:
    """A name that looks like rich's markup is shown as it is."""
    story = story_of([line("start", 0, run(name="[red]x[/red]"))])

    assert _drawn(story)[0].startswith("… [red]x[/red]")


def test_a_wide_fan_out_is_cut_to_the_first_and_a_count() -> None:
    """Of 500 nodes the first twenty, the failed ones and the latest that run are shown, the others counted."""
    told = [line("start", 0, run())]
    told += [line("node_start", n, node(n, f"n{n}")) for n in range(2, 502)]
    told += [line("node_complete", 600, node(n, f"n{n}"), status="ok", durationMs=1.0) for n in range(2, 400)]
    told += [line("node_complete", 600, node(400, "n400"), status="error", durationMs=1.0)]

    drawn = _drawn(story_of(told))

    assert len(drawn) == 1 + 20 + 1 + 1
    assert drawn[-2].startswith("├─ ✗ n400")
    assert drawn[-1] == "└─ … 479 more: 378 ok, 101 running"


def test_a_small_terminal_shows_what_runs() -> None:
    """With less room than rows, what is over is folded, and in the end only what runs or waits is left."""
    story = story_of(_release())
    whole = [shown.row.name for shown in lines(story.tree) if shown.row is not None]
    folded = [shown.row.name for shown in lines(story.tree, 5) if shown.row is not None]
    least = [shown.row.name if shown.row else "more" for shown in lines(story.tree, 4)]

    assert whole == ["notes", "triage", "fetch", "triage -> writer", "writer", "waiting for a human"]
    assert folded == ["notes", "triage", "triage -> writer", "writer", "waiting for a human"]
    assert least == ["notes", "writer", "waiting for a human", "more"]


def test_a_question_stays_in_sight_when_its_run_is_paused_and_folded() -> None:
    """What waits below something that is over is never folded away."""
    told = [*_release(), line("complete", 1001, run(), status="awaiting_hitl", durationMs=1001.0)]

    names = [shown.row.name for shown in lines(story_of(told).tree, 3) if shown.row is not None]

    assert names == ["notes", "waiting for a human"]


def test_the_sums_are_one_line() -> None:
    """Runs by status, nodes, handoffs, questions and tokens; what did not happen is left out."""
    told = [*_release(), line("complete", 1001, run(tokens=[120, 34]), status="awaiting_hitl", durationMs=1001.0)]

    assert summary(story_of(told)) == (
        "1 run (1 pause), 2 nodes (1 failed), 1 handoff, 1 question to a human, 120 tokens in, 34 out"
    )
    assert summary(Story()) == "no run, 0 nodes"


def test_plain_lines_say_when_what_and_where() -> None:
    """One line for each thing that happens: time since the first, a word, the path, the details."""
    story = Story()
    told = ((story.add(one), story.began_s) for one in _release())

    assert [sentence(each, began_s) for each, began_s in told if each is not None] == [
        "otel-agents    +0.000s  start      notes  thread t1",
        "otel-agents    +0.000s  start      notes / triage  agent",
        "otel-agents    +0.001s  start      notes / triage / fetch  tool",
        "otel-agents    +0.004s  error      notes / triage / fetch  tool, ConnectionError, 3 ms",
        "otel-agents    +0.008s  ok         notes / triage  agent, 8 ms",
        "otel-agents    +0.020s  ok         notes / triage -> writer  12 ms",
        "otel-agents    +0.020s  start      notes / writer  agent",
        "otel-agents    +1.000s  waiting    notes / waiting for a human",
    ]


def test_the_plain_view_ends_with_what_never_ended_the_tree_and_the_sums() -> None:
    """No control codes, no trailing blanks; the last line holds the sums."""
    story, stream = Story(), io.StringIO()
    view = LineView(story, stream, clock_s=lambda: NOON_S + 2)
    for one in _release():
        view.told(one, story.add(one))
    view.finish(story.finish())

    shown = stream.getvalue()
    assert "\x1b" not in shown
    assert [one for one in shown.splitlines() if one != one.rstrip()] == []
    assert "otel-agents    +2.000s  unended    notes / writer  agent\n" in shown
    assert "! writer  agent, never ended" in shown
    assert shown.splitlines()[-1] == f"otel-agents: {summary(story)}"


def test_a_program_of_which_nothing_is_known_gets_no_tree() -> None:
    """Nothing was told: the plain view says nothing at all."""
    stream = io.StringIO()
    LineView(Story(), stream).finish([])

    assert stream.getvalue() == ""


def test_json_is_the_events_as_they_came_and_the_sums() -> None:
    """Each event on a line of its own; greetings and losses are no events."""

    def program() -> None:
        with otel_agents.run("notes"):
            pass

    story, stream, told = Story(), io.StringIO(), recorded(program)
    view = JsonView(story, stream)
    for one in [{"hello": 1}, *told]:
        view.told(one, story.add(one))
    view.finish([])

    written = [json.loads(one) for one in stream.getvalue().splitlines()]
    assert written[:-1] == told
    assert written[-1]["summary"]["runs"] == {"completed": 1}
