"""Watches a program to its end and shows its story; must not know commands or their options."""

from __future__ import annotations

import json
import os
import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from otel_agents import guard
from otel_agents.cli.child import Child
from otel_agents.cli.story import Line, Story
from otel_agents.cli.views import View

CHUNK: Final = 1 << 18
TICK_S: Final = 0.125
DRAIN_S: Final = 2.0  # processes that the program left behind may still be telling
MAX_LINE: Final = 1 << 20

Environment = Callable[[int, str], Mapping[str, str]]
Each = Callable[[Child], None]


class Lines:
    """Cuts what comes through a pipe into lines."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self.is_over = False

    def read(self) -> Iterator[Line]:
        """Return the lines that are there now. What is no JSON object is left out and counted by the guard."""
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        self.is_over = not data
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        for text in whole:
            line = guard.run("cli.line", json.loads, text)
            if isinstance(line, dict):
                yield line


class Watch:
    """One program from its start to its end."""

    def __init__(self, child: Child, story: Story, view: View, each: Each | None = None) -> None:
        self._child = child
        self._story = story
        self._view = view
        self._each = each or _nothing
        self._lines = Lines(child.reading)
        self._selector = selectors.DefaultSelector()
        self._selector.register(child.reading, selectors.EVENT_READ)
        self._selector.register(child.wake, selectors.EVENT_READ)

    def run(self) -> int:
        """Return how the program ended, negative for a signal."""
        while (status := self._child.poll()) is None:
            self._wait(TICK_S)
            guard.run("cli.view", self._view.tick)  # nobody may be left to see it: the program goes on
            self._each(self._child)
        until_s = time.monotonic() + DRAIN_S
        while self._wait(0) and time.monotonic() < until_s:
            pass
        self._selector.close()
        return status

    def _wait(self, timeout_s: float) -> bool:
        """Take in what is there; False when there was nothing."""
        ready = {key.fd for key, _ in self._selector.select(timeout_s)}
        if self._child.wake in ready:
            os.read(self._child.wake, CHUNK)
        if self._child.reading not in ready:
            return False
        for line in self._lines.read():
            told = guard.run("cli.story", self._story.add, line)
            guard.run("cli.view", self._view.told, line, told)
        if self._lines.is_over:
            self._selector.unregister(self._child.reading)
        return not self._lines.is_over


def watch(
    command: Sequence[str], environment: Environment, story: Story, view: View, *, each: Each | None = None
) -> int:
    """Run a program and show its story while it runs; returns how it ended, negative for a signal.

    `each` is called several times a second, with the child.

    Raises:
        StartError: The program is missing or cannot be executed.
    """
    child = Child(command, environment)
    child.on_stop = view.clear
    try:
        return Watch(child, story, view, each).run()
    finally:
        child.close()


def _nothing(child: Child) -> None:
    pass
