"""`otel-agents baseline`: audit files summed up and compared, with exit codes that gate."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from otel_agents.audit.baseline import TOP, Window, summarize
from otel_agents.audit.pages import baseline_page
from tests.audit.making import MINUTE_MS, NOON_MS, cancel, ended, state, text, write
from tests.cli import playing
from tests.need import require_module

GOOD = ended({"complete": 95, "error": 5})
BAD = ended({"complete": 50, "error": 50})


class Done(NamedTuple):
    """How a command went."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: str, **env: str) -> Done:
    """Run a command in this process, which takes a hundredth of the time of a new one."""
    require_module("typer", "cli")
    from typer.testing import CliRunner

    from otel_agents.cli.app import app

    result = CliRunner(env=env).invoke(app, arguments)
    return Done(result.exit_code, result.stdout, result.stderr)


def test_a_summary_is_a_page_or_json(tmp_path: Path) -> None:
    """Both say the same as the functions behind the command."""
    path = write(tmp_path / "a.jsonl", GOOD)
    page, told = call("baseline", "summarize", str(path)), call("baseline", "summarize", "--json", str(path))

    assert (page.returncode, page.stderr, told.returncode) == (0, "", 0)
    assert page.stdout == baseline_page(summarize([path]), TOP)
    assert told.stdout == summarize([path]).to_json()


def test_a_summary_is_written_in_both_forms_at_once(tmp_path: Path) -> None:
    """For a log that is too large to be read twice; nothing else stays behind."""
    path = write(tmp_path / "a.jsonl", GOOD)
    done = call("baseline", "summarize", "-o", str(tmp_path / "out" / "mail"), str(path))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["mail.json", "mail.md"]
    assert (tmp_path / "out" / "mail.json").read_text() == summarize([path]).to_json()


def test_windows_are_asked_for_by_options(tmp_path: Path) -> None:
    """By moment or by span before now, by channel and by runtime."""
    path = write(
        tmp_path / "a.jsonl", [*GOOD, *ended({"error": 2}, channel="chat"), *ended({"error": 1}, channel=None)]
    )
    options = ("--since", "2026-01-02", "--until", "2026-01-02T12:01:00Z", "--channel", "chat", "--channel", "-")
    done = call("baseline", "summarize", "--json", *options, "--runtime", "gateway", "--top", "1", str(path))
    window = Window(NOON_MS - 720 * MINUTE_MS, NOON_MS + MINUTE_MS, ("chat", "-"), ("gateway",))

    assert done.stdout == summarize([path], window).to_json(1)
    now = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    recent = write(tmp_path / "b.jsonl", [state("complete"), state("complete", ts=now)])
    told = json.loads(call("baseline", "summarize", "--json", "--since", "2h", str(recent)).stdout)
    assert told["input"]["records"] == 1


def test_the_window_with_cancels_is_found(tmp_path: Path) -> None:
    """On request; a pipe cannot be read twice, which is said."""
    path = write(tmp_path / "a.jsonl", [*GOOD, cancel(5.0, 300), cancel(6.0, 310)])
    told = json.loads(call("baseline", "summarize", "--json", "--around-cancels", "1h", str(path)).stdout)

    assert (told["window"]["since"], told["window"]["until"]) == (
        "2026-01-02T17:00:00.000Z",
        "2026-01-02T18:00:00.000Z",
    )
    assert told["total"]["cancels"]["acknowledged"] == 2
    piped = playing.call("baseline", "summarize", "--around-cancels", "1h", "/dev/stdin", stdin=text(GOOD))
    assert (piped.returncode, piped.stdout) == (2, "")
    assert piped.stderr == "otel-agents: /dev/stdin: to find the cancels it has to be read twice; give a file\n"


def test_a_pipe_is_summed_up() -> None:
    """Such as what `zcat` gives."""
    done = playing.call("baseline", "summarize", "/dev/stdin", stdin=text(GOOD))

    assert "| **all** | 100 |" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "noon"), "'noon' is no moment such as 2026-01-31 or 2026-01-31T12:00:00Z"),
        (("--around-cancels", "1"), "'1' is no span such as 90m, 24h or 7d"),
        (("--channel", "male"), "otel-agents: none of the 200 records is in the window that was asked for"),
        (("--around-cancels", "24h"), "otel-agents: there is no cancel in these files"),
        (("-o", "/proc/nowhere/a"), "otel-agents: /proc/nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """Exit code 2, and one sentence with what is wrong."""
    done = call("baseline", "summarize", *options, str(write(tmp_path / "a.jsonl", GOOD)), COLUMNS="200")

    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize("content", [b"", b"\0\1\2" * 1000, b"\x1f\x8bnothing"])
def test_unusable_input_is_refused(tmp_path: Path, content: bytes) -> None:
    """By both commands, with exit code 2 and one line."""
    (tmp_path / "a.jsonl").write_bytes(content)
    good = write(tmp_path / "good.jsonl", GOOD)
    for arguments in (("summarize",), ("drift", str(good))):
        done = call("baseline", *arguments, str(tmp_path / "a.jsonl"))
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(r"otel-agents: there is (nothing|no audit record) in 1 file.*\n", done.stderr)


def test_exit_codes_gate(tmp_path: Path) -> None:
    """0 without drift, 1 with drift, 2 when nothing can be said."""
    good, bad = write(tmp_path / "good.jsonl", GOOD), write(tmp_path / "bad.jsonl", BAD)
    few, missing = write(tmp_path / "few.jsonl", ended({"error": 5})), tmp_path / "missing"

    codes = [playing.call("baseline", "drift", str(good), str(each)).returncode for each in (good, bad, few, missing)]
    assert codes == [0, 1, 0, 2]


def test_a_name_that_cannot_be_printed_is_no_drift(tmp_path: Path) -> None:
    """Where the locale has no letter for it, it is written as a number."""
    good = write(tmp_path / "good.jsonl", [*GOOD, *(state("complete", channel="漢字") for _ in range(40))])
    done = subprocess.run(
        [*playing.COMMAND, "baseline", "drift", str(good), str(good)],
        env=playing.environment(PYTHONIOENCODING="latin-1"),
        capture_output=True,
        encoding="latin-1",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"| \u6f22\u5b57 |" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here; any Linux has it")
def test_a_report_that_cannot_be_printed_is_no_drift(tmp_path: Path) -> None:
    """On a full disk the exit code is not the one that says that something changed."""
    good = write(tmp_path / "good.jsonl", GOOD)
    for arguments in (["summarize", good], ["drift", good, good]):
        with Path("/dev/full").open("w") as full:
            command = [*playing.COMMAND, "baseline", *map(str, arguments)]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (
            2,
            "otel-agents: the report cannot be printed: No space left on device\n",
        )


def test_thresholds_are_options(tmp_path: Path) -> None:
    """What is drift for one is none for another."""
    good, bad = write(tmp_path / "good.jsonl", GOOD), write(tmp_path / "bad.jsonl", BAD)

    def code(*options: str) -> int:
        return call("baseline", "drift", *options, str(good), str(bad)).returncode

    assert [code("--rate", "0.5"), code("--rate", "0.4"), code("--samples", "101")] == [0, 1, 0]
    assert [code("--max-age", "1d"), code("--rate", "2")] == [2, 2]
    assert [code("--latency", each) for each in ("1000", "inf", "nan")] == [1, 2, 2]


def test_reports_have_the_date_in_their_names(tmp_path: Path) -> None:
    """In UTC; they are written whether there is drift or not, and printed as well."""
    good, bad = write(tmp_path / "good.jsonl", GOOD), write(tmp_path / "bad.jsonl", BAD)
    before = datetime.now(UTC).date()
    done = call("baseline", "drift", "--json", "-o", str(tmp_path / "out"), str(good), str(bad))

    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    days = [{f"drift-{day}.json", f"drift-{day}.md"} for day in (before, datetime.now(UTC).date())]
    assert set(names) in days
    assert (tmp_path / "out" / names[0]).read_text() == done.stdout
    assert json.loads(done.stdout)["drift"] is True
    assert (tmp_path / "out" / names[1]).read_text().startswith("# Baseline drift: 4 measures changed\n")


def test_sides_may_be_summaries(tmp_path: Path) -> None:
    """As they were written by the other command."""
    for name, records in (("good", GOOD), ("bad", BAD)):
        call("baseline", "summarize", "-o", str(tmp_path / name), str(write(tmp_path / f"{name}.jsonl", records)))
    done = call("baseline", "drift", str(tmp_path / "good.json"), str(tmp_path / "bad.json"))

    assert done.returncode == 1
    assert "| **drift** | **all** | completion rate | 95.0% | 50.0% |" in done.stdout


def test_each_command_tells_its_exit_codes() -> None:
    """In its help, as every command does."""
    for command in (("audit", "tail"), ("baseline", "summarize"), ("baseline", "drift")):
        shown = call(*command, "--help", COLUMNS="200")
        assert shown.returncode == 0
        assert "Exit codes:" in shown.stdout
        assert "--json" in shown.stdout
