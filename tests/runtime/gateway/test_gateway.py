"""The gateway, without anybody who watches: sessions, turns, calls, stops."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from functools import partial
from typing import Any

import pytest

from otel_agents.runtime.gateway import Gateway, GatewayError, Message, Reply, Request, Rule, Run, Sessions, Turn
from tests.adapters.gateways import AGENTS, gateway, message

ALL = Rule(name="all", agent="agent")
RULE: Any = partial(Rule, name="r", agent="clerk")


def _desk(agent: Any, **changes: Any) -> Gateway:
    return Gateway({"agent": agent}, [ALL], **changes)


async def test_a_session_remembers_what_was_said_in_it() -> None:
    """Each conversation has its own history, bounded, and so has each sender outside of conversations."""
    seen: list[tuple[str, tuple[Turn, ...]]] = []

    def agent(request: Request) -> str:
        seen.append((request.session, request.history))
        return request.text.upper()

    desk = _desk(agent, max_history=2)
    for text in ("a", "b", "c", "d"):
        await desk.receive(message("mail", text))
    await desk.receive(message("mail", "e", "ada"))
    await desk.receive(message("mail", "f", "ada", conversation="team"))

    turns = tuple(Turn(text, text.upper()) for text in "abc")
    assert seen == [
        ("mail:bob", ()),
        ("mail:bob", turns[:1]),
        ("mail:bob", turns[:2]),
        ("mail:bob", turns[1:]),
        ("mail:ada", ()),
        ("mail:team", ()),
    ]


async def test_sessions_are_bounded() -> None:
    """The one that was quiet for longest is forgotten; one in which a run goes on is not."""
    free = asyncio.Event()

    async def agent(request: Request) -> str:
        if request.text == "wait":
            await free.wait()
        return ""

    desk = _desk(agent, max_sessions=2)
    waiting = asyncio.ensure_future(desk.receive(message("mail", "wait", "first")))
    await asyncio.sleep(0)
    for sender in ("second", "third", "fourth"):
        await desk.receive(message("mail", "go", sender))
    assert [each.key for each in desk.sessions.all()] == ["mail:first", "mail:fourth"]
    free.set()
    assert (await waiting).status == "replied"


async def test_no_two_conversations_share_a_session() -> None:
    """Whatever stands in the names of channels and conversations; a session is found by its key."""
    sessions = Sessions()
    names = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("a%b", "c"), ("a", "b"), ("ü b", "\n")]
    made = [sessions.of(*each) for each in names]

    assert len({each.key for each in made}) == len(sessions) == len(names)
    assert [(sessions.of(*each), sessions.find(one.key)) for each, one in zip(names, made, strict=True)] == [
        (each, each) for each in made
    ]
    assert [each.channel for each in made] == [channel for channel, _ in names]


async def test_a_session_that_is_never_quiet_keeps_no_run_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits knows the one before it, and that one no other any more."""
    monkeypatch.setattr("otel_agents.runtime.gateway.gateway.MAX_RUNS", 2)
    desk = _desk(lambda request: "")
    runs = [desk.send("agent", "x") for _ in range(2)]
    first = weakref.ref(runs[0])
    for _ in range(6):
        await runs.pop(0).over.wait()
        runs.append(desk.send("agent", "x"))
    gc.collect()

    assert runs[-1].before == (runs[0],)
    assert first() is None
    await desk.close()


async def test_a_close_stops_what_comes_meanwhile() -> None:
    """A run that begins while others stop is asked to stop as well, so that the end does come."""
    late: list[Run] = []

    async def agent(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if not late:
                late.append(desk.send("agent", "late"))

    desk = _desk(agent)
    desk.send("agent", "early")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await desk.close()
    assert [(run.status, run.cancellation.source) for run in late] == [("cancelled", "shutdown")]


async def test_runs_of_a_session_take_turns_and_those_of_others_do_not_wait() -> None:
    """In the order in which they came."""
    order: list[str] = []
    free = asyncio.Event()

    async def agent(request: Request) -> str:
        order.append(f"+{request.text}")
        if request.text == "1":
            await free.wait()
        order.append(f"-{request.text}")
        return ""

    desk = _desk(agent)
    asked = [asyncio.ensure_future(desk.receive(message("mail", text))) for text in ("1", "2", "3")]
    await asyncio.sleep(0)
    await desk.receive(message("mail", "other", "ada"))
    free.set()
    await asyncio.gather(*asked)
    assert order == ["+1", "+other", "-other", "-1", "+2", "-2", "+3", "-3"]


async def test_a_session_lets_only_so_many_wait() -> None:
    """One too many is skipped as busy over a channel, and refused as busy over the gateway's own interface."""
    desk = gateway(max_waiting=1)
    asked = [asyncio.ensure_future(desk.receive(message("desk", "x"))) for _ in range(3)]
    sent = [desk.send("slow", "x") for _ in range(2)]
    await asyncio.sleep(0)
    assert await asked[2] == Reply("skipped", reason="busy")
    with pytest.raises(GatewayError, match="2 runs wait in session 'main'") as refused:
        desk.send("slow", "x")
    assert refused.value.code == "busy"
    await desk.close()
    assert [run.status for run in sent] == ["cancelled", "cancelled"]
    assert [(await each).status for each in asked[:2]] == ["cancelled", "cancelled"]


async def test_stop_stops_what_runs_and_what_waits_in_this_session_only() -> None:
    """The one who asks is answered at once; a second time there is nothing left."""
    desk = gateway()
    other = asyncio.ensure_future(desk.receive(message("desk", "x", "ada")))
    asked = [asyncio.ensure_future(desk.receive(message("desk", "x"))) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await desk.receive(message("desk", "/stop")) == Reply("stopped", "Stopping 2.")
    assert [(await each).status for each in asked] == ["cancelled", "cancelled"]
    assert await desk.receive(message("desk", "/stop")) == Reply("stopped", "Nothing to stop.")
    assert not other.done()
    await desk.close()
    assert (await other).status == "cancelled"


async def test_a_function_that_never_looks_ends_before_the_next_has_its_turn() -> None:
    """Its result is dropped, and nobody else of the session runs meanwhile."""
    entered, free, order = threading.Event(), threading.Event(), []

    def agent(request: Request) -> str:
        order.append(request.text)
        if request.text == "deaf":
            entered.set()
            free.wait(60)
            order.append("deaf is done")
        return request.text

    desk = _desk(agent)
    deaf = asyncio.ensure_future(desk.receive(message("mail", "deaf")))
    await asyncio.to_thread(entered.wait)
    await desk.receive(message("mail", "/stop"))
    after = asyncio.ensure_future(desk.receive(message("mail", "after")))
    await asyncio.sleep(0)
    free.set()
    assert ((await deaf).status, (await after).text) == ("cancelled", "after")
    assert order == ["deaf", "deaf is done", "after"]
    assert [turn.text for turn in desk.sessions.of("mail", "bob").history] == ["after"]


async def test_an_agent_that_raises_or_takes_too_long_fails_its_run_and_nothing_else() -> None:
    """The reply says of which class the error was; the run has the error itself."""

    async def agent(request: Request) -> str:
        if request.text == "hang":
            await asyncio.Event().wait()
        raise LookupError(request.text)

    desk = _desk(agent, timeout_s=0.01)
    replies = [await desk.receive(message("mail", text)) for text in ("hang", "fall")]
    assert [(reply.status, reply.reason, reply.text) for reply in replies] == [
        ("failed", "TimeoutError", ""),
        ("failed", "LookupError", ""),
    ]
    assert isinstance(desk.find(replies[1].run_id).error, LookupError)


async def test_whoever_stops_waiting_does_not_stop_the_run() -> None:
    """The run goes on by itself."""
    free = asyncio.Event()

    async def agent(request: Request) -> str:
        await free.wait()
        return "done"

    desk = _desk(agent)
    waiting = asyncio.ensure_future(desk.receive(message("mail", "x")))
    await asyncio.sleep(0)
    (run,) = desk.sessions.of("mail", "bob").runs
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    free.set()
    assert await desk.wait(run) == Reply("replied", "done", run.id)


async def test_calls_are_plain_data_in_and_out() -> None:
    """`agent.send` answers at once; the run is waited for, stopped and listed by further calls."""
    desk = gateway()
    assert await desk.call("agent.send", {"agent": "slow", "message": "x", "correlationId": "c-1"}) == {
        "runId": "g-1", "session": "gateway:main", "status": "accepted",
    }  # fmt: skip
    assert (desk.find("g-1").channel, desk.find("g-1").correlation_id) == ("gateway", "c-1")
    assert await desk.call("session.list", {}) == {
        "sessions": [{"session": "gateway:main", "channel": "gateway", "turns": 0, "runs": 1}]
    }
    assert await desk.call("session.stop", {"session": "gateway:main"}) == {"session": "gateway:main", "stopped": 1}
    assert await desk.call("run.cancel", {"runId": "g-1"}) == {"runId": "g-1", "requested": False}
    assert await desk.call("agent.wait", {"runId": "g-1"}) == {
        "runId": "g-1", "status": "cancelled", "text": "", "error": "",
    }  # fmt: skip
    assert desk.find("g-1").cancellation.source == "api"


@pytest.mark.parametrize(
    ("method", "params", "code", "said"),
    [
        ("agent.fly", {}, "unknown_method", "there is no 'agent.fly'; there are agent.send, agent.wait, run.cancel"),
        ("agent.send", {"agent": "nobody", "message": "x"}, "unknown_agent", "there is no agent 'nobody'"),
        ("agent.send", {"agent": "clerk"}, "invalid_params", "message has to be a text"),
        ("agent.send", {"agent": "clerk", "message": 3}, "invalid_params", "message has to be a text"),
        ("agent.wait", {"runId": "g-9"}, "not_found", "there is no run 'g-9'"),
        ("session.stop", {"session": "mail:x"}, "not_found", "there is no session 'mail:x'"),
    ],
)
async def test_a_call_that_cannot_be_carried_out_says_why(
    method: str, params: dict[str, Any], code: str, said: str
) -> None:
    """With a code for programs and a line for people."""
    with pytest.raises(GatewayError, match=said) as refused:
        await gateway().call(method, params)
    assert refused.value.code == code


async def test_runs_that_are_over_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of them is forgotten."""
    monkeypatch.setattr("otel_agents.runtime.gateway.gateway.MAX_RUNS", 2)
    desk = gateway()
    for number in range(6):
        await desk.receive(message("chat", "x", "ada", conversation=f"{number}"))
    with pytest.raises(GatewayError, match="there is no run 'g-1'"):
        desk.find("g-1")
    assert [desk.find(f"g-{number}").status for number in (4, 5, 6)] == ["completed"] * 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Gateway(AGENTS, [Rule(name="r", agent="nobody")]), "rule 'r' names the agent 'nobody'; there are"),
        (lambda: Gateway(AGENTS, [Rule(name="r", agent="clerk")] * 2), "two rules are named 'r'"),
        (lambda: Rule(name="r", agent="clerk", pattern="("), r"rule 'r': '\(' is no regular expression"),
        (lambda: Rule(name="r", agent="clerk", cooldown_s=-1), "cooldown_s is -1; give seconds from 0"),
        (lambda: Rule(name="r", agent="clerk", cooldown_s=float("nan")), "cooldown_s is nan"),
        (lambda: Message(channel="", sender="x", text=""), "channel of a message is empty"),
        (lambda: Message(channel="mail", sender="", text=""), "sender of a message is empty"),
        (lambda: Message(channel="gateway", sender="main", text="/stop"), "'gateway', which is the gateway's own"),
        (lambda: RULE(channels="mail"), "channels is 'mail'; give a set, such as {'mail'}"),
        (lambda: RULE(senders="ada"), "senders is 'ada'; give a set, such as {'ada'}"),
    ],
)
def test_a_bad_setup_is_told_at_once(make: Any, said: str) -> None:
    """Naming the value."""
    with pytest.raises(ValueError, match=said):
        make()
