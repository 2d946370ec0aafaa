"""An orchestrator as a team writes it for itself, with every shape of a call; `targets.yaml` names its methods."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.transparency.step import Here


class PlanRefusedError(Exception):
    """The plan breaks a rule."""


@dataclass
class Plan:
    """What is to be done."""

    version: int
    steps: list[str] = field(default_factory=list)


class Engine:
    """Runs a job, in a function or in a coroutine."""

    def __init__(self, here: Here) -> None:
        self.here, self.current = here, "coordinator"

    def run(self, job: str) -> Any:
        plan = self.plan(job)
        self.hand_over("worker")
        with self.room("room"):
            return [self.work(step) for step in plan.steps], list(self.stream("stream"))

    async def arun(self, job: str) -> Any:
        plan = self.plan(job)
        self.hand_over("worker")
        async with self.aroom("room"):
            done = [await self.awork(step) for step in plan.steps]
            streamed = [item async for item in self.astream("stream")]
        return done, streamed, await self.promised("promise")

    def plan(self, job: str) -> Plan:
        for version in (1, 2):
            try:
                return self.propose(job, version)
            except PlanRefusedError:
                self.here.tell("refused")
        raise LookupError(job)

    def propose(self, job: str, version: int) -> Plan:
        if version == 1:
            raise PlanRefusedError(job)
        return Plan(version, ["one", "two"])

    def hand_over(self, to: str) -> None:
        self.current = to

    def work(self, step: str) -> str:
        return self.here.now(step)

    async def awork(self, step: str) -> str:
        return await self.here.later(step)

    def stream(self, name: str) -> Iterator[str]:
        yield self.here.now(name)
        yield "more"

    async def astream(self, name: str) -> AsyncIterator[str]:
        yield await self.here.later(name)
        yield "more"

    @contextmanager
    def room(self, name: str) -> Iterator[None]:
        self.here.tell("enters")
        try:
            yield
        finally:
            self.here.tell("leaves")

    @asynccontextmanager
    async def aroom(self, name: str) -> AsyncIterator[None]:
        self.here.tell("enters")
        try:
            yield
        finally:
            await asyncio.sleep(0)
            self.here.tell("leaves")

    def promised(self, step: str) -> Awaitable[str]:
        return self.here.later(step)

    def warn_caller(self) -> None:
        warnings.warn("call something else", DeprecationWarning, stacklevel=2)
        logging.getLogger("host").warning("the caller is named", stacklevel=2)


async def _broken_off(here: Here) -> Any:
    stream: Any = Engine(here).astream("stream")
    first = await anext(stream)
    await stream.aclose()
    return first


def _warned(here: Here) -> Any:
    return Engine(here).warn_caller()


def _dropped(here: Here) -> Any:
    stream = Engine(here).stream("stream")
    return next(stream)


async def _forgotten(here: Here) -> Any:
    Engine(here).arun("job")  # type: ignore[unused-coroutine]  # which is what a host may forget, too
    return "never awaited"


SYNC = {"run": lambda here: Engine(here).run("job"), "dropped": _dropped, "warned": _warned}
ASYNC = {"arun": lambda here: Engine(here).arun("job"), "broken off": _broken_off, "forgotten": _forgotten}
