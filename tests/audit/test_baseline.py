"""What audit files come to."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_agents.audit import baseline as b
from otel_agents.audit.baseline import Baseline, Window, cancel_window, summarize
from otel_agents.audit.pages import baseline_page
from otel_agents.audit.reading import Unusable
from tests.audit.making import MINUTE_MS, NOON_MS, Record, cancel, ended, match, skip, state, text, write

HOUR_MS = 60 * MINUTE_MS
UNTOLD = {"values", "exact"}


def _of(folder: Path, records: list[Record], window: Window | None = None) -> dict[str, Any]:
    return summarize([write(folder / "a.jsonl", records)], window).as_dict()


def test_runs_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    """Rates are shares of the runs that ended; a pause is no end, and a resumed run starts once."""
    records = ended({"complete": 6, "error": 3, "cancelled": 1})
    records += [state("start"), state("paused"), state("resumed"), state("cancel_requested")]

    assert _of(tmp_path, records)["total"]["runs"] == {
        "started": 11, "resumed": 1, "paused": 1, "cancel_requested": 1,
        "completed": 6, "errors": 3, "cancelled": 1, "ended": 10,
        "completion_rate": 0.6, "error_rate": 0.3, "cancel_rate": 0.1,
    }  # fmt: skip


def test_cancels_have_rate_and_latency(tmp_path: Path) -> None:
    """Latency is of those that were acknowledged; quantiles by nearest rank."""
    told = _of(tmp_path, [cancel(each) for each in (10.0, 20.0, 30.0, 40.0)] + [cancel(None)])["total"]["cancels"]

    assert told == {
        "requested": 5, "acknowledged": 4, "acknowledged_rate": 0.8,
        "latency_ms": {
            "count": 4, "p50": 20.0, "p95": 40.0, "exact": True,
            "values": [[10.0, 1], [20.0, 1], [30.0, 1], [40.0, 1]],
        },
    }  # fmt: skip


def test_reactions_have_rates_and_top_reasons(tmp_path: Path) -> None:
    """The most frequent first, equal ones by name; a missing reason stands as none."""
    records = [match("a"), match("b"), match("b"), skip("x"), skip("y"), skip("y"), skip(None)]  # type: ignore[arg-type]
    told = _of(tmp_path, records)["total"]["reactions"]

    assert told == {
        "matched": 3, "skipped": 4, "match_rate": 0.428571, "skip_rate": 0.571429,
        "rules": [{"name": "b", "count": 2}, {"name": "a", "count": 1}],
        "reasons": [{"name": "y", "count": 2}, {"name": None, "count": 1}, {"name": "x", "count": 1}],
    }  # fmt: skip


def test_groups_are_by_channel_and_session(tmp_path: Path) -> None:
    """A run without a channel has a row of its own; one without a session is in none."""
    records = [
        *ended({"complete": 2}, channel="mail", session_id="s-1"),
        *ended({"error": 1}, channel=None, session_id="s-2"),
        *ended({"cancelled": 3}, channel="chat", session_id=None),
    ]
    told = _of(tmp_path, records)

    assert [(each["channel"], each["runs"]["ended"]) for each in told["channels"]] == [
        (None, 1),
        ("chat", 3),
        ("mail", 2),
    ]
    assert [(each["session_id"], each["completion_rate"]) for each in told["sessions"]["top"]] == [
        ("s-1", 1.0),
        ("s-2", 0.0),
    ]
    assert told["sessions"]["count"] == 2


def test_what_never_happened_has_no_rate(tmp_path: Path) -> None:
    """An old log without cancels and reactions is no log in which none was acknowledged."""
    total = _of(tmp_path, [state("start")])["total"]

    assert total["runs"]["completion_rate"] is None
    assert total["cancels"]["acknowledged_rate"] is None
    assert total["cancels"]["latency_ms"]["p95"] is None
    assert total["reactions"]["match_rate"] is None


@pytest.mark.parametrize(
    ("window", "count"),
    [
        (Window(), 6),
        (Window(since_ms=NOON_MS + MINUTE_MS), 4),
        (Window(until_ms=NOON_MS + MINUTE_MS), 1),
        (Window(NOON_MS, NOON_MS + 3 * MINUTE_MS), 3),
        (Window(channels=("mail",)), 4),
        (Window(channels=("-",)), 1),
        (Window(channels=("mail", "chat")), 5),
        (Window(runtimes=("yolo",)), 1),
        (Window(since_ms=NOON_MS + 3 * MINUTE_MS, channels=("mail",), runtimes=("yolo",)), 1),
    ],
)
def test_windows_choose_records(tmp_path: Path, window: Window, count: int) -> None:
    """By time, the end excluded, by channel, where `-` is none, and by runtime; one without a time has no bounds."""
    records = [state("start", each) for each in range(3)]
    records += [
        state("start", 3, runtime="yolo"),
        state("start", 4, channel=None),
        state("start", ts=None, channel="chat"),
    ]
    told = _of(tmp_path, records, window)

    assert (told["input"]["records"], told["input"]["outside"]) == (count, 6 - count)


def test_the_window_says_when_its_records_were(tmp_path: Path) -> None:
    """And what it was asked to be."""
    told = _of(tmp_path, [state("start", 5), state("start", 1), state("start", 3)], Window(NOON_MS, channels=("mail",)))

    assert told["window"] == {
        "first": "2026-01-02T12:01:00.000Z", "last": "2026-01-02T12:05:00.000Z",
        "since": "2026-01-02T12:00:00.000Z", "until": None, "channels": ["mail"], "runtimes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is nothing in 1 file"),
        (b"\n\n", "there is nothing in 1 file"),
        (b"\x7fELF\x02\x01\nabc\n", "there is no audit record in 1 file: 2 of 2 lines are no JSON objects"),
        (b'{"a": 1}\n', "there is no audit record in 1 file: 0 of 1 lines are no JSON objects, 1 are no records"),
        (b"\x1f\x8b", "there is nothing in 1 file"),
    ],
)
def test_input_without_a_record_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty, binary, something else: the message says what was found."""
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(Unusable) as raised:
        summarize([tmp_path])
    assert str(raised.value).startswith(message)


def test_a_window_without_a_record_is_refused(tmp_path: Path) -> None:
    """A channel that is misspelt is no empty baseline."""
    with pytest.raises(Unusable, match="none of the 1 records is in the window that was asked for"):
        _of(tmp_path, [state("start")], Window(channels=("male",)))


# The same whatever the order

channels = st.sampled_from(["mail", "chat", None])
sessions = st.sampled_from(["s-1", "s-2", "s-3", None])
where = {"at": st.integers(0, 300), "channel": channels, "session_id": sessions}
known = st.one_of(
    st.builds(state, st.sampled_from(["start", "complete", "error", "cancelled", "paused", "resumed"]), **where),
    st.builds(cancel, st.one_of(st.none(), st.floats(0, 1e6)), **where),
    st.builds(match, st.sampled_from("abc"), **where),
    st.builds(skip, st.sampled_from("xyz"), **where),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(known, min_size=1), st.integers(1, 4), st.randoms())
def test_the_same_records_give_the_same_bytes(
    tmp_path: Path, records: list[Record], files: int, chance: random.Random
) -> None:
    """In any order, spread over any files, in any order of the files, compressed or not."""
    one = summarize([write(tmp_path / "all.jsonl", records)])
    mixed = records.copy()
    chance.shuffle(mixed)
    paths = []
    for number in range(files):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(
            gzip.compress(text(mixed[number::files]).encode()) if number % 2 else text(mixed[number::files]).encode()
        )
        paths.append(path)
    chance.shuffle(paths)
    many = summarize(paths)
    many.quality.files = one.quality.files

    assert many.to_json() == one.to_json()
    assert baseline_page(many, b.TOP) == baseline_page(one, b.TOP)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(known, min_size=1))
def test_channels_add_up_to_the_whole(tmp_path: Path, records: list[Record]) -> None:
    """No record is counted twice, and none is lost."""
    told = _of(tmp_path, records)

    for part, name in (("runs", "ended"), ("runs", "started"), ("cancels", "requested"), ("reactions", "skipped")):
        assert told["total"][part][name] == sum(each[part][name] for each in told["channels"])
    assert sum(told["total"]["reactions"][each] for each in ("matched", "skipped")) == sum(
        record["type"].startswith("reaction") for record in records
    )


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input() -> None:
    """Twice as many records, each of a session, channel, reason and latency of its own, take no more memory."""

    def peak(count: int) -> int:
        baseline, chance = Baseline(), random.Random(1)
        tracemalloc.start()
        for number in range(count):
            entry = {"ms": number, "channel": f"c{number}", "session_id": f"s{number}", "runtime": "gateway"}
            baseline.add({**entry, "type": "run.state", "state": "complete"})
            baseline.add({**entry, "type": "reaction.skip", "reason": f"r{number}"})
            baseline.add({**entry, "type": "run.cancel", "acknowledged": True, "latency_ms": chance.random() * 1e6})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(60_000) < 1.1 * peak(30_000)


# The window that holds cancels


def test_the_window_with_the_most_cancels_is_found(tmp_path: Path) -> None:
    """Windows begin at multiples of their length; of two with as many cancels the later one is taken."""
    records = [cancel(1.0, at) for at in (5, 65, 70, 130, 150, 700)]
    records += [state("start", at) for at in range(0, 800, 10)]
    path = write(tmp_path / "a.jsonl", records)
    found = cancel_window([path], Window(channels=("mail",)), HOUR_MS)

    assert found == Window(NOON_MS + 2 * HOUR_MS, NOON_MS + 3 * HOUR_MS, ("mail",))
    told = summarize([path], found).as_dict()
    assert (told["total"]["cancels"]["requested"], told["total"]["runs"]["started"]) == (2, 6)


def test_old_logs_have_cancels_as_states(tmp_path: Path) -> None:
    """Before there were records of cancels, a run that was asked to cancel entered a state."""
    path = write(tmp_path / "a.jsonl", [state("start"), state("cancel_requested", 70), state("complete", 300)])

    assert cancel_window([path], Window(), HOUR_MS) == Window(NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS)


def test_the_window_stays_within_what_was_asked_for(tmp_path: Path) -> None:
    """Bounds, channel and runtime hold for it as well."""
    path = write(tmp_path / "a.jsonl", [cancel(1.0, 10), cancel(1.0, 20), cancel(1.0, 80, channel="chat")])
    inside = Window(NOON_MS + 15 * MINUTE_MS, NOON_MS + 30 * MINUTE_MS, ("mail",))

    assert cancel_window([path], inside, HOUR_MS) == inside


def test_without_a_cancel_there_is_no_such_window(tmp_path: Path) -> None:
    """Which is said, and not guessed."""
    path = write(tmp_path / "a.jsonl", [state("start")])
    with pytest.raises(Unusable, match="there is no cancel in these files"):
        cancel_window([path], Window(), HOUR_MS)
