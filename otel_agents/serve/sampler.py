"""Where a program spends its time, looked up again and again from a thread of ours; must not know who asks.

pyinstrument itself only profiles the thread that starts it. What is sampled here is made into its session, so that
its reports can be had of a whole process, without changing what runs.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FrameType, MappingProxyType
from typing import Final

from pyinstrument.renderers import HTMLRenderer, SpeedscopeRenderer
from pyinstrument.session import Session

INTERVAL_S: Final = 0.005
MAX_STACKS: Final = 20_000
MAX_DEPTH: Final = 400
OUR_THREADS: Final = "otel-agents"
OTHER: Final = ("_other\x00\x000",)  # pyinstrument's form of a frame: function, file, line

# Names of threads and files come from the program: what would be the end of a field in a frame, or of the script that
# the page has them in.
_UNSAFE: Final = re.compile(r"[\x00\x01]|(?<=<)(?=[/!])")
# Of all threads to which nobody gave a name, those with the same work are one: a server may have one for each request.
_NUMBER: Final = re.compile(r"(?<=^Thread)-[0-9]+(?= \(|$)")

Stack = tuple[str, ...]

FORMATS: Final[Mapping[str, tuple[str, Callable[[Session], str]]]] = MappingProxyType(
    {
        "html": ("text/html; charset=utf-8", lambda session: HTMLRenderer().render(session)),
        "speedscope": ("application/json", lambda session: SpeedscopeRenderer().render(session)),
    }
)


class Sampler:
    """Samples all threads but ours until it is stopped. What it keeps is bounded, however long that is.

    `profile_id` is told in the report, and can be told elsewhere, to find one by the other.
    """

    def __init__(self, interval_s: float = INTERVAL_S, max_stacks: int = MAX_STACKS) -> None:
        self.profile_id = secrets.token_hex(8)
        self._interval_s = interval_s
        self._max_stacks = max_stacks
        self._times: dict[Stack, float] = {}
        self._name = lru_cache(max_stacks)(_name)
        self._samples = 0
        self._end = threading.Event()
        self._began_s, self._began_cpu_s, self._last_s = time.time(), time.process_time(), time.perf_counter()
        self._first_s = self._last_s
        self._thread = threading.Thread(target=self._run, name=f"{OUR_THREADS}-profile", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Session:
        """End, and return what was found."""
        self._end.set()
        self._thread.join()
        duration_s = time.perf_counter() - self._first_s
        return Session(
            # Sorted, so that calls of the same function stand together and are shown as one.
            frame_records=[(list(stack), spent_s) for stack, spent_s in sorted(self._times.items())],
            start_time=self._began_s,
            duration=duration_s,
            min_interval=self._interval_s,
            max_interval=self._interval_s,
            sample_count=self._samples,
            start_call_stack=[""],  # of no frame: nothing at the root is left out
            target_description=f"profile {self.profile_id} of process {os.getpid()}, {duration_s:.1f} s",
            cpu_time=time.process_time() - self._began_cpu_s,
            sys_path=sys.path,
            sys_prefixes=Session.current_sys_prefixes(),
        )

    def _run(self) -> None:
        while not self._end.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        now_s = time.perf_counter()
        spent_s, self._last_s = now_s - self._last_s, now_s
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():  # noqa: SLF001  # documented, for this very purpose
            name = names.get(ident, f"thread {ident}")
            if not name.startswith(OUR_THREADS):
                self._add((f"{_safe(_NUMBER.sub('', name))}\x00\x000", *self._stack(frame)), spent_s)
        self._samples += 1

    def _add(self, stack: Stack, spent_s: float) -> None:
        key = stack if stack in self._times or len(self._times) < self._max_stacks else OTHER
        self._times[key] = self._times.get(key, 0.0) + spent_s

    def _stack(self, frame: FrameType | None) -> list[str]:
        stack: list[str] = []
        while frame is not None and len(stack) < MAX_DEPTH:
            # Nothing is asked of the frame's variables: they are the host's, and may be in use.
            stack.append(f"{self._name(frame.f_code)}\x01l{frame.f_lineno}")
            frame = frame.f_back
        stack.reverse()
        return stack


def _name(code: CodeType) -> str:
    return f"{_safe(code.co_qualname)}\x00{_safe(code.co_filename)}\x00{code.co_firstlineno}"


def _safe(text: str) -> str:
    return _UNSAFE.sub(" ", text)
