"""What the audit says of sessions and senders."""

from __future__ import annotations

import hmac
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_agents.audit.concealing import KEY_FILE, concealing, nothing

KEY = "0123456789abcdef"


def test_values_are_hashed_with_the_key(tmp_path: Path) -> None:
    """Sixteen hexadecimal characters of HMAC-SHA256; a number counts as its text, and nothing stays nothing."""
    conceal = concealing(tmp_path, key=KEY, clear=False)
    expected = hmac.new(KEY.encode(), b"ann@example.org", "sha256").hexdigest()[:16]

    assert conceal("ann@example.org") == expected
    assert conceal(17) == conceal("17") != expected
    assert conceal(None) is None
    assert list(tmp_path.iterdir()) == []


def test_in_clear_values_stand_as_they_are(tmp_path: Path) -> None:
    """Only when asked for, and bounded."""
    conceal = concealing(tmp_path, key=None, clear=True)

    assert conceal("ann@example.org") == "ann@example.org"
    assert conceal(None) is None
    assert len(conceal("x" * 10_000) or "") == 256
    assert list(tmp_path.iterdir()) == []


def test_before_the_audit_is_open_nothing_is_said() -> None:
    """Neither hash nor value."""
    assert nothing("ann@example.org") is None


def test_without_a_key_one_is_made_once_and_kept_for_the_user_alone(tmp_path: Path) -> None:
    """Other processes find it, so their hashes fit."""
    first = concealing(tmp_path, key=None, clear=False)
    second = concealing(tmp_path, key=None, clear=False)

    assert first("ann") == second("ann")
    [kept] = tmp_path.iterdir()
    assert (kept.name, oct(kept.stat().st_mode & 0o777)) == (KEY_FILE, "0o600")
    assert first("ann") == concealing(tmp_path, key=None, clear=False)("ann")


def test_processes_that_begin_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Whoever comes second takes the key of the first, and never half of it."""
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: concealing(tmp_path, key=None, clear=False)("ann"), range(64)))

    assert len(set(made)) == 1
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it holds 0 bytes, and 32 are needed"),
        ("abcd", "it holds 2 bytes, and 32 are needed"),
        ("no key", "non-hexadecimal number found"),
    ],
)
def test_a_key_file_that_holds_none_is_said_and_hashes_still_hide(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, reason: str
) -> None:
    """The process makes a key of its own, which fits no other's."""
    (tmp_path / KEY_FILE).write_text(content)
    with caplog.at_level(logging.WARNING):
        one, other = (concealing(tmp_path, key=None, clear=False)("ann") for _ in range(2))

    assert one != other
    assert len(caplog.records) == 2
    said = caplog.records[0].getMessage()
    assert said.startswith(f"{tmp_path / KEY_FILE} cannot keep the key of the audit: {reason}")
    assert said.endswith("The hashes in this process's audit fit no other's; set OTEL_AGENTS_AUDIT_KEY.")
    assert (tmp_path / KEY_FILE).read_text() == content


def test_a_folder_that_takes_no_key_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Hashes hide all the same."""
    with caplog.at_level(logging.WARNING):
        conceal = concealing(Path("/proc"), key=None, clear=False)

    assert len(conceal("ann") or "") == 16
    assert "/proc/otel-agents-audit.key cannot keep the key of the audit: " in caplog.text
