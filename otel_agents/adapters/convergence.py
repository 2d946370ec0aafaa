"""The converging runs that come along: runs, iterations, phases, gates, deliveries, cancels; must not know signals.

Nothing of the runtime is imported: it is watched like anybody else's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from otel_agents import cancels, questions
from otel_agents.lineage import current_in
from otel_agents.operation import CANCELLED, ERROR, OK, PAUSED, Identity, Operation
from otel_agents.patching.table import Adapter, Call, Patch, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import kinds as k

RUNTIME: Final = "convergence"
RUN: Final = "otel_agents.runtime.convergence.run:Run"
PAUSES: Final = ("otel_agents.runtime.convergence.turn:Paused",)
VERIFY: Final = "verify"
OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {"succeeded": OK, "failed": ERROR, "cancelled": CANCELLED, "paused": PAUSED}
)


def _key(run: Any) -> str:
    return f"{RUNTIME}:{run.task.run_id}"


# Runs


def before_run(call: Call) -> Start | None:
    """A run goes on, for the first time or again."""
    run, task = call.self, call.self.task
    if not run.can_go:
        return None  # a mistake of the caller, which raises
    values: dict[str, object] = {
        a.FLEX_RUN_STRATEGY: task.strategy,
        a.FLEX_RUN_MAX_ITERATIONS: task.max_iterations,
        a.FLEX_RUN_GOAL: task.goal,
    }
    links: tuple[str, ...] = ()
    if run.segments:
        values[a.FLEX_RUN_RESUMED] = True
        waiting = RECORDER.pauses.find(_key(run))
        links = tuple({pause.traceparent: None for pause in waiting if pause.traceparent})
    identity = Identity(RUNTIME, task.run_id, task.correlation_id, task.work_order_id)
    return Start(run.name, values, identity=identity, links=links)


def run_started(operation: Operation, call: Call) -> None:
    """Tell what was said to the run while it was not going on: an answer, or that it is to stop."""
    run = call.self
    question = run.desk.open
    if question is not None:
        answer = run.desk.answers.get(question.id)
        decision = "expired" if answer is None else answer.decision
        questions.answer(_key(run), question.id, decision, operation=operation)
    if run.cancellation.is_requested:
        cancels.wish_of(operation, run.cancellation.source)


def after_run(operation: Operation, call: Call, outcome: Any) -> str:
    """A run came to an end, or to a question."""
    run = call.self
    RECORDER.set(operation, _sums(run))
    if outcome.question is None:
        RECORDER.set(operation, {a.FLEX_RUN_REASON: outcome.reason})
    if outcome.status == "failed":
        RECORDER.set(operation, {g.ERROR_TYPE: outcome.reason})
    if outcome.question is not None:
        questions.ask(operation, _key(run), outcome.question.id, origin=outcome.question.origin)
    return OUTCOMES[outcome.status]


def failed_run(operation: Operation, call: Call, error: BaseException) -> None:
    """An exception left a run."""
    RECORDER.set(operation, _sums(call.self))


def _sums(run: Any) -> dict[str, object]:
    phases: dict[str, float] = {}
    for iteration in run.iterations:
        for phase, spent_ms in iteration.timings_ms.items():
            phases[phase] = round(phases.get(phase, 0.0) + spent_ms, 3)
    verdicts = [verdict.passed for iteration in run.iterations for verdict in iteration.verdicts]
    metrics = {
        "iterationCount": len(run.iterations),
        "totalDurationMs": run.duration_ms,
        "phaseDurationsMs": phases,
        "gatesPassed": sum(verdicts),
        "gatesFailed": len(verdicts) - sum(verdicts),
    }
    return {a.FLEX_RUN_ITERATIONS: len(run.iterations), a.FLEX_RUN_METRICS: metrics}


# Iterations, phases, gates, delivery


def before_iteration(call: Call) -> Start | None:
    """An iteration starts, or goes on after a pause."""
    if current_in(RUNTIME) is None:
        return None
    run, iteration = call.self, call.argument("iteration")
    values = {
        a.FLEX_ITERATION_NUMBER: iteration.number,
        a.FLEX_ITERATION_MAX: run.task.max_iterations,
        a.FLEX_ITERATION_FEEDBACK: iteration.feedback,
    }
    return Start("", values)


def after_iteration(operation: Operation, call: Call, result: object) -> None:
    """An iteration is done."""
    iteration = call.argument("iteration")
    RECORDER.set(operation, {a.FLEX_ITERATION_SUCCESS: iteration.success, **_results(iteration)})


def failed_iteration(operation: Operation, call: Call, error: BaseException) -> None:
    """An iteration stopped in the middle; one that waits for a human has not failed yet."""
    RECORDER.set(operation, _results(call.argument("iteration")))
    if not _pauses(call.self):
        operation.put(a.FLEX_ITERATION_SUCCESS, value=False)


def _results(iteration: Any) -> dict[str, object]:
    gates = [{"gate": verdict.gate, "passed": verdict.passed} for verdict in iteration.verdicts]
    return {
        a.FLEX_ITERATION_PHASE_TIMINGS: dict(iteration.timings_ms),
        a.FLEX_ITERATION_GATE_RESULTS: gates,
    }


def _pauses(run: Any) -> bool:
    return bool(run.desk.waits) and not run.cancellation.is_requested


def before_phase(call: Call) -> Start | None:
    """A phase starts."""
    return None if current_in(RUNTIME) is None else Start(call.argument("phase"))


def after_phase(operation: Operation, call: Call, result: object) -> None:
    """A phase is done; ``verify`` succeeds when all gates were passed."""
    is_verify, iteration = call.argument("phase") == VERIFY, call.argument("iteration")
    operation.put(a.FLEX_PHASE_SUCCESS, all(verdict.passed for verdict in iteration.verdicts) or not is_verify)


def failed_phase(operation: Operation, call: Call, error: BaseException) -> None:
    """A phase stopped in the middle."""
    if not _pauses(call.self):
        operation.put(a.FLEX_PHASE_SUCCESS, value=False)


def before_gate(call: Call) -> Start | None:
    """A gate is checked."""
    return None if current_in(RUNTIME) is None else Start(call.argument("gate").name)


def after_gate(operation: Operation, call: Call, verdict: Any) -> None:
    """A gate said what it thinks."""
    operation.put(a.FLEX_GATE_PASSED, verdict.passed)


def before_delivery(call: Call) -> Start | None:
    """The result is handed over."""
    return None if current_in(RUNTIME) is None else Start()


def after_delivery(operation: Operation, call: Call, delivery: Any) -> str:
    """The result was handed over, or could not be."""
    RECORDER.set(operation, dict(_delivered(delivery)))
    return OK if delivery.success else ERROR


def _delivered(delivery: Any) -> Iterator[tuple[str, object]]:
    yield a.FLEX_DELIVERY_SUCCESS, delivery.success
    if delivery.pr_url:
        yield a.FLEX_DELIVERY_PR_URL, delivery.pr_url
    if delivery.ci_status:
        yield a.FLEX_DELIVERY_CI_STATUS, delivery.ci_status
    if not delivery.success:
        yield g.ERROR_TYPE, "delivery_failed"


def failed_delivery(operation: Operation, call: Call, error: BaseException) -> None:
    """An exception came in between."""
    if not _pauses(call.self):
        operation.put(a.FLEX_DELIVERY_SUCCESS, value=False)


# Cancels


def before_cancel(call: Call) -> None:
    """Somebody asks a run to stop; told before the run can obey. One that does not go on now is told when it does."""
    run = call.self
    if not run.cancellation.is_requested:
        cancels.wish(RUNTIME, run.task.run_id, call.argument("source", "user"))


def after_acknowledge(_: None, call: Call, latency_s: float) -> None:
    """A run obeyed."""
    cancels.obeyed(RUNTIME, call.self.cancellation.source, latency_s)


PATCHES: Final = (
    Patch(
        f"{RUN}.go",
        k.RUN,
        "One call is one segment of a run: to its end, or to the next question.",
        before=before_run,
        started=run_started,
        after=after_run,
        failed=failed_run,
    ),
    Patch(
        f"{RUN}.iterate",
        k.ITERATION,
        "One call is one iteration, or what is left of it after a pause.",
        before=before_iteration,
        after=after_iteration,
        failed=failed_iteration,
        paused=PAUSES,
    ),
    Patch(
        f"{RUN}.go_through",
        k.PHASE,
        "One call is one phase, with its gates.",
        before=before_phase,
        after=after_phase,
        failed=failed_phase,
        paused=PAUSES,
    ),
    Patch(
        f"{RUN}.judge",
        k.GATE,
        "One call is one gate being checked.",
        before=before_gate,
        after=after_gate,
        paused=PAUSES,
    ),
    Patch(
        f"{RUN}.deliver",
        k.DELIVERY,
        "One call hands over the result.",
        before=before_delivery,
        after=after_delivery,
        failed=failed_delivery,
        paused=PAUSES,
    ),
    Patch(f"{RUN}.cancel", why="Called by whoever wants a run to stop, in any thread.", before=before_cancel),
    Patch(
        f"{RUN}.acknowledge",
        why="Called by the run itself when its work has stopped; knows how long that took.",
        after=after_acknowledge,
    ),
)

ADAPTER: Final = Adapter(
    name="convergence",
    runtime=RUNTIME,
    distribution="otel-agents",
    tested=("0.1", "0.1"),
    patches=PATCHES,
)
