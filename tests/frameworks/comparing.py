"""Tells what differs with us from what differs by itself: whatever ended differently is run again; must not write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.frameworks.homes import home
from tests.frameworks.playing import Played, play
from tests.frameworks.suites import Suite

AGAIN: Final = 3
NOT_THERE: Final = "not there"
GOOD: Final = ("passed", "skipped", "xfailed")
Plays = Callable[..., Played]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a suite.

    ``without`` and ``with_us`` count the endings, ``failing`` are the tests
    that fail either way. ``unsteady`` are those that ended differently once and, run again, as they do without us;
    ``different`` are all others that did not end alike. Both say how they ended each time. ``counts`` is what we made
    of the tests meanwhile.
    """

    name: str
    version: str
    without: Mapping[str, int]
    with_us: Mapping[str, int]
    failing: Mapping[str, str]
    unsteady: Mapping[str, str]
    different: Mapping[str, str]
    counts: Mapping[str, int]
    seconds: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


@dataclass(slots=True)
class Endings:
    """How one test ended, each time that it was run: without us, and with us."""

    without: list[str] = field(default_factory=list)
    with_us: list[str] = field(default_factory=list)

    def add(self, name: str, without: Played, watched: Played) -> None:
        self.without.append(without.outcomes.get(name, NOT_THERE))
        self.with_us.append(watched.outcomes.get(name, NOT_THERE))

    @property
    def is_different(self) -> bool:
        """Whether it never ended with us as it does without, since it was run again."""
        since = set(self.with_us[1:])
        return not since or not since <= set(self.without)

    def __str__(self) -> str:
        return f"without {_said(self.without)}; with {_said(self.with_us)}"


def compare(suite: Suite, *, quick: bool = False) -> Compared:
    """Run a suite without and with us, and what ended differently again."""
    made = home(suite)

    def plays(*paths: str, watched: bool) -> Played:
        return play(suite, made, paths or suite.paths, watched=watched)

    return judge(suite, plays(watched=False), plays(watched=True), plays, quick=quick)


def judge(suite: Suite, without: Played, watched: Played, plays: Plays, *, quick: bool = False) -> Compared:
    """Compare two runs; ``plays`` runs files again, whole, since a test may depend on those before it.

    ``quick``: not more often than it takes for each test to end as it does without us.
    """
    told: dict[str, Endings] = {name: Endings() for name in sorted(differing(without.outcomes, watched.outcomes))}
    _add(told, without, watched)
    files = sorted({name.partition("::")[0] for name in told})
    for number in range(AGAIN if files else 0):
        if not (quick and number) or any(each.is_different for each in told.values()):
            _add(told, plays(*files, watched=False), plays(*files, watched=True))
    return Compared(
        name=suite.name,
        version=suite.version,
        without=_count(without),
        with_us=_count(watched),
        failing={name: how for name, how in without.outcomes.items() if how not in GOOD and name not in told},
        unsteady={name: str(each) for name, each in told.items() if not each.is_different},
        different={name: str(each) for name, each in told.items() if each.is_different},
        counts=watched.counts,
        seconds=(without.seconds, watched.seconds),
    )


def differing(without: Mapping[str, str], watched: Mapping[str, str]) -> set[str]:
    """Return the tests that did not end alike, or were there only once."""
    return {name for name in without.keys() | watched.keys() if without.get(name) != watched.get(name)}


def _add(told: Mapping[str, Endings], without: Played, watched: Played) -> None:
    for name, each in told.items():
        each.add(name, without, watched)


def _said(endings: Iterable[str]) -> str:
    return ", ".join(f"{number} x {each}" for each, number in Counter(endings).items())


def _count(played: Played) -> dict[str, int]:
    return dict(Counter(each.partition(":")[0] for each in played.outcomes.values()).most_common())
