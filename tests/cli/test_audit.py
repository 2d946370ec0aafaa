"""`otel-agents audit tail`: what stands in audit files."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
from pathlib import Path
from typing import IO

from tests.audit.making import cancel, match, state, text, write
from tests.cli.playing import COMMAND, PATIENCE_S, call, environment


def test_the_last_records_are_shown(tmp_path: Path) -> None:
    """One a line: time, type, and what is known of it."""
    path = write(tmp_path / "a.jsonl", [*(state("start", at) for at in range(20)), cancel(None, 20)])
    done = call("audit", "tail", "-n", "2", str(path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        (
            "2026-01-02T12:19:00.000Z  run.state       run_id=run-1 session_id=s-1 channel=mail runtime=gateway "
            "state=start"
        ),
        (
            "2026-01-02T12:20:00.000Z  run.cancel      run_id=run-1 session_id=s-1 channel=mail runtime=gateway "
            "source=user requested=true acknowledged=false"
        ),
    ]


def test_ten_are_shown_unless_said_otherwise(tmp_path: Path) -> None:
    """Of each file, compressed or not."""
    plain = write(tmp_path / "a.jsonl", [state("start", at) for at in range(20)])
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(text(match(at=at) for at in range(20)).encode()))

    shown = call("audit", "tail", str(plain), str(packed)).stdout.splitlines()
    assert [line.split()[1] for line in shown] == ["run.state"] * 10 + ["reaction.match"] * 10
    assert call("audit", "tail", "-n", "0", str(plain)).stdout == ""


def test_json_is_the_records_as_they_are(tmp_path: Path) -> None:
    """For machines: nothing is added, left out or cut."""
    records = [state("start", more={"a": ["b" * 500]}), cancel(1.5)]
    done = call("audit", "tail", "--json", str(write(tmp_path / "a.jsonl", records)))

    assert [json.loads(line) for line in done.stdout.splitlines()] == records


def test_lines_that_hold_no_record_are_counted(tmp_path: Path) -> None:
    """On stderr, so that a pipe gets records only."""
    path = write(tmp_path / "a.jsonl", [state("start")])
    path.write_text(f'nonsense\n{path.read_text()}{{"type":"run.moved"}}\n{{"torn')
    done = call("audit", "tail", str(path))

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "otel-agents: 3 lines left out: no audit record\n"


def test_what_a_terminal_would_obey_is_not_shown(tmp_path: Path) -> None:
    """Names come from outside."""
    done = call("audit", "tail", str(write(tmp_path / "a.jsonl", [match("a\x1b[31m\nb")])))

    assert "rule_name=a [31m b" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Exit code 2, following or not."""
    for option in ((), ("-f",)):
        done = call("audit", "tail", *option, str(tmp_path / "nowhere"))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"otel-agents: {tmp_path / 'nowhere'}: No such file or directory\n"


def test_following_ends_where_nothing_can_come(tmp_path: Path) -> None:
    """Pipes are read to their end, and what is compressed has got all."""
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(text([match("packed")]).encode()))
    done = call("audit", "tail", "-f", str(packed), "/dev/stdin", stdin=text([match("one"), match("two")]))

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition("rule_name=")[2].split()[0] for line in done.stdout.splitlines()] == ["packed", "one", "two"]


def test_what_a_terminal_has_no_letter_for_is_shown_all_the_same(tmp_path: Path) -> None:
    """By its number, if need be: names come from outside."""
    path = write(tmp_path / "a.jsonl", [match("漢字")])
    for encoding, shown in (("utf-8", "漢字"), ("latin-1", r"\u6f22\u5b57")):
        done = subprocess.run(
            [*COMMAND, "audit", "tail", str(path)],
            env=environment(PYTHONIOENCODING=encoding),
            capture_output=True,
            encoding=encoding,
            check=True,
        )
        assert f"rule_name={shown} " in done.stdout


def _next(stream: IO[bytes]) -> str:
    return json.loads(stream.readline())["rule_name"]


def test_following_shows_what_comes_across_rotations(tmp_path: Path) -> None:
    """Half lines wait for their rest; a file that is moved, or emptied, is begun anew; Ctrl-C ends it with 130."""
    path = write(tmp_path / "a.jsonl", [match("one"), match("two")])
    command = [*COMMAND, "audit", "tail", "-f", "-n", "1", "--json", str(path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert _next(program.stdout) == "two"
        line = text([match("three")])
        with path.open("a") as file:
            file.write(line[:40])
            file.flush()
            file.write(f"{line[40:]}{text([match('four')])}")
        assert (_next(program.stdout), _next(program.stdout)) == ("three", "four")
        path.rename(tmp_path / "old.jsonl")
        write(path, [match("five")])
        assert _next(program.stdout) == "five"
        with path.open("r+") as file:
            file.truncate()
        write(path, [])
        with path.open("a") as file:
            file.write(text([match("6")]))
        assert _next(program.stdout) == "6"
        program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE_S) == 130
        assert program.stderr.read() == b""
