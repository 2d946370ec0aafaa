"""Agents at work: steps, handoffs, tools, decisions, tries, and what is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from otel_agents.runtime.yolo import (
    Agent,
    AgentBusyError,
    AgentError,
    BadValueError,
    HandedOverError,
    Handoff,
    Limits,
    NotActiveError,
    Orchestrator,
    SafetyBlockedError,
    SelfHandoffError,
    TeamError,
    Turn,
    TurnOverError,
    UnknownAgentError,
)

NOT_AMOUNTS = (-1, float("nan"), float("inf"), True, "3", None)


def echo(turn: Turn) -> str:
    return f"{turn.task}>{turn.agent}"


async def aecho(turn: Turn) -> str:
    return echo(turn)


def later(turn: Turn) -> Any:
    return aecho(turn)


class Echo:
    async def __call__(self, turn: Turn) -> str:
        return echo(turn)


def says(to_agent: object, task: object = None) -> Any:
    async def work(turn: Turn) -> None:
        await turn.handoff(to_agent, task)  # type: ignore[arg-type]  # bad input is what some tests are about

    return work


async def test_planned_steps_work_on_what_the_one_before_returned() -> None:
    """Functions, coroutine functions and callable objects are all work; the last result is that of the workflow."""
    team = Orchestrator([Agent("a", echo), Agent("b", aecho), Agent("c", Echo()), Agent("d", later)])

    assert await team.run("chain", "x", steps=["a", "b", "c", "d", "a"]) == "x>a>b>c>d>a"
    assert team.agents == dict.fromkeys("abcd", "idle")


async def test_a_function_does_not_keep_others_waiting() -> None:
    """Work that is not asynchronous runs in a thread, so two workflows that need each other's progress both end."""
    both = threading.Barrier(2)
    team = Orchestrator([Agent("a", lambda turn: both.wait(10)), Agent("b", lambda turn: both.wait(10))])

    done = await asyncio.gather(team.run("one", steps=["a"]), team.run("two", steps=["b"]))
    assert sorted(done) == [0, 1]


async def test_whom_is_handed_over_to_comes_before_what_is_planned() -> None:
    """A handoff, said or returned, from a function or a coroutine, takes the work aside; then the plan goes on."""

    def by_return(turn: Turn) -> Handoff:
        return Handoff("b", f"{turn.task}-b")

    def by_waiting(turn: Turn) -> None:
        turn.wait(turn.handoff("c", f"{turn.task}-c"))

    team = Orchestrator([Agent("a", by_return), Agent("b", by_waiting), Agent("c", echo), Agent("d", echo)])

    assert await team.run("aside", "x", steps=["a", "d"]) == "x-b-c>c>d"


@pytest.mark.parametrize(
    ("to_agent", "error", "message"),
    [
        ("nobody", UnknownAgentError, "there is no agent 'nobody'; the team is a, b"),
        (["b"], UnknownAgentError, "there is no agent ['b']; the team is a, b"),
        (None, UnknownAgentError, "there is no agent None; the team is a, b"),
        ("a", SelfHandoffError, "a cannot hand its work to itself"),
    ],
)
async def test_a_handoff_to_nobody_or_oneself_is_refused(to_agent: object, error: type, message: str) -> None:
    """The error names what is wrong, leaves the work where it is, and is counted as the agent's."""
    team = Orchestrator([Agent("a", says(to_agent)), Agent("b", echo)])

    with pytest.raises(error) as raised:
        await team.run("lost", steps=["a"])
    assert str(raised.value) == message
    assert team.errors == {"high": 1}
    assert team.agents == {"a": "idle", "b": "idle"}


async def test_an_agent_hands_over_once_in_a_turn() -> None:
    """A second handoff is refused, and the first one stands; one after the turn is refused, too."""
    kept: list[Turn] = []

    async def twice(turn: Turn) -> None:
        kept.append(turn)
        await turn.handoff("b", 1)
        with pytest.raises(HandedOverError, match="a has handed over to b in this turn"):
            await turn.handoff("c", 2)

    team = Orchestrator([Agent("a", twice), Agent("b", echo), Agent("c", echo)])
    assert await team.run("twice", steps=["a"]) == "1>b"
    with pytest.raises(TurnOverError, match="the turn of a is over"):
        await kept[0].handoff("c", 3)


async def test_while_paused_nothing_new_is_accepted_and_workflows_wait() -> None:
    """A handoff and a new workflow are refused; a workflow between two steps goes on when the team is active again."""
    refused: list[BaseException] = []
    is_refused = asyncio.Event()

    async def stubborn(turn: Turn) -> str:
        team.set_mode("paused")
        with pytest.raises(NotActiveError) as raised:
            await turn.handoff("b")
        refused.append(raised.value)
        is_refused.set()
        return "own result"

    team = Orchestrator([Agent("a", stubborn), Agent("b", echo)])
    running = asyncio.create_task(team.run("held", steps=["a", "b"]))
    await is_refused.wait()
    with pytest.raises(NotActiveError, match="the workflow other is refused: the team is paused"):
        await team.run("other", steps=["b"])
    done, _ = await asyncio.wait([running], timeout=0.05)
    assert not done
    await asyncio.to_thread(team.set_mode, "active")  # from another thread

    assert await running == "own result>b"
    assert str(refused[0]) == "a handoff to b is refused: the team is paused"


async def test_a_pause_in_the_middle_of_a_step_loses_no_workflow() -> None:
    """One whose handoff is refused ends with the error, and goes on with the same step when it is resumed."""
    attempts: list[Any] = []

    async def work(turn: Turn) -> Handoff:
        attempts.append(turn.task)
        if len(attempts) == 1:
            team.set_mode("paused")
        return Handoff("b", 2)

    team = Orchestrator([Agent("a", work), Agent("b", echo)])
    with pytest.raises(NotActiveError):
        await team.run("held", 1, steps=["a"])
    [held] = team.unfinished
    with pytest.raises(NotActiveError):
        await team.resume(held)
    assert team.unfinished == [held]
    team.set_mode("active")

    assert await team.resume(held) == "2>b"
    assert (attempts, team.unfinished) == ([1, 1], [])


@pytest.mark.parametrize("mode", ["asleep", None, "ACTIVE"])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    """The error lists the modes; the mode stays."""
    team = Orchestrator()
    with pytest.raises(BadValueError, match="modes are active, paused, off"):
        team.set_mode(mode)
    assert team.mode == "active"


async def test_attempts_that_may_succeed_are_made_again() -> None:
    """What failed is noted as medium, and what it handed over is forgotten; the last failure is raised, as high."""
    attempts: list[int] = []

    async def flaky(turn: Turn) -> str:
        attempts.append(turn.attempt)
        if turn.attempt < 3:
            await turn.handoff("b")
            raise ConnectionError
        return "done"

    async def broken(turn: Turn) -> None:
        raise TimeoutError("no answer")

    agents = [Agent("a", flaky, retries=2, backoff_s=0.001), Agent("b", broken, retries=1), Agent("c", echo)]
    team = Orchestrator(agents)

    assert await team.run("flaky", steps=["a"]) == "done"
    assert (attempts, team.errors) == ([1, 2, 3], {"medium": 2})
    with pytest.raises(TimeoutError):
        await team.run("broken", steps=["b"])
    assert [(each.agent, each.error, each.severity) for each in team.problems[2:]] == [
        ("b", "TimeoutError: no answer", "medium"),
        ("b", "TimeoutError: no answer", "high"),
    ]


async def test_other_errors_are_not_tried_again() -> None:
    """Only errors that an agent calls passing are, and never what the team itself refused."""
    attempts: list[int] = []

    async def wrong(turn: Turn) -> None:
        attempts.append(turn.attempt)
        raise LookupError

    async def refused(turn: Turn) -> None:
        attempts.append(turn.attempt)
        await turn.handoff("nobody")

    team = Orchestrator([Agent("a", wrong, retries=5), Agent("b", refused, retries=5, retry_on=(Exception,))])
    with pytest.raises(LookupError):
        await team.run("wrong", steps=["a"])
    with pytest.raises(UnknownAgentError):
        await team.run("refused", steps=["b"])
    assert attempts == [1, 1]


async def test_an_attempt_has_its_time() -> None:
    """One that takes longer is a TimeoutError, which may be tried again."""

    async def slow(turn: Turn) -> str:
        if turn.attempt == 1:
            await asyncio.Event().wait()
        return "in time"

    team = Orchestrator([Agent("a", slow, timeout_s=0.02, retries=1)])
    assert await team.run("slow", steps=["a"]) == "in time"


async def test_a_critical_error_pauses_the_team() -> None:
    """Its severity is the error's own; a severity that does not exist is refused."""

    async def disaster(turn: Turn) -> None:
        raise AgentError("everything is on fire", "critical")

    team = Orchestrator([Agent("a", disaster)])
    with pytest.raises(AgentError):
        await team.run("fire", steps=["a"])
    assert (team.mode, team.errors) == ("paused", {"critical": 1})
    with pytest.raises(BadValueError, match="severities are low, medium, high, critical"):
        team.report("a", ValueError(), "dreadful")  # type: ignore[arg-type]
    with pytest.raises(UnknownAgentError):
        team.report("b", ValueError(), "low")


async def test_the_last_problems_are_remembered() -> None:
    """All errors are counted, a hundred are kept."""
    team = Orchestrator([Agent("a", echo)])
    for number in range(150):
        team.report("a", ValueError(number), "low")

    assert team.errors == {"low": 150}
    assert [each.error for each in team.problems] == [f"ValueError: {number}" for number in range(50, 150)]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(decisions=2), "the workflow has had its 2 decisions"),
        (Limits(cost=2.5), "it would cost 3 of 2.5"),
        (Limits(forbidden=["third"]), "it is forbidden"),
        (Limits(rules=(lambda ask: "not today" if ask.decision_type == "third" else None,)), "not today"),
    ],
)
async def test_limits_block_a_decision_before_it_is_taken(limits: Limits, reason: str) -> None:
    """Nothing of it happens, the agent is blocked until its next step, and its error says why."""
    taken: list[str] = []

    async def decides(turn: Turn) -> list[str]:
        for word in ("first", "second", "third"):
            await turn.decide(word, taken.append, word, cost=1)
        return taken

    team = Orchestrator([Agent("a", decides), Agent("b", echo)], limits=limits)
    with pytest.raises(SafetyBlockedError) as raised:
        await team.run("careful", steps=["b", "a"])
    assert str(raised.value) == f"a may not third: {reason}"
    assert (taken, team.agents, team.errors) == (["first", "second"], {"a": "blocked", "b": "idle"}, {})


def test_what_is_forbidden_is_no_single_text() -> None:
    """Its letters would be forbidden, and the decision that is meant allowed."""
    with pytest.raises(BadValueError, match=r"forbidden must be types of decisions, such as \('deploy',\), not one"):
        Limits(forbidden="deploy")


async def test_limits_block_handoffs_and_steps_that_never_end() -> None:
    """Two agents who hand over to each other for ever are stopped."""
    ping, pong = Agent("ping", says("pong")), Agent("pong", says("ping"))
    for limits, wanted in (
        (Limits(handoffs=5), "pong may not handoff: the workflow has had its 5 handoffs"),
        (Limits(steps=5, handoffs=None), "pong may not step: the workflow has had its 5 steps"),
    ):
        with pytest.raises(SafetyBlockedError) as raised:
            await Orchestrator([ping, pong], limits=limits).run("for ever", steps=["ping"])
        assert str(raised.value) == wanted


async def test_an_agent_that_is_blocked_may_do_something_else() -> None:
    """A block can be caught; the next decision that is allowed makes the agent active again."""
    seen: list[str] = []

    async def careful(turn: Turn) -> Any:
        with pytest.raises(SafetyBlockedError):
            await turn.decide("delete", lambda: "all")
        seen.append(team.agents["a"])
        answer = await turn.decide("keep", lambda: "some")
        seen.append(team.agents["a"])
        return answer

    team = Orchestrator([Agent("a", careful)], limits=Limits(forbidden=["delete"]))
    assert await team.run("careful", steps=["a"]) == "some"
    assert (seen, team.agents) == (["blocked", "active"], {"a": "idle"})


async def test_a_tool_is_called_and_returns() -> None:
    """Tools are functions or coroutine functions with arguments."""

    async def add(left: int, right: int) -> int:
        return left + right

    async def counts(turn: Turn) -> int:
        return await turn.use("add", add, 1, 2) + await turn.use("abs", abs, -4)

    assert await Orchestrator([Agent("a", counts)]).run("sum", steps=["a"]) == 7


@pytest.mark.parametrize("value", NOT_AMOUNTS)
async def test_numbers_that_cannot_be_meant_are_refused(value: Any) -> None:
    """Negative, infinite, no number: the error says which value is wrong."""

    async def costs(turn: Turn) -> None:
        await turn.decide("buy", lambda: 1, cost=value)

    with pytest.raises(BadValueError, match="cost must be a finite number from 0 up, not"):
        await Orchestrator([Agent("a", costs)]).run("shop", steps=["a"])
    for keyword in ("retries", "backoff_s", *(("timeout_s", "context_limit") if value is not None else ())):
        with pytest.raises(BadValueError, match=f"{keyword}|limit of a context"):
            Orchestrator([Agent("a", echo, **{keyword: value})])
    for keyword in ("steps", "handoffs", "decisions", "cost") if value is not None else ():
        with pytest.raises(BadValueError, match=f"the limit of {keyword} must be"):
            Limits(**{keyword: value})


@pytest.mark.parametrize("kinds", [[ConnectionError], ConnectionError, ("timeout",), (asyncio.CancelledError,)])
def test_what_is_tried_again_is_a_tuple_of_errors(kinds: Any) -> None:
    """Anything else would show only when an attempt fails, in the place of its error; a cancellation is an end."""
    with pytest.raises(BadValueError, match="retry_on of a must be a tuple of exceptions, not"):
        Agent("a", echo, retry_on=kinds)


async def test_work_that_is_asynchronous_cannot_wait_for_itself() -> None:
    """It is told so, instead of standing still for ever."""

    async def work(turn: Turn) -> None:
        turn.wait(turn.decide("x", lambda: 1))

    with pytest.raises(TeamError, match="the work of a is asynchronous: it has to await what it gives to wait"):
        await Orchestrator([Agent("a", work)]).run("stuck", steps=["a"])


async def test_teams_and_workflows_that_make_no_sense_are_refused() -> None:
    """No name, a name that is taken, work that cannot be called, steps that lead nowhere: nothing has happened."""
    team = Orchestrator([Agent("a", echo)])
    for name, work in (("", echo), (" ", echo), (None, echo), ("b", "no function")):
        with pytest.raises(BadValueError):
            Agent(name, work)  # type: ignore[arg-type]
    with pytest.raises(BadValueError, match="there is an agent 'a' already"):
        team.add(Agent("a", echo))
    nothing: list[str] = []
    for steps in (nothing, "a"):
        with pytest.raises(BadValueError, match="must be names of agents"):
            await team.run("nowhere", steps=steps)
    with pytest.raises(BadValueError, match="a workflow needs a name"):
        await team.run("", steps=["a"])
    with pytest.raises(UnknownAgentError, match="there is no agent 'b'; the team is a"):
        await team.run("nowhere", steps=["a", "b"])


async def test_an_agent_leaves_when_nobody_needs_it() -> None:
    """While it works, or work waits for it, it stays."""
    refused: list[str] = []

    async def work(turn: Turn) -> None:
        for name in ("a", "b"):
            with pytest.raises(AgentBusyError):
                team.remove(name)
            refused.append(name)

    team = Orchestrator([Agent("a", work), Agent("b", echo), Agent("c", echo)])
    await team.run("work", steps=["a", "b"])
    team.remove("a")

    assert (refused, team.agents) == (["a", "b"], {"b": "idle", "c": "idle"})
    with pytest.raises(UnknownAgentError):
        team.remove("a")


async def test_an_agent_of_several_workflows_is_active_until_the_last_is_done() -> None:
    """It works on both, and rests after both."""
    first, second = asyncio.Event(), asyncio.Event()
    waits = {"one": first, "two": second}
    both = asyncio.Barrier(3)

    async def work(turn: Turn) -> None:
        await both.wait()
        await waits[turn.workflow.name].wait()

    team = Orchestrator([Agent("a", work)])
    running = [asyncio.create_task(team.run(name, steps=["a"])) for name in waits]
    await both.wait()
    first.set()
    await running[0]
    assert team.agents == {"a": "active"}
    second.set()
    await running[1]
    assert team.agents == {"a": "idle"}


async def test_a_cancelled_workflow_is_forgotten() -> None:
    """The agent is idle again, and nothing is left to resume."""
    works = asyncio.Event()

    async def work(turn: Turn) -> None:
        works.set()
        await asyncio.Event().wait()

    team = Orchestrator([Agent("a", work)])
    running = asyncio.create_task(team.run("endless", steps=["a"]))
    await works.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (team.agents, team.unfinished, team._running, team.errors) == ({"a": "idle"}, [], {}, {})


def test_the_runtime_loads_no_telemetry() -> None:
    """Importing it brings in nothing of ours but itself, and no OpenTelemetry."""
    program = (
        "import sys, otel_agents.runtime.yolo\n"
        "ours = [m for m in sys.modules if m.startswith('otel_agents.') and '.runtime' not in m]\n"
        "print(ours, 'opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[] False\n"
