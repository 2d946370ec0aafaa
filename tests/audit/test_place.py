"""Where the audit of a process lies."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from otel_agents.audit import place


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/a/audit.jsonl", "/a/audit-{pid}.jsonl"),
        ("/a/audit", "/a/audit-{pid}"),
        ("/a/{pid}/b.jsonl", "/a/{pid}/b.jsonl"),
        ("/a/{host}.jsonl", f"/a/{platform.node()}-{{pid}}.jsonl"),
        ("~/audit.jsonl", "/home/me/audit-{pid}.jsonl"),
        ("$LOGS/${WHO}.jsonl", "/logs/me-{pid}.jsonl"),
        ("/a/{other}.jsonl", "/a/{other}-{pid}.jsonl"),
    ],
)
def test_a_path_names_one_file_for_each_process(written: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home, variables and placeholders are filled in; the number of the process goes before the suffix."""
    for name, value in (("HOME", "/home/me"), ("LOGS", "/logs"), ("WHO", "me")):
        monkeypatch.setenv(name, value)

    assert place.template(written) == expected
    assert place.own(expected) == expected.replace("{pid}", str(os.getpid()))


def test_a_relative_path_stays_where_the_process_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that changes its directory does not move its audit."""
    monkeypatch.chdir(tmp_path)

    assert place.template("audit.jsonl") == f"{tmp_path}/audit-{{pid}}.jsonl"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("$NOWHERE/a.jsonl", "$NOWHERE is not set"),
        ("/a/${NOWHERE}.jsonl", "${NOWHERE} is not set"),
        ("/a/b/", "'/a/b/' names a directory, not a file"),
    ],
)
def test_a_path_that_means_nothing_is_refused(written: str, message: str) -> None:
    """A variable that is not set is no part of a name."""
    with pytest.raises(ValueError) as raised:
        place.template(written)
    assert str(raised.value) == message


def test_missing_folders_are_made_for_nobody_else(tmp_path: Path) -> None:
    """All that are missing are for the user alone, and those that are there stay as they are."""
    tmp_path.chmod(0o755)
    place.make_folder(tmp_path / "a" / "b")

    assert [oct(each.stat().st_mode & 0o777) for each in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")] == [
        "0o755", "0o700", "0o700",
    ]  # fmt: skip
