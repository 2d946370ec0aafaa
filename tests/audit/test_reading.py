"""Audit files of any age and state."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_agents.audit.reading import MAX_LINE, Quality, Record, Unusable, found, records
from tests.audit.making import NOON_MS, cancel, match, record, skip, state, text, write


def _read(*paths: Path) -> tuple[list[Record], Quality]:
    quality = Quality()
    return list(records(paths, quality)), quality


def test_a_record_comes_with_its_moment(tmp_path: Path) -> None:
    """All fields of its type, and the moment in milliseconds."""
    [one], quality = _read(write(tmp_path / "a.jsonl", [cancel(40.5)]))

    assert one == {**cancel(40.5), "ms": NOON_MS}
    assert quality == Quality(files=1, lines=1)


def test_broken_lines_are_counted_and_skipped(tmp_path: Path) -> None:
    """What stands before and behind them is read: torn, no object, too deep, no UTF-8, longer than a mebibyte."""
    path = tmp_path / "a.jsonl"
    whole = text([state("start")]).encode()
    broken = [
        b'{"type":"run.sta',
        b"[]",
        b"1",
        b"[" * 100_000,
        b"\xff\xfe\xfd",
        b'{"a":"' + b"x" * 3 * MAX_LINE + b'"}',
    ]
    path.write_bytes(whole + b"\n".join(broken) + b"\n\n  \r\n" + whole + b'{"torn')
    found_, quality = _read(path)

    assert len(found_) == 2
    assert (quality.lines, quality.broken) == (9, 7)


def test_a_file_of_zeros_has_one_broken_line(tmp_path: Path) -> None:
    """As after a crash of the machine."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\0" * 5000 + b"\n" + text([state("start")]).encode())
    found_, quality = _read(path)

    assert (len(found_), quality.broken) == (1, 1)


def test_compressed_files_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    """Whatever they are called, and with several members behind each other."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(gzip.compress(text([state("start", each)]).encode()) for each in range(3)))

    assert len(_read(path)[0]) == 3


def test_a_compressed_file_that_ends_in_the_middle_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """It is counted as damaged, and other files are read."""
    packed = gzip.compress(text(state("start", each, run_id=os.urandom(30).hex()) for each in range(1000)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.jsonl.gz").write_bytes(packed[:20] + b"\0" * 20 + packed[40:])
    whole = write(tmp_path / "c.jsonl", [state("start")])
    found_, quality = _read(tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz", whole)

    assert 1 < len(found_) < 1001
    assert (quality.files, quality.damaged) == (3, 2)


OLD = [
    ({"ts": "2026-01-02T12:00:00Z", "state": "complete"}, "run.state"),
    ({"acknowledged": True}, "run.cancel"),
    ({"rule_name": "greet"}, "reaction.match"),
    ({"reason": "no_rule"}, "reaction.skip"),
]


@pytest.mark.parametrize(("line", "type_"), OLD)
def test_records_of_old_logs_are_known_by_their_fields(tmp_path: Path, line: Record, type_: str) -> None:
    """A record without a type has the one whose field it has; what it lacks is None, and counted."""
    [one], quality = _read(write(tmp_path / "a.jsonl", [dict(line)]))

    assert one["type"] == type_
    assert {**one, **line} == one
    assert quality.incomplete["runtime"] == quality.incomplete["channel"] == 1
    assert (one["runtime"], one["channel"]) == (None, None)


def test_records_of_other_types_are_counted(tmp_path: Path) -> None:
    """A log may have newer types than the reader, and objects that are no records at all."""
    found_, quality = _read(write(tmp_path / "a.jsonl", [record("run.moved", state="x"), {"hello": 1}, match()]))

    assert ([each["type"] for each in found_], quality.unknown) == (["reaction.match"], 2)


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"state": 7}, "state"),
        ({"channel": ["mail"]}, "channel"),
        ({"ts": "noon"}, "ts"),
        ({"session_id": 5}, "session_id"),
    ],
)
def test_values_of_other_types_are_none(tmp_path: Path, fields: dict[str, Any], missing: str) -> None:
    """They are counted under the name of their field."""
    [one], quality = _read(write(tmp_path / "a.jsonl", [state("start", **fields)]))

    assert one[missing] is None
    assert quality.incomplete == {missing: 1}


@pytest.mark.parametrize("latency", ["1e999", "-1", "NaN", "true", '"5"', "-Infinity", "1" + "0" * 400])
def test_a_latency_that_is_none_is_none(tmp_path: Path, latency: str) -> None:
    """Negative, without end, larger than can be reckoned with, no number."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(cancel(5.0)).replace("5.0", latency) + "\n")
    [one], quality = _read(path)

    assert one["latency_ms"] is None
    assert quality.incomplete == {"latency_ms": 1}


def test_a_time_may_be_a_number(tmp_path: Path) -> None:
    """Seconds or milliseconds, as in older logs."""
    found_, quality = _read(write(tmp_path / "a.jsonl", [skip(ts=NOON_MS), skip(ts=NOON_MS / 1000)]))

    assert [each["ms"] for each in found_] == [NOON_MS, NOON_MS]
    assert quality.incomplete == {}


def test_texts_are_cut(tmp_path: Path) -> None:
    """Names are kept in memory."""
    [one], _ = _read(write(tmp_path / "a.jsonl", [skip("r" * 10_000)]))

    assert one["reason"] == "r" * 256


def test_a_pipe_is_read(tmp_path: Path) -> None:
    """Such as `zcat old.gz |`."""
    os.mkfifo(tmp_path / "pipe")
    writing = threading.Thread(target=write, args=(tmp_path / "pipe", [match()]))
    writing.start()
    found_, _ = _read(tmp_path / "pipe")
    writing.join()

    assert len(found_) == 1


def test_files_are_found_once_and_folders_by_suffix(tmp_path: Path) -> None:
    """A file that is named twice, or linked to, is one; a folder gives what has `.jsonl` in its name."""
    one = write(tmp_path / "a-1.jsonl", [])
    (tmp_path / "link.jsonl").symlink_to(one)
    write(tmp_path / "otel-agents-audit.key", [])
    two = write(tmp_path / "a-2.jsonl.1.gz", [])

    assert found([one, one, two]) == [one, two]
    assert sorted(each.resolve() for each in found([tmp_path])) == [one, two]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere.jsonl", "nowhere.jsonl: No such file or directory"),
        (lambda folder: folder, "there is no file with .jsonl in its name in "),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, make, message: str) -> None:
    """By name, with the reason."""
    with pytest.raises(Unusable, match=message):
        found([make(tmp_path)])
