"""What is known of living agents, fed by facts, read by gauges; must not know OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from otel_agents.operation import Fact
from otel_agents.semconv import agents as a
from otel_agents.signals.metrics.labels import OTHER
from otel_agents.signals.metrics.locking import lock
from otel_agents.signals.metrics.sources import number

ACTIVE: Final = "active"
IDLE: Final = "idle"
GONE: Final = "gone"
KEPT: Final = 10_000  # agents; what comes beyond is not known until others are gone


class Agent(NamedTuple):
    """A living agent: what was ``told`` of it last, "" for nothing yet, and how many nodes it works at.

    ``since_ns`` is the monotonic time since which it does what it does.
    """

    told: str = ""
    busy: int = 0
    since_ns: int = 0
    items: float | None = None
    tokens: float | None = None

    @property
    def status(self) -> str:
        """What it does: one that is idle is active while it works at a node, which nobody needs to tell."""
        return ACTIVE if self.busy and self.told == IDLE else self.told


class Agents:
    """Agents by name, and the time that each was active."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns  # monotonic: what feeds a counter must not go back when the wall clock is set
        self._living: dict[str, Agent] = {}
        self._active_ns: dict[str, int] = {}  # gone agents too: it feeds a counter

    def changed(self, fact: Fact) -> None:
        """Take in an ``agent_status``."""
        name, status = str(fact.attributes.get(a.YOLO_AGENT)), str(fact.attributes.get(a.YOLO_AGENT_STATUS))
        with lock():
            before = self._living.get(name, Agent())
            self._change(name, before, before._replace(told=status))

    def works(self, fact: Fact) -> None:
        """Take in a ``node_start``."""
        self._work(fact, 1)

    def rests(self, fact: Fact) -> None:
        """Take in a ``node_complete``."""
        self._work(fact, -1)

    def refreshed(self, fact: Fact) -> None:
        """Take in a ``context_refreshed``; what it does not say stays as it was."""
        name = str(fact.attributes.get(a.YOLO_AGENT))
        items, tokens = (number(fact.attributes.get(each)) for each in (a.YOLO_CONTEXT_ITEMS, a.YOLO_CONTEXT_TOKENS))
        with lock():
            before = self._living.get(name, Agent())
            items = before.items if items is None else items
            tokens = before.tokens if tokens is None else tokens
            self._keep(name, before._replace(items=items, tokens=tokens))

    def living(self) -> dict[str, Agent]:
        """Return the living agents, in the order in which they came."""
        with lock():
            return dict(self._living)

    def active_s(self) -> dict[str, float]:
        """Return the seconds that each agent was active so far, the stretch that goes on now included."""
        with lock():
            now_ns, spent_ns = self._clock_ns(), dict(self._active_ns)
            going_on = [(name, agent.since_ns) for name, agent in self._living.items() if agent.status == ACTIVE]
        for name, since_ns in going_on:
            spent_ns[name] = spent_ns.get(name, 0) + now_ns - since_ns
        return {name: each_ns / 1e9 for name, each_ns in spent_ns.items()}

    def _work(self, fact: Fact, nodes: int) -> None:
        if not self._living or fact.attributes.get(a.FLEX_NODE_KIND) != "agent":
            return
        name = str(fact.attributes.get(a.FLEX_CAPABILITY_ID))
        with lock():
            before = self._living.get(name)
            if before is not None:
                self._change(name, before, before._replace(busy=max(before.busy + nodes, 0)))

    def _change(self, name: str, before: Agent, after: Agent) -> None:
        now_ns = self._clock_ns()
        if before.status == ACTIVE:
            self._spend(name, now_ns - before.since_ns)
        if after.told == GONE:
            self._living.pop(name, None)
        else:
            self._keep(name, after._replace(since_ns=now_ns))

    def _keep(self, name: str, agent: Agent) -> None:
        if name in self._living or len(self._living) < KEPT:
            self._living[name] = agent

    def _spend(self, name: str, stretch_ns: int) -> None:
        key = name if name in self._active_ns or len(self._active_ns) < KEPT else OTHER
        self._active_ns[key] = self._active_ns.get(key, 0) + stretch_ns
