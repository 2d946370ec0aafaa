"""The gateway, watched: operations, events, metrics, cancels, reactions, audit records; replies stay what they were."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider

import otel_agents
from otel_agents import pipeline
from otel_agents.adapters.gateway import ADAPTER
from otel_agents.bus.event import Event
from otel_agents.patching.apply import apply
from otel_agents.runtime.gateway import Gateway, Request, Rule, rules
from otel_agents.testing import Telemetry, capture
from tests.adapters.gateways import day, gateway, message, stopped_by_command
from tests.adapters.watching import scraped, watched

OF_PROCESS = ("yolo_cpu_usage_percent", "yolo_memory_usage_mb")
NODE = "flex.node.duration_count{{capability={},kind=agent,outcome={},runtime=gateway}}"

TREE = """\
run front-desk: ok
  node clerk (agent): ok
run front-desk: ok
  node clerk (agent): ok
run front-desk: error
  node broken (agent): error
run front-desk: cancelled
  node slow (agent): cancelled
run front-desk: cancelled
run front-desk: ok
  node clerk (agent): ok
run front-desk: cancelled
  node slow (agent): cancelled
""".splitlines()

# Run, channel and type of every event of the day; messages that start no run have runs of their own.
STORY = """
g-1 mail start reaction_matched node_start node_complete complete
run-1 mail reaction_skipped
g-2 mail start reaction_matched node_start node_complete complete
run-2 mail reaction_skipped
run-3 chat reaction_skipped
run-4 fax reaction_skipped
g-3 lab start reaction_matched node_start node_error node_complete complete
g-4 desk start reaction_matched node_start
g-5 desk start reaction_matched
g-4 desk cancel_requested
g-5 desk cancel_requested
g-4 desk node_complete cancel_acknowledged complete
g-5 desk cancel_acknowledged complete
g-6 gateway start node_start node_complete complete
g-7 gateway start node_start cancel_requested node_complete cancel_acknowledged complete
""".strip().splitlines()

METRICS = {
    "flex.run.status{runtime=gateway,status=completed}": 3,
    "flex.run.status{runtime=gateway,status=failed}": 1,
    "flex.run.status{runtime=gateway,status=cancelled}": 3,
    "flex.run.duration_count{runtime=gateway,status=completed}": 3,
    "flex.run.duration_count{runtime=gateway,status=failed}": 1,
    "flex.run.duration_count{runtime=gateway,status=cancelled}": 3,
    "flex.run.transitions{runtime=gateway,state=start}": 7,
    "flex.run.transitions{runtime=gateway,state=complete}": 3,
    "flex.run.transitions{runtime=gateway,state=error}": 1,
    "flex.run.transitions{runtime=gateway,state=cancel_requested}": 3,
    "flex.run.transitions{runtime=gateway,state=cancelled}": 3,
    "flex.run.cancel.latency_count{runtime=gateway,source=stop_command}": 2,
    "flex.run.cancel.latency_count{runtime=gateway,source=api}": 1,
    "flex.reaction.matches{channel=mail,rule=refund,runtime=gateway}": 2,
    "flex.reaction.matches{channel=lab,rule=break,runtime=gateway}": 1,
    "flex.reaction.matches{channel=desk,rule=wait,runtime=gateway}": 2,
    "flex.reaction.skips{channel=mail,reason=cooldown,runtime=gateway}": 1,
    "flex.reaction.skips{channel=mail,reason=filter_mismatch,runtime=gateway}": 1,
    "flex.reaction.skips{channel=chat,reason=sender_not_allowed,runtime=gateway}": 1,
    "flex.reaction.skips{channel=fax,reason=no_rule,runtime=gateway}": 1,
    NODE.format("clerk", "ok"): 3,
    NODE.format("broken", "error"): 1,
    NODE.format("slow", "cancelled"): 2,
}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch gateways."""
    with watched(ADAPTER) as recorded:
        yield recorded


def _story(events: list[Event]) -> list[str]:
    """Return the events as lines: run, channel, and the types that follow each other in that run."""
    lines: list[str] = []
    for event in events:
        head = f"{event.run_id} {event.channel}"
        if lines and lines[-1].startswith(f"{head} "):
            lines[-1] += f" {event.type}"
        else:
            lines.append(f"{head} {event.type}")
    return lines


def _of(telemetry: Telemetry, type_: str) -> list[dict[str, object]]:
    return [dict(event.payload) for event in telemetry.events if event.type == type_]


def test_a_day_is_a_tree_a_story_and_numbers(telemetry: Telemetry) -> None:
    """Runs from channels and from the gateway itself: operations, events and metrics are exactly what happened."""
    asyncio.run(day(gateway()))

    assert telemetry.tree() == TREE
    assert _story(telemetry.events) == STORY
    found = {name: n for name, n in telemetry.metrics().items() if "_sum{" not in name and name not in OF_PROCESS}
    assert found == METRICS


def test_replies_are_the_same_whether_anybody_watches(tmp_path: Path) -> None:
    """With all signals, content and the audit on, a day at the desk is answered as without any of it."""
    bare = asyncio.run(day(gateway()))
    with watched(ADAPTER, capture="SPAN_AND_EVENT", audit_file=str(tmp_path / "audit.jsonl")):
        assert asyncio.run(day(gateway())) == bare
    assert asyncio.run(day(gateway())) == bare


def test_payloads_say_what_matters(telemetry: Telemetry) -> None:
    """Rules, reasons and candidates, sources and latencies; never who sent what."""
    asyncio.run(day(gateway()))

    assert _of(telemetry, "reaction_matched") == [
        {"rule": name} for name in ("refund", "refund", "break", "wait", "wait")
    ]
    assert _of(telemetry, "reaction_skipped") == [
        {"reason": "cooldown", "candidateCount": 2},
        {"reason": "filter_mismatch", "candidateCount": 2},
        {"reason": "sender_not_allowed", "candidateCount": 2},
        {"reason": "no_rule", "candidateCount": 0},
    ]
    assert [each["source"] for each in _of(telemetry, "cancel_requested")] == ["stop_command", "stop_command", "api"]
    acknowledged = _of(telemetry, "cancel_acknowledged")
    assert [each["source"] for each in acknowledged] == ["stop_command", "stop_command", "api"]
    assert all(isinstance(each["latencyMs"], float) and each["latencyMs"] >= 0 for each in acknowledged)
    assert [each.get("reason") for each in _of(telemetry, "complete")][3:5] == ["cancelled by stop_command"] * 2
    assert {event.runtime for event in telemetry.events} == {"gateway"}
    assert {event.session_id for event in telemetry.events} == {None}


def test_correlation_is_the_messages_or_the_calls(telemetry: Telemetry) -> None:
    """Where none is given it is the run's id."""

    async def play() -> None:
        desk = gateway()
        await desk.receive(message("mail", "a refund", correlation_id="order-17"))
        await desk.wait(desk.send("clerk", "x", correlation_id="job-3"))
        await desk.wait(desk.send("clerk", "x"))

    asyncio.run(play())
    assert {event.run_id: event.correlation_id for event in telemetry.events} == {
        "g-1": "order-17", "g-2": "job-3", "g-3": "g-3",
    }  # fmt: skip


def test_an_agent_that_fails_is_red_once(telemetry: Telemetry) -> None:
    """The exception is recorded on the agent's span; the run is red as well; a cancelled run is not."""

    async def play() -> None:
        desk = gateway()
        await desk.receive(message("lab", "x"))
        await stopped_by_command(desk)

    asyncio.run(play())
    assert [span.name for span in telemetry.spans if not span.status.is_unset] == [
        "flex.node broken", "flex.run front-desk",
    ]  # fmt: skip
    assert [span.name for span in telemetry.spans for _ in span.events] == ["flex.node broken"]
    assert telemetry.span("flex.node broken").attributes["gen_ai.agent.name"] == "broken"  # type: ignore[index]


def test_a_wish_before_the_run_begins_is_told_when_it_does(telemetry: Telemetry) -> None:
    """It obeys at once, and no agent is asked."""

    async def play() -> None:
        desk = gateway()
        run = desk.send("clerk", "x")
        run.cancel("api")
        await desk.wait(run)

    asyncio.run(play())
    assert telemetry.event_types() == ["start", "cancel_requested", "cancel_acknowledged", "complete"]


def test_a_gateway_that_closes_stops_its_runs(telemetry: Telemetry) -> None:
    """Each obeys, and says that it was the shutdown."""

    async def play() -> None:
        desk = gateway()
        desk.send("slow", "x")
        desk.send("slow", "y", session="other")
        await asyncio.sleep(0)
        await desk.close()

    asyncio.run(play())
    assert [each["source"] for each in _of(telemetry, "cancel_acknowledged")] == ["shutdown", "shutdown"]
    assert [event.status for event in telemetry.events if event.type == "complete"] == ["cancelled", "cancelled"]


def test_an_agent_that_takes_too_long_fails(telemetry: Telemetry) -> None:
    """A timeout is an error, not somebody's wish."""

    async def hang(request: Request) -> str:
        return str(await asyncio.Event().wait())

    async def play() -> None:
        await Gateway({"hang": hang}, [Rule(name="r", agent="hang")], timeout_s=0.01).receive(message("mail", "x"))

    asyncio.run(play())
    assert telemetry.tree() == ["run gateway: error", "  node hang (agent): error"]
    assert _of(telemetry, "complete") == [{"status": "failed", "errorType": "TimeoutError"}]
    assert not [each for each in telemetry.event_types() if each.startswith("cancel")]


def test_what_reaches_a_gateway_inside_another_run_is_its_child(telemetry: Telemetry) -> None:
    """Runs and skips are the gateway's, with the correlation id of the run around them."""
    with otel_agents.run("shift", correlation_id="shift-1"):
        asyncio.run(gateway().receive(message("mail", "a refund")))
        asyncio.run(gateway().receive(message("fax", "x")))
    assert telemetry.tree() == ["run shift: ok", "  run front-desk: ok", "    node clerk (agent): ok"]
    assert Counter((event.runtime, event.correlation_id) for event in telemetry.events) == {
        ("manual", "shift-1"): 2, ("gateway", "shift-1"): 6,
    }  # fmt: skip


def test_lines_of_agents_carry_the_ids_of_their_runs(caplog: pytest.LogCaptureFixture, telemetry: Telemetry) -> None:
    """In coroutines and in threads, of several runs at the same time."""
    logger = logging.getLogger("desk")

    def plain(request: Request) -> str:
        logger.warning(request.run_id)
        return ""

    async def coroutine(request: Request) -> str:
        logger.warning(request.run_id)
        await asyncio.sleep(0)
        return await asyncio.to_thread(plain, request)

    async def play() -> None:
        desk = Gateway({"c": coroutine, "f": plain})
        for run in [desk.send(agent, "x", session=f"{n}", correlation_id="c-1") for n in range(3) for agent in "cf"]:
            await desk.wait(run)

    asyncio.run(play())
    assert len(caplog.records) == 9
    assert [record.getMessage() for record in caplog.records] == [getattr(r, "runId", "") for r in caplog.records]
    assert {getattr(r, "correlationId", "") for r in caplog.records} == {"c-1"}


def test_watching_begins_with_a_run_and_not_in_the_middle_of_one() -> None:
    """What was not seen to start is not seen to be stopped."""

    async def late() -> None:
        desk = gateway()
        run = desk.send("slow", "x")
        await asyncio.sleep(0)
        applied = apply(ADAPTER)
        run.cancel("api")
        await desk.wait(run)
        applied.undo()

    with capture() as telemetry:
        asyncio.run(late())
        assert (telemetry.tree(), telemetry.events) == ([], [])


# Scraped

STATES = ("start", "complete", "cancel_requested", "cancelled", "error", "paused", "resumed")


REASONS = ("no_rule", "disabled", "sender_not_allowed", "filter_mismatch", "cooldown", "busy")
EXPECTED = {
    "flex_reaction_matches_total{channel=mail,rule=refund,runtime=gateway}": 0,
    "flex_reaction_matches_total{channel=mail,rule=boss,runtime=gateway}": 0,
    "flex_reaction_matches_total{channel=chat,rule=boss,runtime=gateway}": 0,
    "flex_reaction_matches_total{channel=chat,rule=night,runtime=gateway}": 0,
    "flex_reaction_matches_total{channel=desk,rule=wait,runtime=gateway}": 0,
    "flex_reaction_matches_total{channel=lab,rule=break,runtime=gateway}": 0,
    **{
        f"flex_reaction_skips_total{{channel={channel},reason={reason},runtime=gateway}}": 0
        for channel in ("mail", "chat", "desk", "lab")
        for reason in REASONS
    },
}


def test_what_may_come_of_the_rules_is_counted_from_zero() -> None:
    """Matches of each rule and skips of each reason, on the channels that rules name, before the first message."""
    with scraped(ADAPTER) as page:
        gateway()
        gateway()
        assert page.samples("flex_reaction_matches_total", "flex_reaction_skips_total") == EXPECTED
    assert set(rules.REASONS) == set(REASONS)


def test_a_page_that_is_put_up_later_has_these_zeros_too() -> None:
    """Whoever begins to read when a gateway is there already sees the first step as well."""
    if not hasattr(MeterProvider, "add_metric_reader"):
        pytest.skip("this version of OpenTelemetry takes no further reader")
    with watched(ADAPTER):
        pipe = pipeline.active()
        assert pipe is not None
        gateway()
        page = pipe.page().text("")[0].decode()
    zeros = [line for line in page.splitlines() if line.startswith("flex_reaction_")]
    assert len(zeros) == len(EXPECTED)
    assert all(line.endswith("} 0.0") for line in zeros)


def test_the_page_has_the_numbers_of_the_day() -> None:
    """States stand at zero before the first message, and the names, labels and values are right after the last."""
    with scraped(ADAPTER) as page:
        zero = page.samples("flex_run_transitions_total")
        assert zero == {f"flex_run_transitions_total{{runtime=gateway,state={state}}}": 0 for state in STATES}
        asyncio.run(day(gateway()))
        counts = dict(zip(STATES, (7, 3, 3, 3, 1, 0, 0), strict=True))
        assert page.samples("flex_run_transitions_total") == {
            f"flex_run_transitions_total{{runtime=gateway,state={state}}}": count for state, count in counts.items()
        }
        assert page.samples("flex_reaction_matches_total", "flex_reaction_skips_total") == EXPECTED | {
            "flex_reaction_matches_total{channel=mail,rule=refund,runtime=gateway}": 2,
            "flex_reaction_matches_total{channel=lab,rule=break,runtime=gateway}": 1,
            "flex_reaction_matches_total{channel=desk,rule=wait,runtime=gateway}": 2,
            "flex_reaction_skips_total{channel=mail,reason=cooldown,runtime=gateway}": 1,
            "flex_reaction_skips_total{channel=mail,reason=filter_mismatch,runtime=gateway}": 1,
            "flex_reaction_skips_total{channel=chat,reason=sender_not_allowed,runtime=gateway}": 1,
            "flex_reaction_skips_total{channel=fax,reason=no_rule,runtime=gateway}": 1,
        }
        assert page.samples("flex_run_cancel_latency_seconds_count") == {
            "flex_run_cancel_latency_seconds_count{runtime=gateway,source=stop_command}": 2,
            "flex_run_cancel_latency_seconds_count{runtime=gateway,source=api}": 1,
        }


def test_labels_that_users_make_up_are_bounded() -> None:
    """Beyond the bound, rules, channels and sources are `_other`, and each such measurement is counted.

    Of the five places of skips three are kept for reasons that are expected; never more than half and one.
    """

    async def crowd() -> None:
        rules = [Rule(name=f"rule-{n}", agent="clerk", channels=frozenset({f"c-{n}"})) for n in range(8)]
        desk = Gateway({"clerk": lambda request: ""}, rules)
        for n in range(8):
            await desk.receive(message(f"c-{n}", "x"))
            await desk.receive(message(f"none-{n}", "x"))
            run = desk.send("clerk", "x")
            run.cancel(f"source-{n}")
            await desk.wait(run)

    with watched(ADAPTER, metric_sets=5) as telemetry:
        asyncio.run(crowd())
        found = telemetry.metrics()
        types = Counter(telemetry.event_types())
    for name, sets, beyond, other in (
        ("flex.reaction.matches", 6, 3, "{channel=_other,rule=_other,runtime=_other}"),
        ("flex.reaction.skips", 3, 6, "{channel=_other,reason=_other,runtime=_other}"),
        ("flex.run.cancel.latency_count", 6, 3, "{runtime=_other,source=_other}"),
    ):
        assert len([each for each in found if each.startswith(name)]) == sets
        assert found[f"{name}{other}"] == beyond
        row = name.removesuffix("_count")
        assert found[f"otel_agents.metrics.overflow{{instrument={row}}}"] == beyond
    assert (types["reaction_matched"], types["reaction_skipped"], types["cancel_acknowledged"]) == (8, 8, 8)


# Content and audit

CANARY = "c4n4ry"


async def _leaky() -> None:
    async def shout(request: Request) -> str:
        if CANARY in request.text:
            raise ValueError(CANARY)
        return CANARY

    desk = Gateway({"shout": shout}, [Rule(name="r", agent="shout", senders=frozenset({CANARY}))])
    for text in ("hello", CANARY):
        await desk.receive(message("mail", text, CANARY, conversation=CANARY))
    await desk.receive(message("mail", CANARY, "somebody", conversation=CANARY))
    await desk.wait(desk.send("shout", CANARY, session=CANARY))


def test_no_content_is_in_any_signal(tmp_path: Path) -> None:
    """Neither senders nor sessions, texts, replies, filters, messages of exceptions; in the audit only hashes."""
    audit = tmp_path / "audit.jsonl"
    with watched(ADAPTER, audit_file=str(audit), audit_key="0123456789abcdef") as telemetry:
        asyncio.run(_leaky())
        shown = [event.to_json() for event in telemetry.events]
        shown += [span.to_json() for span in telemetry.spans] + [each.to_json() for each in telemetry.logs]
        shown += [*telemetry.metrics(zero=True)]
    shown += [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert len(shown) > 50
    assert [line for line in shown if CANARY in line] == []


def test_content_is_there_when_asked_for() -> None:
    """Session, sender, what the rule looked at, and the message of the exception."""
    with watched(ADAPTER, capture="EVENT_ONLY") as telemetry:
        asyncio.run(_leaky())
        found = {(e.type, name) for e in telemetry.events for name, value in e.payload.items() if CANARY in str(value)}
        sessions = {event.session_id for event in telemetry.events}
    assert found == {
        ("reaction_matched", "sender"), ("reaction_matched", "filterSummary"), ("node_error", "error"),
        ("complete", "error"),
    }  # fmt: skip
    assert sessions == {f"mail:{CANARY}", f"gateway:{CANARY}"}


ENTRY = ["type", "ts", "run_id", "session_id", "channel", "runtime"]
RECORDS = {
    "run.state": [*ENTRY, "state"],
    "run.cancel": [*ENTRY, "source", "requested", "acknowledged", "latency_ms"],
    "reaction.match": [*ENTRY, "rule_name", "sender", "filter_summary"],
    "reaction.skip": [*ENTRY, "reason", "candidate_count"],
}


def _audited(folder: Path, **settings: Any) -> list[dict[str, Any]]:
    with watched(ADAPTER, audit_file=str(folder / "audit.jsonl"), **settings):
        asyncio.run(day(gateway()))
    (path,) = folder.glob("audit*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_audit_of_a_day_field_by_field(tmp_path: Path) -> None:
    """Every record type comes out of real runs with exactly its fields; in clear when that is asked for."""
    records = _audited(tmp_path, audit_clear=True)

    assert {record["type"] for record in records} == set(RECORDS)
    assert all([*record] == RECORDS[record["type"]] for record in records)
    assert {record["runtime"] for record in records} == {"gateway"}
    assert [record["state"] for record in records if record["run_id"] == "g-4" and "state" in record] == [
        "start", "cancel_requested", "cancelled",
    ]  # fmt: skip
    assert Counter(record.get("state") for record in records if record["type"] == "run.state") == {
        "start": 7, "complete": 3, "error": 1, "cancel_requested": 3, "cancelled": 3,
    }  # fmt: skip
    matches = [
        (r["channel"], r["session_id"], r["rule_name"], r["sender"]) for r in records if r["type"] == "reaction.match"
    ]
    assert matches == [
        ("mail", "mail:bob", "refund", "bob"), ("mail", "mail:ada", "refund", "ada"),
        ("lab", "lab:bob", "break", "bob"), ("desk", "desk:bob", "wait", "bob"), ("desk", "desk:bob", "wait", "bob"),
    ]  # fmt: skip
    skips = [(r["channel"], r["session_id"], r["reason"]) for r in records if r["type"] == "reaction.skip"]
    assert skips == [
        ("mail", "mail:bob", "cooldown"), ("mail", "mail:bob", "filter_mismatch"),
        ("chat", "chat:bob", "sender_not_allowed"), ("fax", "fax:bob", "no_rule"),
    ]  # fmt: skip
    cancels = [record for record in records if record["type"] == "run.cancel"]
    assert [(r["run_id"], r["session_id"], r["source"], r["requested"], r["acknowledged"]) for r in cancels] == [
        ("g-4", "desk:bob", "stop_command", True, True), ("g-5", "desk:bob", "stop_command", True, True),
        ("g-7", "gateway:main", "api", True, True),
    ]  # fmt: skip
    assert all(record["latency_ms"] >= 0 for record in cancels)


def test_the_audit_names_sessions_and_senders_by_their_hashes(tmp_path: Path) -> None:
    """Unless asked in clear; the same one has the same hash, so that sessions can still be counted."""
    records = _audited(tmp_path, audit_key="0123456789abcdef")

    hashes = {record["session_id"] for record in records} | {r["sender"] for r in records if "sender" in r}
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in hashes)
    assert len({record["session_id"] for record in records}) == 7
    assert len({record["sender"] for record in records if "sender" in record}) == 2
