"""An orchestrator of nobody's: every kind of method, every shape, every wrapper."""

from __future__ import annotations

import contextlib
import functools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import wrapt


class Waits(Exception):
    """A human has to answer."""


class Done(Exception):
    """In good order."""


class Stopped(Exception):
    """Somebody stopped it."""


class Refused(Exception):
    def __init__(self, rules: list[str]) -> None:
        self.rules = rules


class Role(Enum):
    WRITER = "writer"


@dataclass
class Result:
    """What a method returns; its properties are as bad as can be."""

    ok: bool = True
    items: tuple[str, ...] = ("a", "b")
    version: int = 3
    error: Exception | None = None

    @property
    def loud(self) -> Any:
        raise ValueError("no")

    @property
    def exits(self) -> Any:
        raise SystemExit(3)

    @property
    def huge(self) -> str:
        return "x" * 10_000_000

    @property
    def endless(self) -> Any:
        return self.endless


def function(what: str = "plain", /, *, key: str = "k") -> str:
    return what + key


def passes_through(host: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as functools.wraps and Sentry do: a plain function around whatever it is."""

    @functools.wraps(host)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return host(*args, **kwargs)

    return wrapper


@wrapt.decorator
def observed(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


class Meta(type):
    """A metaclass that has a say in everything."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise TypeError("not here")


class Strict(metaclass=Meta):
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def work(self) -> str:
        return self.name


class Base:
    def inherited(self, name: str) -> str:
        return name


class Team(Base):
    """Methods of all sorts."""

    names: ClassVar[dict[str, str]] = {"boss": "anna"}

    def __init__(self) -> None:
        self.current = Role.WRITER
        self.counts: defaultdict[str, int] = defaultdict(int)

    def method(self, name: str, count: int = 2) -> Result:
        return Result()

    @staticmethod
    def static(name: str) -> str:
        return name

    @classmethod
    def of_class(cls, name: str) -> str:
        return cls.__name__ + name

    @property
    def value(self) -> str:
        return "v"

    class Inner:
        """A class inside."""

        def deep(self, name: str) -> str:
            return name

    def run_a(self) -> str:
        return "a"

    def run_b(self) -> str:
        return "b"

    def _run_c(self) -> str:
        return "c"

    half = functools.partialmethod(static, "x")

    def raises(self, error: BaseException) -> None:
        raise error

    def returns(self, what: Any) -> Any:
        return what

    def hand_over(self, to: Any) -> None:
        """Somebody else goes on."""
        if isinstance(to, BaseException):
            raise to

    def calls(self, work: Callable[[], Any]) -> Any:
        return work()

    async def coroutine(self, name: str) -> str:
        return name

    def generator(self, count: int) -> Generator[int, None, str]:
        yield from range(count)
        return "end"

    async def async_generator(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    def awaitable(self, name: str) -> Any:
        return self.coroutine(name)

    def iterator(self, count: int) -> Iterator[int]:
        return self.generator(count)

    @contextlib.contextmanager
    def session(self, name: str) -> Iterator[str]:
        yield name

    @contextlib.asynccontextmanager
    async def async_session(self, name: str) -> AsyncIterator[str]:
        yield name

    @passes_through
    def wrapped(self, name: str) -> str:
        return name

    @passes_through
    async def wrapped_coroutine(self, name: str) -> str:
        return name

    @observed
    def proxied(self, name: str) -> str:
        return name

    @functools.lru_cache  # noqa: B019
    def cached(self, name: str) -> str:
        return name


class lazy:  # noqa: N801  # as Django's cached_property
    """What reads as a value, made when it is first asked for."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __get__(self, of: Any, owner: object = None) -> Any:
        return self if of is None else self.make(of)


class Counter:
    """A value among methods, and a method that is chosen by its argument."""

    @lazy
    def run_total(self) -> int:
        return 7

    def run_twice(self) -> int:
        return 2 * self.run_total

    @functools.singledispatchmethod
    def run_on(self, what: object) -> str:
        return "anything"


class Opened:
    """A context manager that is a class of its own."""

    def __enter__(self) -> str:
        return "in"

    def __exit__(self, *_: object) -> None:
        """Leave."""


def opened() -> Opened:
    return Opened()


@dataclass(slots=True)
class Record:
    name: str

    def work(self) -> str:
        return self.name


called = functools.partial(function, "x")
number = 3
compiled = len
