"""What is looked up when somebody collects: runs, questions, agents, process, us; must not know OpenTelemetry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from otel_agents import guard
from otel_agents.lineage import own
from otel_agents.operation import Fact, Operation
from otel_agents.pauses import PauseStore, Pending
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.model import Metric
from otel_agents.signals.metrics.agents import ACTIVE, GONE, Agent, Agents
from otel_agents.signals.metrics.process import Process

MEGABYTE: Final = 1_000_000
EVERY_NS: Final = 1_000_000_000  # a pause store may be a database: it is asked at most once a second
# A series that could never be 1 says nothing: who is gone has no series at all.
LIVING: Final = tuple(status for status in OURS[a.YOLO_AGENT_STATUS].values if status != GONE)

Seen = Iterator[tuple[float, tuple[object, ...]]]  # amount and label values, in the order of the metric's row
PatchPoints = Callable[[], Mapping[tuple[str, str], int]]  # number of patch points by adapter and state
Dropped = Callable[[], Mapping[str, int]]  # number of events that were dropped by subscriber


class Recorder(Protocol):
    """What is needed of the recorder."""

    @property
    def open(self) -> Iterable[Operation]: ...
    @property
    def wall_ns(self) -> Callable[[], int]: ...
    @property
    def clock_ns(self) -> Callable[[], int]: ...


class Observed:
    """The sources of the observable instruments.

    ``runtimes`` are those that are reported also while nothing of them runs: with 0, since a series that comes and
    goes with the runs would end an alert by its absence, and a dashboard could not tell idle from broken.
    """

    def __init__(self, recorder: Recorder, pauses: PauseStore, patch_points: PatchPoints, dropped: Dropped) -> None:
        self.runtimes: dict[str, None] = {}
        self.agents = Agents(self._now_ns)
        self.patch_points = patch_points
        self.dropped = dropped
        self.process = Process()
        self._recorder = recorder
        self._pauses = pauses
        self._asked_ns: int | None = None
        self._pending: Mapping[str, Pending] | None = None

    def look(self, metric: Metric) -> Seen:
        """Return what there is to say of an observable metric, now."""
        return LOOKS[metric.name](self)

    def runs(self) -> dict[str, list[Operation]]:
        """Return the running runs by runtime."""
        found: dict[str, list[Operation]] = {runtime: [] for runtime in list(self.runtimes)}
        for run in own(self._recorder.open):
            if run.began_ns and not run.outcome:
                found.setdefault(run.runtime, []).append(run)
        return found

    def longest_s(self, since_ns: Callable[[Operation], int]) -> Seen:
        """Yield by runtime the longest time since a moment in each running run."""
        now_ns = self._recorder.clock_ns()
        for runtime, runs in self.runs().items():
            yield max((now_ns - since_ns(run) for run in runs), default=0) / 1e9, (runtime,)

    def asked(self, fact: Fact) -> None:
        """Take in that this process asked or was answered: what is known of the questions is old."""
        self._asked_ns = None

    def pending(self) -> Mapping[str, Pending]:
        """Return the open questions by runtime, at most a second old; empty while the store fails."""
        now_ns = time.monotonic_ns()
        if self._asked_ns is None or now_ns - self._asked_ns >= EVERY_NS:
            self._asked_ns, self._pending = now_ns, guard.run("pauses.pending", self._pauses.pending)
        if self._pending is None:
            return {}
        wall_ns = self._recorder.wall_ns()
        return {runtime: Pending(0, wall_ns) for runtime in list(self.runtimes)} | dict(self._pending)

    def oldest_s(self) -> Seen:
        """Yield by runtime the age of the oldest open question."""
        for runtime, pending in self.pending().items():
            age_ns = self._recorder.wall_ns() - pending.oldest_ns if pending.count else 0
            yield max(age_ns, 0) / 1e9, (runtime,)

    def _now_ns(self) -> int:
        return self._recorder.clock_ns()


def _began(run: Operation) -> int:
    return run.began_ns


def _touched(run: Operation) -> int:
    return run.run.touched_ns or run.began_ns


def _statuses(observed: Observed) -> Seen:
    for name, agent in observed.agents.living().items():
        for status in LIVING if agent.status else ():
            yield int(agent.status == status), (name, status)


def _known(observed: Observed, size: Callable[[Agent], float | None]) -> Seen:
    for name, agent in observed.agents.living().items():
        amount = size(agent)
        if amount is not None:
            yield amount, (name,)


def _one(amount: float | None) -> Seen:
    if amount is not None:
        yield amount, ()


def _memory(observed: Observed) -> Seen:
    used = observed.process.look().memory_bytes
    return _one(None if used is None else used / MEGABYTE)


LOOKS: Final[Mapping[str, Callable[[Observed], Seen]]] = MappingProxyType(
    {
        m.RUN_ACTIVE.name: lambda o: ((len(runs), (runtime,)) for runtime, runs in o.runs().items()),
        m.RUN_OLDEST_AGE.name: lambda o: o.longest_s(_began),
        m.RUN_LAST_PROGRESS_AGE.name: lambda o: o.longest_s(_touched),
        m.HITL_PENDING.name: lambda o: ((each.count, (runtime,)) for runtime, each in o.pending().items()),
        m.HITL_OLDEST_AGE.name: lambda o: o.oldest_s(),
        m.AGENTS_ACTIVE.name: lambda o: _one(sum(each.status == ACTIVE for each in o.agents.living().values())),
        m.AGENT_STATUS_INFO.name: _statuses,
        m.AGENT_ACTIVE_TIME.name: lambda o: ((spent, (name,)) for name, spent in o.agents.active_s().items()),
        m.CONTEXT_TOKENS.name: lambda o: _known(o, lambda agent: agent.tokens),
        m.CONTEXT_ITEMS.name: lambda o: _known(o, lambda agent: agent.items),
        m.MEMORY_USAGE.name: _memory,
        m.CPU_USAGE.name: lambda o: _one(o.process.look().cpu_percent),
        m.PATCH_POINTS.name: lambda o: ((count, point) for point, count in o.patch_points().items()),
        m.EVENTS_DROPPED.name: lambda o: ((count, (name,)) for name, count in o.dropped().items()),
        m.GUARD_ERRORS.name: lambda o: ((count, (place,)) for place, count in guard.errors().items()),
    }
)
