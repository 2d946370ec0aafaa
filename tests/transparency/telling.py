"""Everything that can be seen of a program, as data that can be compared: values, exceptions, warnings, log lines."""

from __future__ import annotations

import dataclasses
import gc
import io
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import otel_agents

Report = dict[str, Any]

PACKAGE = str(Path(otel_agents.__file__).parent)
RUNTIMES = str(Path(PACKAGE, "runtime"))  # are hosts like any other
A_CALL = 2  # frames of ours, at most
EXPORTING = "urllib3."  # no host talks HTTP: what is logged there is the exporter's
STORE = "/runtime/flex/store/"  # where it waits for its threads is chance
RACED = "concurrent/futures/_base.py"  # has a line for who waits, and one for who need not
LINES = "%(levelname)s %(name)s %(module)s:%(lineno)d %(funcName)s %(threadName)s %(message)s"
FRAME = re.compile(r'(?P<before>[ |]*)File "(?P<path>[^"]+)", line \d+, in ')
# What differs from one run of a program to the next: addresses, counted threads, made-up ids, folders.
CHANCE = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0x"),
    (re.compile(r"(ThreadPoolExecutor|Thread|asyncio|Task)-\d+(_\d+)?"), r"\1-n"),
    (re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"), "uuid"),
    (re.compile(r"/tmp/[\w./-]+"), "/tmp"),
)


def steady(text: str) -> str:
    """Return a text without what chance puts into it."""
    for pattern, instead in CHANCE:
        text = pattern.sub(instead, text)
    return text


def is_ours(path: str) -> bool:
    """Whether a file belongs to what watches."""
    return path.startswith(PACKAGE) and not path.startswith(RUNTIMES)


def stripped(text: str) -> str:
    """Return a text without the frames of ours in the tracebacks that it shows."""
    kept, ours = [], ""
    for line in text.splitlines(keepends=True):
        frame = FRAME.match(line)
        if frame is not None:
            ours = frame["before"] if is_ours(frame["path"]) else ""
        elif ours and not line.startswith(f"{ours}  "):  # a frame's source and its markers stand further in
            ours = ""
        if not ours:
            kept.append(line)
    return "".join(kept)


def frames(error: BaseException) -> list[str]:
    """Return the frames of a traceback but ours, of which a call has two at most."""
    found, ours = [], 0
    for frame in traceback.extract_tb(error.__traceback__):
        if STORE in frame.filename:
            break
        ours = ours + 1 if is_ours(frame.filename) else 0
        if ours > A_CALL:
            found.append(f"more than {A_CALL} frames of ours in one call: {frame}")
        if not ours:
            line = "" if frame.filename.endswith(RACED) else frame.lineno
            found.append(f"{frame.filename}:{line} {frame.name}")
    return found


def described(error: BaseException | None) -> Any:
    """Return an exception with all that hangs on it."""
    if error is None:
        return None
    return {
        "type": _name(type(error)),
        "args": shown(error.args),
        "notes": [steady(note) for note in getattr(error, "__notes__", [])],
        "frames": frames(error),
        "suppressed": error.__suppress_context__,
        "cause": described(error.__cause__),
        "context": described(error.__context__) if error.__context__ is not error.__cause__ else "the cause",
        "members": [described(each) for each in getattr(error, "exceptions", ())],
        "attributes": sorted(vars(error)),
    }


def shown(value: Any) -> Any:
    """Return a value with its type, and what is inside with theirs."""
    kind = _name(type(value))
    if isinstance(value, BaseException):
        return described(value)
    if isinstance(value, dict):
        return {kind: [[shown(key), shown(each)] for key, each in value.items()]}
    if isinstance(value, list | tuple | set | frozenset):
        return {kind: [shown(each) for each in value]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {kind: [[field.name, shown(getattr(value, field.name))] for field in dataclasses.fields(value)]}
    return f"{kind} {steady(str(value) if isinstance(value, str | Enum) else repr(value))}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802
        return stripped(super().formatException(ei))


@contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """Keep every line that anybody logs, from DEBUG on."""
    kept = io.StringIO()
    handler = logging.StreamHandler(kept)
    handler.setFormatter(_Formatter(LINES))
    handler.addFilter(lambda record: not record.name.startswith(EXPORTING))
    root = logging.getLogger()
    before, root.level = root.level, logging.DEBUG
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]
    root.addHandler(handler)
    try:
        yield kept
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@contextmanager
def tidy() -> Iterator[None]:
    """Have garbage collected after each program and never in the middle, so that what is said of it has its place."""
    gc.collect()
    gc.freeze()  # what is older need not be looked at
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextmanager
def hooks() -> Iterator[list[str]]:
    """Keep what Python could raise nowhere: in threads, and while objects were finalised."""
    kept: list[str] = []

    def unraisable(hint: Any) -> None:
        kept.append(steady(f"{hint.err_msg} {hint.object!r} {described(hint.exc_value)}"))

    def in_thread(hint: Any) -> None:
        kept.append(steady(f"thread {described(hint.exc_value)}"))

    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        yield kept
    finally:
        sys.unraisablehook, threading.excepthook = before


def observed(program: Callable[[], Any]) -> Report:
    """Run a program and return what it returns or raises, with everything that can be seen beside that."""
    report: Report = {}
    with ExitStack() as stack:
        lines, unraised = stack.enter_context(log_lines()), stack.enter_context(hooks())
        warned = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        try:
            report["result"] = shown(program())
        except BaseException as error:
            report["error"] = described(error)
        gc.collect()
    report["warnings"] = [[_name(each.category), steady(str(each.message)), each.filename, each.lineno]
                          for each in warned]  # fmt: skip
    return report | {"log": steady(lines.getvalue()).splitlines(), "unraised": unraised}
