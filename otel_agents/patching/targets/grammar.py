"""Turns the text of a row into a path, or says what is wrong with it; must not know rows, and evaluates nothing.

    value   = choice { "|" choice }
    choice  = path | constant
    path    = root { step } | "len(" path ")" | "type(" path ")"
    root    = "self" | "arg" | "result" | "error" | "each"
    step    = "." name | "[" integer "]" | "[" text "]"
    constant = text | integer | "true" | "false"
    text    = "'" characters "'" | '"' characters '"'

After ``arg`` the first step is a parameter's name or, in brackets, a position. A choice that is not there, or is None,
gives way to the next. Text without any of ``.[(|'"`` that is no root stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_agents.config.problem import suggestion
from otel_agents.patching.targets.paths import CALLS, ROOTS, Constant, Path, Step, Value

MAX_LENGTH: Final = 256
MAX_STEPS: Final = 16
MAX_CHOICES: Final = 8
FLAGS: Final = {"true": True, "false": False}
# Public by name, and yet the inside of the interpreter: frames lead to every local variable of the host.
INSIDE: Final = re.compile(
    r"(?:gi|cr|ag|tb|co|f)_(?:frame|code|await|yieldfrom|locals|globals|builtins|back|next|trace)"
)
HOW: Final = "Write a path such as `arg.name` or `len(result.items)`, or put a constant in quotes."

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<name>[^\W\d]\w*)|(?P<number>-?\d+)|(?P<text>'[^']*'|"[^"]*")|(?P<sign>[.\[\]()|]))""", re.ASCII
)
_PATH_SIGNS: Final = re.compile(r"""[.\[(|'"]""")


class PathError(ValueError):
    """Text that is no path; says what is wrong with it and, as a sentence, what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def parse(written: object) -> Value:
    """Return what a value of a row means; raises PathError."""
    if not isinstance(written, str):
        if isinstance(written, bool | int | float):
            return Value((Constant(written),), str(written))
        raise PathError("is no text, number or flag", "Write a path such as `arg.name`, or a constant.")
    text = written.strip()
    if not text or len(text) > MAX_LENGTH:
        raise PathError(f"is empty or longer than {MAX_LENGTH} characters", "Write a path such as `arg.name`.")
    if not _PATH_SIGNS.search(text) and text not in ROOTS:
        return Value((Constant(text),), text)
    return Value(_Parser(text).choices(), text)


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0

    def choices(self) -> tuple[Path | Constant, ...]:
        found = [self._choice()]
        while self._accept("|"):
            found.append(self._choice())
        if self.at < len(self.tokens):
            raise PathError(f"goes on with {self._peek()[1]!r}", "Separate alternatives by `|`.")
        if len(found) > MAX_CHOICES:
            raise PathError(f"has more than {MAX_CHOICES} alternatives", "Write fewer.")
        return tuple(found)

    def _choice(self) -> Path | Constant:
        kind, token = self._peek()
        if kind == "name" and token not in FLAGS:
            return self._path()
        self.at += 1
        if kind == "text":
            return Constant(token[1:-1])
        if kind == "number":
            return Constant(int(token))
        if kind == "name":
            return Constant(FLAGS[token])
        raise PathError("ends too early" if not token else f"has {token!r} where a path begins", HOW)

    def _path(self) -> Path:
        name = self._peek()[1]
        self.at += 1
        if self._accept("("):
            return self._call(name)
        if name not in ROOTS:
            fix = suggestion(name, ROOTS, otherwise=f"Begin with {', '.join(ROOTS[:4])}, or put a constant in quotes.")
            raise PathError(f"begins with {name!r}, which is no root", fix)
        steps = tuple(self._steps())
        if name == "arg" and not steps:
            raise PathError("names no parameter", "Write `arg.name`, or `arg[0]` for the first one.")
        return Path(name, steps)

    def _call(self, name: str) -> Path:
        if name not in CALLS:
            fix = suggestion(name, CALLS, otherwise="Only len() and type() are known; nothing else is ever called.")
            raise PathError(f"calls {name!r}", fix)
        if self._peek()[0] != "name":
            raise PathError(f"{name}() has no path", HOW)
        inner = self._path()
        self._expect(")")
        if len(inner.steps) + len(inner.calls) >= MAX_STEPS:
            raise PathError(f"has more than {MAX_STEPS} steps", "Write fewer.")
        return Path(inner.root, inner.steps, (*inner.calls, name))

    def _steps(self) -> Iterator[Step]:
        for count in range(MAX_STEPS + 1):
            if self._accept("."):
                step = Step(self._name(), is_item=False)
            elif self._accept("["):
                step = Step(self._key(), is_item=True)
                self._expect("]")
            else:
                return
            if count == MAX_STEPS:
                raise PathError(f"has more than {MAX_STEPS} steps", "Write fewer.")
            yield step

    def _name(self) -> str:
        kind, token = self._peek()
        self.at += 1
        if kind != "name":
            raise PathError("has no name after a dot", HOW)
        if token.startswith("_") or INSIDE.fullmatch(token):
            raise PathError(f"reads {token!r}, which is private", "Only public names can be read.")
        return token

    def _key(self) -> str | int:
        kind, token = self._peek()
        self.at += 1
        if kind == "number":
            return int(token)
        if kind == "text":
            return token[1:-1]
        raise PathError("has no position or key in brackets", "Write `[0]` or `['key']`.")

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def _accept(self, sign: str) -> bool:
        is_it = self._peek() == ("sign", sign)
        self.at += is_it
        return is_it

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise PathError(f"has no {sign!r} where one is needed", HOW)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise PathError(f"has {text[at:].strip()[:1]!r}, which no path has", HOW)
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()
