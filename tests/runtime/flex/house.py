"""A small flex house for tests: capabilities that do as they are told, and a coordinator over a real database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from otel_agents.runtime.flex.capabilities import Capability, Registry, Task
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.engine import Clock
from otel_agents.runtime.flex.envelope import TaskEnvelope, read_envelope
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.planner import Planner
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.store import Store

TEXT = {"type": "string", "minLength": 1}
# Capability -> the facets that it takes and gives: a diamond.
SHAPE: dict[str, tuple[tuple[str, ...], str]] = {
    "dig": (("objective",), "ore"),
    "melt": (("ore",), "metal"),
    "wash": (("ore",), "stone"),
    "build": (("metal", "stone"), "wall"),
}


async def as_told(task: Task) -> dict[str, Any]:
    """Give the facet of the capability, with what is known of the attempt as its text."""
    capability = task.node_id.partition("-")[0]
    return {SHAPE[capability][1]: f"{capability} {task.attempt}"}


@dataclass
class House:
    """What tests look at.

    Attributes:
        works: Capability -> what it does; `as_told` unless it is here.
        special: Capability -> what is special about it.
        calls: Capability -> how often it was executed.
        slept: The seconds of every pause of the engine.
        tasks: What capabilities were given.
        has_slept: Set at the first pause.
    """

    works: dict[str, Callable[[Task], Any]] = field(default_factory=dict)
    special: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    slept: list[float] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    has_slept: asyncio.Event = field(default_factory=asyncio.Event)

    def registry(self) -> Registry:
        """Return the capabilities of the diamond."""
        registry = Registry([Facet(facet, facet.title(), TEXT) for _, facet in SHAPE.values()])
        for name, (taken, given) in SHAPE.items():
            row: dict[str, Any] = {"id": name, "label": name.title(), "kind": "step", "run": self._counted(name)}
            row |= {"input": taken, "output": (given,)}
            registry.add(Capability(**row | self.special.get(name, {})))
        return registry

    def _counted(self, name: str) -> Callable[[Task], Any]:
        async def run(task: Task) -> Any:
            self.calls[name] += 1
            self.tasks.append(task)
            result = self.works.get(name, as_told)(task)
            return await result if asyncio.iscoroutine(result) else result

        return run

    async def sleep(self, seconds: float) -> None:
        """Pass no time."""
        self.slept.append(seconds)
        self.has_slept.set()
        await asyncio.sleep(0)

    @asynccontextmanager
    async def coordinator(
        self, store: Store, planner: Planner | None = None, **settings: Any
    ) -> AsyncIterator[Coordinator]:
        """Run a coordinator of its own, as a process would."""
        clock = Clock(sleep=self.sleep, chance=lambda: 0.0)
        made = Coordinator(store, self.registry(), Settings(**settings), planner, clock=clock)
        await made.start()
        try:
            yield made
        finally:
            await made.stop(grace_s=5)


def envelope(**fields: Any) -> TaskEnvelope:
    """Return an envelope as a caller would send it."""
    return read_envelope({"objective": "a wall", **fields})


def policy(policy_id: str, when: str, action: str, **more: Any) -> dict[str, Any]:
    """Return a policy: `more` are the trigger's selector and condition, and the fields of the action."""
    trigger = {name: more.pop(name) for name in ("selector", "condition") if name in more}
    return {"id": policy_id, "trigger": {"kind": when, **trigger}, "action": {"type": action, **more}}


def policies(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an envelope that holds runtime policies."""
    return {"policies": {"runtime": list(rows)}}


async def frames_of(coordinator: Coordinator, run_id: str, after: int = 0) -> list[Frame]:
    """Return the frames of a segment, once it has ended."""
    async with asyncio.timeout(100):
        return [frame async for frame in coordinator.frames(run_id, after)]


async def run(coordinator: Coordinator, **fields: Any) -> list[Frame]:
    """Accept a run, and return its frames up to its first ending."""
    accepted = await coordinator.accept(envelope(**fields))
    return await frames_of(coordinator, accepted.run_id)


async def until(coordinator: Coordinator, run_id: str, status: str, after: int = 0) -> list[Frame]:
    """Return the frames up to the ending with a status, whoever executes the segments until then."""
    frames = []
    async with asyncio.timeout(100), aclosing(coordinator.store.journal.follow(run_id, after)) as following:
        async for frame in following:
            frames.append(frame)
            if frame.type == "complete" and frame.status == status:
                break
    return frames


def story(frames: list[Frame]) -> list[str]:
    """Return what the frames say in short: type, node or policy, and how a node or the run ended."""
    return [" ".join(part for part in (frame.type, _about(frame), _ended(frame)) if part) for frame in frames]


def _about(frame: Frame) -> str:
    return frame.node_id or frame.payload.get("policyId") or frame.payload.get("phase") or frame.message or ""


def _ended(frame: Frame) -> str | None:
    return frame.status if frame.type in {"node_complete", "complete"} else None


def kinds(frames: list[Frame]) -> Counter[str]:
    """Count the frames by type."""
    return Counter(frame.type for frame in frames)
