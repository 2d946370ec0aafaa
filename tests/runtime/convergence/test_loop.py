"""Converging runs, without anybody who watches: iterations, gates, strategies, delivery, cancels, pauses."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from otel_agents.runtime.convergence import (
    STRATEGIES,
    Answer,
    Delivery,
    Gate,
    Iteration,
    Loop,
    Outcome,
    Paused,
    Run,
    Task,
    Turn,
    Verdict,
)
from tests.adapters.converging import Stuck, build, cancelled, loop, task


def _green(turn: Turn) -> bool:
    return True


def _red(turn: Turn) -> tuple[bool, str]:
    return False, f"round {turn.iteration.number}"


async def test_it_iterates_until_the_gates_pass() -> None:
    """Phases see the results before them, the next iteration is told the feedback, and the result is delivered."""
    seen: list[tuple[Any, ...]] = []

    def watch(turn: Turn) -> str:
        seen.append((turn.name, turn.iteration.number, turn.feedback, dict(turn.iteration.results), len(turn.history)))
        return f"{turn.name} {turn.iteration.number}"

    outcome = await loop(build=watch, snapshot=watch, verify=watch, feedback=watch, deliver=watch).run(task())

    first = {"build": "build 1", "snapshot": "snapshot 1"}
    second = {"build": "build 2", "snapshot": "snapshot 2"}
    assert seen == [
        ("build", 1, None, {}, 0),
        ("snapshot", 1, None, {"build": "build 1"}, 0),
        ("verify", 1, None, first, 0),
        ("feedback", 1, None, {**first, "verify": "verify 1"}, 0),
        ("build", 2, "feedback 1", {}, 1),
        ("snapshot", 2, "feedback 1", {"build": "build 2"}, 1),
        ("verify", 2, "feedback 1", second, 1),
        ("delivery", 2, "feedback 1", {**second, "verify": "verify 2"}, 1),
    ]
    assert (outcome.status, outcome.reason, outcome.delivery) == ("succeeded", "converged", Delivery())
    assert [each.success for each in outcome.iterations] == [False, True]
    assert outcome.iterations[0].verdicts == [Verdict("tests", passed=False, note="two failed"), Verdict("lint", True)]


async def test_without_feedback_of_ones_own_the_gates_that_were_not_passed_are_told() -> None:
    """With their notes; where all were passed and it goes on nevertheless, that is told."""
    gates = [Gate("a", _red), Gate("b", lambda turn: turn.iteration.number == 2), Gate("c", _green)]
    for made in (Loop(build, gates), Loop(build, gates, feedback=None)):
        outcome = await made.run(task(max_iterations=2))
        assert outcome.iterations[1].feedback == "Not passed: a: round 1; b"

    outcome = await Loop(build, [Gate("c", _green)]).run(task(strategy="fixed", max_iterations=2))
    assert outcome.iterations[1].feedback == "All gates passed."


@pytest.mark.parametrize(
    ("strategy", "passing", "expected"),
    [
        ("until_green", [0, 1, 2], ("succeeded", "converged", 3)),
        ("until_green", [1, 1, 1, 1], ("failed", "max_iterations", 4)),
        ("fixed", [2, 2, 2, 1], ("failed", "max_iterations", 4)),
        ("fixed", [0, 0, 0, 2], ("succeeded", "converged", 4)),
        ("while_improving", [1, 0, 1], ("failed", "no_progress", 3)),
        ("while_improving", [0, 1, 0, 2], ("succeeded", "converged", 4)),
        ("while_improving", [0, 0, 1, 1], ("failed", "max_iterations", 4)),
    ],
)
async def test_a_strategy_says_when_to_stop(strategy: str, passing: list[int], expected: tuple[str, str, int]) -> None:
    """By how many of two gates each iteration passes; never more iterations than the task allows."""

    def gate(number: int) -> Gate:
        return Gate(f"gate-{number}", lambda turn: passing[turn.iteration.number - 1] >= number)

    outcome = await Loop(build, [gate(1), gate(2)]).run(task(strategy=strategy, max_iterations=4))
    assert (outcome.status, outcome.reason, len(outcome.iterations)) == expected


async def test_a_team_may_bring_its_own_strategy() -> None:
    """It is found by the name that the task gives."""
    twice = {"twice": lambda iterations: "enough" if len(iterations) == 2 else ""}
    outcome = await Loop(build, [Gate("g", _red)], strategies=twice).run(task(strategy="twice"))
    assert (outcome.status, outcome.reason, len(outcome.iterations)) == ("failed", "enough", 2)
    assert set(STRATEGIES) == {"until_green", "fixed", "while_improving"}


async def test_a_delivery_may_fail() -> None:
    """Then so has the run."""
    outcome = await loop(deliver=lambda turn: Delivery(success=False, ci_status="red")).run(task())
    assert (outcome.status, outcome.reason) == ("failed", "delivery_failed")
    assert outcome.delivery == Delivery(success=False, ci_status="red")


@pytest.mark.parametrize(("said", "status"), [(True, "succeeded"), (False, "failed"), (None, "succeeded")])
async def test_a_delivery_may_say_no_more_than_whether_it_went_well(said: bool | None, status: str) -> None:
    """A no is a no."""
    outcome = await loop(deliver=lambda turn: said).run(task())
    assert (outcome.status, outcome.delivery) == (status, Delivery(success=said is not False))


async def test_what_a_phase_raises_reaches_the_caller() -> None:
    """The run has failed, knows how long its phases took, and cannot go on."""
    run = loop(gates=[Gate("g", lambda turn: 1 / 0)]).start(task())
    with pytest.raises(ZeroDivisionError):
        await run.go()
    assert (run.status, run.reason, [*run.iterations[0].timings_ms]) == (
        "failed",
        "raised",
        ["build", "snapshot", "verify"],
    )
    with pytest.raises(RuntimeError, match="run run-7 is failed; it cannot go on"):
        await run.go()


async def test_a_gate_has_to_say_yes_or_no() -> None:
    """Anything else is a mistake of whoever wrote it, and no verdict."""
    with pytest.raises(TypeError, match="gate 'g' returned NoneType; return True or False"):
        await Loop(build, [Gate("g", lambda turn: None)]).run(task())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loop(build, []), "there is no gate"),
        (lambda: Loop(build, [Gate("g", _green), Gate("g", _red)]), "two gates are named 'g'"),
        (lambda: Loop(build, [Gate("verify", _green)]), "a gate is named 'verify', like a phase"),
        (lambda: loop().start(task(strategy="hope")), "there is no strategy 'hope'; there are fixed, until_green, whi"),
        (lambda: task(goal=" "), "goal is empty"),
        (lambda: task(max_iterations=0), "max_iterations is 0; give a whole number from 1"),
        (lambda: task(max_iterations=True), "max_iterations is True"),
        (lambda: task(run_id=""), "run_id is empty"),
        (lambda: loop().restore({}), "this is not the data of a run: KeyError"),
        (lambda: loop().restore({"task": {"goal": "x", "run_id": "r"}, "question": 3}), "not the data of a run"),
    ],
)
def test_a_bad_setup_is_told_at_once(make: Any, message: str) -> None:
    """Naming the value."""
    with pytest.raises(ValueError, match=message):
        make()


# Cancels


async def test_a_cancel_stops_a_phase_in_the_middle() -> None:
    """A coroutine is stopped where it waits, from another thread; the outcome says who asked."""
    stuck = Stuck()
    run = loop(build=stuck).start(task())
    outcome = await cancelled(stuck, run)
    assert (outcome.status, outcome.reason, outcome.iterations[0].done) == ("cancelled", "cancelled by operator", [])
    assert run.cancellation.latency_s == pytest.approx(0.002)
    assert run.cancel("again") is False


async def test_a_cancel_is_obeyed_between_phases() -> None:
    """A function that does not look ends its phase, and no other begins."""
    run: Run

    def ask_to_stop(turn: Turn) -> str:
        run.cancel("operator")
        return "built"

    run = loop(build=ask_to_stop).start(task())
    outcome = await run.go()
    assert (outcome.status, [*outcome.iterations[0].timings_ms]) == ("cancelled", ["build"])


async def test_a_function_can_look_whether_to_stop() -> None:
    """In the middle of its phase."""
    entered = threading.Event()

    def patient(turn: Turn) -> None:
        entered.set()
        turn.cancel.wait(60)
        turn.cancel.check()

    run = loop(build=patient).start(task())
    going = asyncio.ensure_future(run.go())
    await asyncio.to_thread(entered.wait)
    assert run.cancel() is True
    assert (await going).reason == "cancelled by user"


async def test_a_run_that_has_not_begun_obeys_when_it_would() -> None:
    """Nothing of it is done."""
    run = loop().start(task())
    run.cancel("operator")
    outcome = await run.go()
    assert (outcome.status, outcome.iterations) == ("cancelled", ())
    assert run.cancel("operator") is False


async def test_whoever_waits_may_be_cancelled_itself() -> None:
    """The task gets its CancelledError, and the run is over."""
    stuck = Stuck()
    run = loop(build=stuck).start(task())
    going = asyncio.ensure_future(run.go())
    await stuck.entered.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert (run.status, run.reason) == ("cancelled", "cancelled by caller")


# Pauses


async def _to_the_question(run: Run) -> Outcome:
    outcome = await run.go()
    assert outcome.status == "paused"
    return outcome


def _asking(calls: list[str]) -> Loop:
    def count(turn: Turn) -> str:
        calls.append(turn.name)
        return turn.name

    def approve(turn: Turn) -> tuple[bool, str]:
        calls.append(turn.name)
        answer = turn.ask("Ship it?")
        return answer.is_yes, str(answer.value)

    gates = [
        Gate("quick", lambda turn: bool(count(turn))),
        Gate("approval", approve),
        Gate("last", lambda turn: bool(count(turn))),
    ]
    return Loop(count, gates, verify=count, snapshot=count)


async def test_a_question_pauses_a_run_and_the_answer_has_it_go_on_where_it_was() -> None:
    """What was done is not done again, but for the gate that asked."""
    calls: list[str] = []
    run = _asking(calls).start(task())
    paused = await _to_the_question(run)
    assert paused.question is not None
    assert (paused.question.text, paused.question.origin) == ("Ship it?", "approval")
    assert calls == ["build", "snapshot", "verify", "quick", "approval"]

    assert run.answer(Answer("edited", "with care")) == paused.question
    outcome = await run.go()
    assert calls[5:] == ["approval", "last"]
    assert (outcome.status, outcome.question, run.segments) == ("succeeded", None, 2)
    assert outcome.iterations[0].verdicts[1] == Verdict("approval", passed=True, note="with care")


async def test_a_paused_run_goes_on_elsewhere() -> None:
    """Its data is plain, survives JSON, and is a run again, under its id, in another process."""
    calls: list[str] = []
    run = _asking(calls).start(task())
    await _to_the_question(run)
    kept = json.loads(json.dumps(run.as_dict()))

    again = _asking(calls).restore(kept)
    assert (again.status, again.task, again.segments, again.as_dict()) == ("paused", run.task, 1, kept)
    again.answer(Answer("rejected"))
    going_on = json.loads(json.dumps(again.as_dict()))
    outcome = await _asking(calls).restore(going_on).go()
    assert outcome.iterations[0].verdicts[1] == Verdict("approval", passed=False, note="None")
    assert calls[5:7] == ["approval", "last"]


async def test_a_run_whose_process_died_goes_on_after_the_last_phase_that_was_done() -> None:
    """Data that was taken while it was running is good enough."""
    kept: list[dict[str, Any]] = []
    run: Run

    def keep(turn: Turn) -> bool:
        kept.append(run.as_dict())
        return True

    run = loop(gates=[Gate("g", keep)]).start(task())
    await run.go()
    built: list[str] = []
    again = loop(build=lambda turn: built.append(turn.name), gates=[Gate("g", _green)]).restore(kept[0])
    assert (await again.go()).status == "succeeded"
    assert built == []


async def test_a_run_that_waits_cannot_go_on_without_an_answer_and_takes_the_first_one() -> None:
    """A second answer, an answer that nobody asked for, and going on too early are mistakes."""
    run = _asking([]).start(task())
    with pytest.raises(RuntimeError, match="run run-7 has no open question"):
        run.answer(Answer())
    await _to_the_question(run)
    with pytest.raises(RuntimeError, match="run run-7 waits for an answer; it cannot go on"):
        await run.go()
    run.answer(Answer("rejected"))
    with pytest.raises(RuntimeError, match="no open question"):
        run.answer(Answer("approved"))


async def test_a_run_that_waits_can_be_stopped() -> None:
    """It obeys when it is asked to go on, answer or not, also in another process."""
    run = _asking([]).start(task())
    await _to_the_question(run)
    run.cancel("operator")
    elsewhere = _asking([]).restore(json.loads(json.dumps(run.as_dict())))
    for each in (run, elsewhere):
        assert (await each.go()).reason == "cancelled by operator"


async def test_a_question_that_was_swallowed_pauses_all_the_same() -> None:
    """Code between the question and the run may catch everything."""

    def careless(turn: Turn) -> str:
        try:
            return str(turn.ask("Really?").value)
        except Paused:
            return "whatever"

    run = loop(build=careless, gates=[Gate("g", _green)]).start(task())
    await _to_the_question(run)
    run.answer(Answer("responded", "yes"))
    assert (await run.go()).iterations[0].results["build"] == "yes"


async def test_several_questions_of_one_phase_are_answered_one_after_the_other() -> None:
    """Each call gets the answers so far, in the order of its questions."""

    def twice(turn: Turn) -> str:
        return f"{turn.ask('One?').value}{turn.ask('Two?').value}"

    run = loop(build=twice, gates=[Gate("g", _green)]).start(task())
    for value in (1, 2):
        assert (await _to_the_question(run)).question is not None
        run.answer(Answer(value=value))
    assert (await run.go()).iterations[0].results["build"] == "12"


def test_an_iteration_is_green_only_once_it_is_verified() -> None:
    """No verdict is no success."""
    iteration = Iteration(1)
    assert iteration.success is False
    iteration.verdicts.append(Verdict("g", passed=True))
    assert (iteration.success, iteration.passed) == (False, 1)
    iteration.done.append("verify")
    assert iteration.success is True


def test_ids_are_made_where_none_is_given() -> None:
    """Two tasks are two runs."""
    assert Task(goal="x").run_id != Task(goal="x").run_id
