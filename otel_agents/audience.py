"""Tells signals what happens, each guarded from the others; must not know what there is to tell."""

from __future__ import annotations

from collections.abc import Iterable

from otel_agents import guard
from otel_agents.operation import Fact, Operation, Run, Signal


class Audience:
    """The signals, in the order in which they are told of starts; of ends they are told in reverse.

    At most one signal carries context around host code. A method that a signal does not override is never called.
    """

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        all_ = tuple(signals)
        self._started = [s.started for s in all_ if type(s).started is not Signal.started]
        self._ended = [s.ended for s in reversed(all_) if type(s).ended is not Signal.ended]
        self._happened = [s.happened for s in all_ if type(s).happened is not Signal.happened]
        self._used = [s.used for s in all_ if type(s).used is not Signal.used]
        self._carrier = next((s for s in all_ if type(s).enter is not Signal.enter), None)

    def started(self, operation: Operation) -> None:
        """An operation starts."""
        for started in self._started:
            guard.run("signals.started", started, operation)

    def ended(self, operation: Operation) -> None:
        """An operation ended."""
        for ended in self._ended:
            guard.run("signals.ended", ended, operation)

    def happened(self, fact: Fact) -> None:
        """Something happened."""
        for happened in self._happened:
            guard.run("signals.happened", happened, fact)

    def used(self, run: Run, input_tokens: int, output_tokens: int) -> None:
        """A model was called."""
        for used in self._used:
            guard.run("signals.used", used, run, input_tokens, output_tokens)

    def enter(self, operation: Operation) -> object:
        """Host code of an operation runs from here."""
        return None if self._carrier is None else guard.run("signals.enter", self._carrier.enter, operation)

    def leave(self, operation: Operation, carried: object) -> None:
        """Host code of an operation stops running."""
        if self._carrier is not None:
            guard.run("signals.leave", self._carrier.leave, operation, carried)
