"""Sorts out which signals want to be told of what; must not know what there is to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from otel_agents import guard
from otel_agents.operation import Fact, Operation, Run, Signal
from otel_agents.semconv.events import EVENTS


@runtime_checkable
class Expecting(Protocol):
    """A signal that wants to know of facts that may happen, and have not."""

    def expects(self, fact: Fact) -> None: ...


Told = tuple[Callable[[Operation], None], ...]


class Audience:
    """The methods to call, in the order in which signals are told of starts; of ends they are told in reverse.

    ``happened`` is by name of the event type. At most one signal carries context around host code, by ``enter`` and
    ``leave``. A method that a signal does not override is never called.
    """

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        all_ = tuple(signals)
        self.started: Told = tuple(s.started for s in all_ if type(s).started is not Signal.started)
        self.ended: Told = tuple(s.ended for s in reversed(all_) if type(s).ended is not Signal.ended)
        self.happened: Mapping[str, tuple[Callable[[Fact], None], ...]] = {
            row.name: tuple(take for s in all_ for take in s.takers(row)) for row in EVENTS
        }
        self.expects = tuple(s.expects for s in all_ if isinstance(s, Expecting))
        carrier = next((s for s in all_ if type(s).enter is not Signal.enter), None)
        self.enter = carrier.enter if carrier is not None else None
        self.leave = carrier.leave if carrier is not None else None
        self._used = [s.used for s in all_ if type(s).used is not Signal.used]

    def used(self, run: Run, input_tokens: int, output_tokens: int) -> None:
        """A model was called."""
        for used in self._used:
            guard.run("signals.used", used, run, input_tokens, output_tokens)
