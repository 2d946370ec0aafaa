"""Shows baselines and drift as Markdown; must not know how they were made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from otel_agents.audit.baseline import NO_CHANNEL, Baseline
from otel_agents.audit.drift import Comparison, Drift, Rules
from otel_agents.audit.groups import rate
from otel_agents.audit.moments import shown, shown_span

NOTHING: Final = "-"
ALL: Final = "**all**"
MARKUP: Final = re.compile(r"([\\`*<>|\[\]#~]|(?<![^\W_])_|_(?![^\W_]))")  # an underscore inside a word is none
QUALITY: Final[Mapping[str, str]] = {
    "broken": "lines that are no JSON objects, skipped",
    "damaged_files": "compressed files that end in the middle, read as far as they go",
    "unknown_types": "records of other types, skipped",
    "outside": "records outside the window, skipped",
}

Cells = Sequence[object]


def baseline_page(baseline: Baseline, top: int) -> str:
    """Return a baseline as a page, with the `top` rules, reasons and sessions; the same bytes for the same records."""
    told = baseline.as_dict(top)
    groups = [(ALL, told["total"]), *((_name(each["channel"]), each) for each in told["channels"])]
    parts = (
        ["# Baseline", _window(told), *_quality(told["input"])],
        ["## Runs", _runs(groups)],
        ["## Cancels", _cancels(groups)],
        ["## Reactions", _reactions(groups)],
        _ranking("reason", "skips", told["total"]["reactions"]["reasons"], told["total"]["reactions"]["skipped"]),
        _ranking("rule", "matches", told["total"]["reactions"]["rules"], told["total"]["reactions"]["matched"]),
        ["## Sessions", *_sessions(told["sessions"])],
    )
    return "\n\n".join(text for part in parts for text in part) + "\n"


def _window(told: Mapping[str, Any]) -> str:
    window, read = told["window"], told["input"]
    asked = (
        ("since", window["since"]),
        ("until", window["until"]),
        ("channel", ", ".join(map(_text, window["channels"]))),
        ("runtime", ", ".join(map(_text, window["runtimes"]))),
    )
    only = "".join(f", {word} {value}" for word, value in asked if value)
    records = _number(read["records"], "record", "records")
    return f"{records} from {window['first'] or 'unknown'} to {window['last'] or 'unknown'}{only}."


def _quality(read: Mapping[str, Any]) -> Iterator[str]:
    found = [f"- {text}: {read[name]}" for name, text in QUALITY.items() if read[name]]
    found += [f"- records without a usable `{name}`: {count}" for name, count in read["incomplete"].items()]
    if found:
        yield "\n".join(found)


def _runs(groups: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    counts = ("started", "resumed", "paused", "ended", "completed", "errors", "cancelled")
    rates = ("completion_rate", "error_rate", "cancel_rate")
    rows = (
        (name, *(group["runs"][each] for each in counts), *(_percent(group["runs"][each]) for each in rates))
        for name, group in groups
    )
    return _table(("channel", *counts, "completion", "error", "cancel"), rows)


def _cancels(groups: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    rows = (
        (
            name,
            cancels["requested"],
            cancels["acknowledged"],
            _percent(cancels["acknowledged_rate"]),
            _ms(cancels["latency_ms"]["p50"]),
            _ms(cancels["latency_ms"]["p95"]),
        )
        for name, group in groups
        for cancels in [group["cancels"]]
    )
    return _table(("channel", "requested", "acknowledged", "of those", "latency p50", "latency p95"), rows)


def _reactions(groups: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    rows = (
        (name, seen["matched"], seen["skipped"], _percent(seen["match_rate"]), _percent(seen["skip_rate"]))
        for name, group in groups
        for seen in [group["reactions"]]
    )
    return _table(("channel", "matched", "skipped", "match", "skip"), rows)


def _ranking(title: str, count: str, ranks: Iterable[Mapping[str, Any]], whole: int) -> list[str]:
    rows = [(_name(each["name"]), each["count"], _percent(rate(each["count"], whole))) for each in ranks]
    return [_table((title, count, "share"), rows)] if rows else []


def _sessions(sessions: Mapping[str, Any]) -> Iterator[str]:
    count = _number(sessions["count"], "session", "sessions")
    about, sample = ("about ", ", of a sample") if sessions["sampled"] else ("", "")
    rates = ("completion_rate", "error_rate", "cancel_rate")
    rows = [
        (_name(each["session_id"]), each["ended"], *(_percent(each[name]) for name in rates))
        for each in sessions["top"]
    ]
    yield f"{about}{count}; most runs ended in these{sample}:" if rows else f"{about}{count}."
    if rows:
        yield _table(("session", "ended", "completion", "error", "cancel"), rows)


def drift_page(drift: Drift) -> str:
    """Return a comparison as a page."""
    count = len(drift.found)
    head = f"# Baseline drift: {_number(count, 'measure', 'measures')} changed" if count else "# Baseline drift: none"
    age = "at a time that is not known" if drift.age_ms is None else f"{shown_span(drift.age_ms)} before"
    sides = [
        (name, told["records"], told["runs"], told["first"] or "unknown", told["last"] or "unknown")
        for name, told in (("old", drift.old.as_dict()), ("new", drift.new.as_dict()))
    ]
    rows = [_compared(each) for each in drift.comparisons if min(each.counts)]
    parts = (
        head,
        f"Checked at {shown(drift.now_ms)}; the new window ended {age}.",
        _table(("window", "records", "runs ended", "from", "to"), sides),
        _rules(drift.rules),
        _table(("", "channel", "measure", "old", "new", "change", "change lies within", "n old", "n new"), rows),
    )
    return "\n\n".join(parts) + "\n"


def _rules(rules: Rules) -> str:
    return (
        f"Drift is a change that chance does not explain, at {rules.confidence:g} for all comparisons together, "
        f"and that is no smaller than {rules.rate * 100:g} percentage points of a rate or {rules.latency:.0%} of a "
        f"latency.\nBelow {rules.samples} on a side nothing is said; what a side has none of is left out."
    )


def _compared(each: Comparison) -> Cells:
    show = _percent if each.unit == "share" else _ms
    signed = _points if each.unit == "share" else _signed_ms
    change = NOTHING if each.change is None else signed(each.change)
    within = (
        NOTHING
        if each.interval is None
        else " to ".join("open" if math.isinf(end) else signed(end) for end in each.interval)
    )
    verdict = f"**{each.verdict}**" if each.verdict == "drift" else each.verdict
    channel = ALL if each.whole else _name(each.channel)
    return verdict, channel, each.measure, show(each.old), show(each.new), change, within, *each.counts


def _table(titles: Sequence[str], rows: Iterable[Cells]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def _name(name: str | None) -> str:
    return NO_CHANNEL if name is None else _text(name)


def _text(text: str) -> str:
    """Return a name from a log as text that Markdown leaves as it is, on one line."""
    return MARKUP.sub(r"\\\1", "".join(char if char.isprintable() else " " for char in text)) or '""'


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share * 100:.1f}%"


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f} ms"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"


def _signed_ms(value: float) -> str:
    return f"{value:+.1f} ms"
