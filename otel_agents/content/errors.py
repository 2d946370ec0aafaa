"""Describe exceptions by type and stack alone; must not read messages, arguments, locals or source text."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Any

MAX_NAME = 256
MAX_CHAIN = 8
MAX_CHARACTERS = 16_384
DEFAULT_FRAMES = 32

# The interpreter's own readers: a class may lie about all of these through properties and metaclasses.
_MODULE = type.__dict__["__module__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__
_CAUSE = BaseException.__dict__["__cause__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__
_SUPPRESS = BaseException.__dict__["__suppress_context__"].__get__
_TRACEBACK = BaseException.__dict__["__traceback__"].__get__
_PARTS = BaseExceptionGroup.__dict__["exceptions"].__get__

_BY_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_BY_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def type_name(value: object) -> str:
    """Return the class of the value (or the value, if it is a class) as OpenTelemetry's `error.type` asks for it.

    Qualified by its module unless builtin, at most 256 characters; runs no code of the class.
    """
    cls: Any = value if issubclass(type(value), type) else type(value)
    module, name = _MODULE(cls), str.__str__(_QUALNAME(cls))
    if issubclass(type(module), str) and str.__str__(module) != "builtins":
        name = f"{str.__str__(module)}.{name}"
    return name[:MAX_NAME].encode("utf-8", "replace").decode()


def exception_frames(exc: BaseException, limit: int = DEFAULT_FRAMES) -> str:
    """Return the stack and the types of an exception and its causes, in the interpreter's layout.

    Args:
        exc: The exception; its message, arguments, locals and source lines are not read.
        limit: How many of the innermost frames are kept of each exception of the chain.

    Returns:
        At most 16384 characters; of longer text the end is kept, which is where the failure is.
    """
    links: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    step: BaseException | None = exc
    joint = ""
    while step is not None and id(step) not in seen and len(links) < MAX_CHAIN:
        seen.add(id(step))
        links.append((step, joint))
        step, joint = _before(step)
    text = "".join(_stack(link, limit) + joined for link, joined in reversed(links))
    return text[-MAX_CHARACTERS:]


def _before(exc: BaseException) -> tuple[BaseException | None, str]:
    cause = _CAUSE(exc)
    if cause is not None:
        return cause, _BY_CAUSE
    return (None, "") if _SUPPRESS(exc) else (_CONTEXT(exc), _BY_CONTEXT)


def _stack(exc: BaseException, limit: int) -> str:
    steps: deque[TracebackType] = deque(maxlen=max(0, limit))
    step, depth = _TRACEBACK(exc), 0
    while step is not None:
        steps.append(step)
        step, depth = step.tb_next, depth + 1
    left_out = f"  ... {depth - len(steps)} frames left out\n" if depth > len(steps) else ""
    head = "Traceback (most recent call last):\n" if depth else ""
    return f"{head}{left_out}{''.join(map(_frame, steps))}{type_name(exc)}{_parts(exc)}\n"


def _frame(step: TracebackType) -> str:
    code = step.tb_frame.f_code
    name = f'  File "{code.co_filename}", line {step.tb_lineno}, in {code.co_qualname}\n'
    return name.encode("utf-8", "replace").decode()


def _parts(exc: BaseException) -> str:
    """Name the types inside an exception group, at most eight."""
    if not issubclass(type(exc), BaseExceptionGroup):
        return ""
    parts = _PARTS(exc)
    more = f", +{len(parts) - MAX_CHAIN} more" if len(parts) > MAX_CHAIN else ""
    return f" ({', '.join(type_name(part) for part in parts[:MAX_CHAIN])}{more})"
