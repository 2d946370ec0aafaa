"""Takes messages and calls in, has agents answer them, and stops them when asked; must not know what agents do."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from otel_agents.runtime.cancelling import Cancelled, Clock, awaited, perform
from otel_agents.runtime.gateway.calls import METHODS
from otel_agents.runtime.gateway.messages import GATEWAY, Agent, GatewayError, Message, Reply, Request
from otel_agents.runtime.gateway.rules import MAX_WAITING, Rule, Rules, Skip
from otel_agents.runtime.gateway.run import Run, Status
from otel_agents.runtime.gateway.sessions import MAX_HISTORY, MAX_SESSIONS, Session, Sessions, Turn

MAX_RUNS: Final = 1000  # that are over and can still be asked for
STOP_COMMAND: Final = "stop_command"
SHUTDOWN: Final = "shutdown"


class Gateway:
    """Agents behind channels. For one event loop.

    Args:
        agents: By name: functions, which run in threads, or coroutine functions, of a `Request`; they return a text.
        rules: Which messages start which agent; the first that fits.
        name: What its runs are called.
        timeout_s: How long an agent may take.
        max_waiting: Runs that may wait in a session for the one before them.
        max_sessions: Sessions that are remembered.
        max_history: Turns that a session remembers.
        new_id: Makes the ids of runs.
        clock: Monotonic seconds, for cooldowns.

    Raises:
        ValueError: A rule names an agent that there is not, or two rules have the same name.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent],
        rules: Iterable[Rule] = (),
        *,
        name: str = "gateway",
        timeout_s: float | None = None,
        max_waiting: int = MAX_WAITING,
        max_sessions: int = MAX_SESSIONS,
        max_history: int = MAX_HISTORY,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.rules = Rules(rules, max_waiting=max_waiting, clock=clock)
        self.sessions = Sessions(max_sessions, max_history)
        self._agents = dict(agents)
        self._timeout_s = timeout_s
        self._new_id = new_id
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        for rule in self.rules.rules:
            if rule.agent not in self._agents:
                raise ValueError(f"rule {rule.name!r} names the agent {rule.agent!r}; there are {sorted(self._agents)}")

    # From channels

    async def receive(self, message: Message) -> Reply:
        """Take in a message: obey ``/stop``, or have the agent answer whose rule fits, or say why none does."""
        session = self.sessions.of(message.channel, message.conversation or message.sender)
        if message.is_stop:
            stopped = self.stop(session, STOP_COMMAND)
            return Reply("stopped", f"Stopping {stopped}." if stopped else "Nothing to stop.")
        found = self.rules.match(message, session)
        if isinstance(found, Skip):
            return Reply("skipped", reason=found.reason)
        run = Run(self._new_id(), found.rule.agent, message.text, session, sender=message.sender, match=found)
        run.correlation_id = message.correlation_id
        self._accept(run)
        return await self.wait(run)

    # From the gateway itself

    async def call(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a call that came over the gateway's own interface, such as ``agent.send``; returns plain data.

        Raises:
            GatewayError: It cannot be carried out; the code says why.
        """
        known = METHODS.get(method)
        if known is None:
            raise GatewayError("unknown_method", f"there is no {method!r}; there are {', '.join(sorted(METHODS))}")
        return await known(self, params)

    def send(self, agent: str, text: str, *, session: str = "main", correlation_id: str = "") -> Run:
        """Start an agent at once, without any rule; returns its run, which goes on by itself.

        Raises:
            GatewayError: There is no such agent, or too many runs wait in the session.
        """
        if agent not in self._agents:
            raise GatewayError("unknown_agent", f"there is no agent {agent!r}; there are {sorted(self._agents)}")
        place = self.sessions.of(GATEWAY, session)
        if self.rules.is_busy(place):
            raise GatewayError("busy", f"{len(place.runs)} runs wait in session {session!r}")
        run = Run(self._new_id(), agent, text, place)
        run.correlation_id = correlation_id
        self._accept(run)
        return run

    async def wait(self, run: Run) -> Reply:
        """Wait until a run is over, and return what came of it; whoever stops waiting does not stop the run."""
        await run.over.wait()
        if run.status == "failed":
            return Reply("failed", run_id=run.id, reason=type(run.error).__name__)
        return Reply("replied" if run.status == "completed" else "cancelled", run.reply, run.id)

    def find(self, run_id: str) -> Run:
        """Return a run that goes on, or was over not long ago.

        Raises:
            GatewayError: There is none.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise GatewayError("not_found", f"there is no run {run_id!r}")
        return run

    # Stopping

    def stop(self, session: Session, source: str) -> int:
        """Ask all runs of a session to stop, the waiting ones, too; returns how many had not been asked before."""
        return sum(run.cancel(source) for run in tuple(session.runs))

    async def close(self) -> None:
        """Ask everything to stop, also what begins meanwhile, and wait until it has."""
        while self._tasks:
            for session in self.sessions.all():
                self.stop(session, SHUTDOWN)
            await asyncio.wait(self._tasks)

    # Runs

    def _accept(self, run: Run) -> None:
        run.session.runs.append(run)
        self._runs[run.id] = run
        if len(self._runs) > MAX_RUNS + len(self._tasks) + 1:
            oldest = next(known for known in self._runs.values() if known.over.is_set())
            del self._runs[oldest.id]
        task = asyncio.create_task(self.execute(run))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._finish(run, task))

    def _finish(self, run: Run, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        run.session.runs.remove(run)
        run.before = ()  # they are over, too: a session that is never quiet would keep all that it ever had
        run.error = None if task.cancelled() else task.exception()
        run.over.set()

    async def execute(self, run: Run) -> Run:
        """Wait for the run's turn and have its agent answer. A run that was asked to stop returns, too.

        Raises:
            Exception: Whatever the agent raises, or TimeoutError.
        """
        run.status = "running"
        ending: Status = "failed"
        try:
            for earlier in run.before:
                await awaited(earlier.over.wait(), run.cancellation)
            run.cancellation.check()
            run.reply = await self.invoke(run)
            run.session.history.append(Turn(run.text, run.reply))
            ending = "completed"
        except Cancelled:
            run.acknowledge()
            ending = "cancelled"
        except asyncio.CancelledError:
            ending = "cancelled"
            raise
        finally:
            run.status = ending
        return run

    async def invoke(self, run: Run) -> str:
        """Have the agent answer."""
        history = tuple(run.session.history)
        request = Request(run.text, run.id, run.session.key, run.sender, history, run.cancellation)
        async with asyncio.timeout(self._timeout_s):
            return str(await perform(self._agents[run.agent], request, cancel=run.cancellation))
