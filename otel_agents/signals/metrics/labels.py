"""Label sets of one instrument, cleaned and bounded; must not know where the values come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_agents.semconv.agents import OURS
from otel_agents.semconv.model import Metric
from otel_agents.signals.metrics.locking import lock

UNKNOWN: Final = "unknown"  # a label is never left out: series of one name that differ in their labels cannot be joined
OTHER: Final = "_other"
LENGTH: Final = 128  # characters of a label value


def text(value: object, closed: frozenset[str] = frozenset()) -> str:
    """Return a label value: never empty, at most 128 characters, valid UTF-8, of the closed set when there is one."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    word = "" if value is None else str(value)[:LENGTH].encode("utf-8", "replace").decode()
    if not word:
        return UNKNOWN
    return word if not closed or word in closed else OTHER


class LabelSets:
    """The label sets that one instrument may have.

    Beyond ``limit`` every free label of a new set is ``_other``; labels with a closed set of values stay, so there are
    only a few such sets. A gauge beyond is None: values of several things under one label would be no value of any.
    ``overflowed`` is told of each measurement beyond.
    """

    __slots__ = ("_closed", "_folds", "_known", "_names", "_overflowed", "_raw", "limit")

    def __init__(self, metric: Metric, limit: int, overflowed: Callable[[], None]) -> None:
        rows = [OURS[name] for name in metric.labels]
        self.limit = limit
        self._names = tuple(row.label for row in rows)
        self._closed = tuple(frozenset(row.values) for row in rows)
        self._folds = metric.instrument != "gauge"
        self._overflowed = overflowed
        self._known: dict[tuple[str, ...], dict[str, str]] = {}
        self._raw: dict[tuple[object, ...], dict[str, str]] = {}  # by values as they come: what the hot path asks

    @property
    def has_room(self) -> bool:
        """Whether less than half of the sets are taken: what is only expected does not take the rest."""
        return len(self._known) * 2 < self.limit

    def of(self, values: tuple[object, ...]) -> dict[str, str] | None:
        """Return the labels for values in the order of the row; shared, not to be changed. None: do not measure."""
        found = self._raw.get(values)
        if found is None:
            found = self.admit(values)
        return found if found is not None else self._fold(values)

    def clean(self, values: tuple[object, ...]) -> dict[str, str]:
        """Return the labels for values without counting them in."""
        return dict(zip(self._names, map(text, values, self._closed), strict=True))

    def admit(self, values: tuple[object, ...]) -> dict[str, str] | None:
        """Return the labels for values, or None when there is no room for another set."""
        words = tuple(map(text, values, self._closed))
        with lock():
            labels = self._known.get(words)
            if labels is None and len(self._known) < self.limit:
                labels = self._known[words] = dict(zip(self._names, words, strict=True))
            if labels is not None and len(self._raw) < self.limit and all(map(_is_plain, values)):
                self._raw[values] = labels
        return labels

    def _fold(self, values: tuple[object, ...]) -> dict[str, str] | None:
        self._overflowed()
        if not self._folds:
            return None
        folded = (text(value, closed) if closed else OTHER for value, closed in zip(values, self._closed, strict=True))
        return dict(zip(self._names, folded, strict=True))


def _is_plain(value: object) -> bool:
    """Whether a value may be a key: 1 and True are the same key but not the same label, long text is not worth it."""
    return value is None or (isinstance(value, str) and len(value) <= LENGTH)
