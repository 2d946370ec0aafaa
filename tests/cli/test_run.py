from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.playing import COMMAND, PATIENCE_S, call, environment, program

UNWATCHED = "otel-agents: the program did not load otel-agents, so there is nothing to show."
RUN = """
    import otel_agents
    with otel_agents.run("notes"):
        with otel_agents.node("draft", kind="agent"):
            print("working")
"""


def test_the_program_keeps_its_output_and_the_tree_goes_to_stderr() -> None:
    """Standard output is the program's own; on a stderr that is no terminal every line is plain."""
    done = call("run", "--", *program(RUN))

    assert (done.returncode, done.stdout) == (0, "working\n")
    shown = done.stderr.splitlines()
    assert [re.sub(r"\+\d+\.\d{3}s|[<\d]+ ms", "TIME", one) for one in shown[:4]] == [
        "otel-agents    TIME  start      notes",
        "otel-agents    TIME  start      notes / draft  agent",
        "otel-agents    TIME  ok         notes / draft  agent, TIME",
        "otel-agents    TIME  ok         notes  TIME",
    ]
    assert [one.split("  ")[0] for one in shown[5:7]] == ["✓ notes", "└─ ✓ draft"]
    assert shown[-1] == "otel-agents: 1 run (1 completed), 1 node"
    assert "\x1b" not in done.stderr


def test_input_arguments_and_exit_code_are_the_programs() -> None:
    """The program reads our input and gets its arguments, options among them; its exit code is ours."""
    body = "import sys; print(sys.argv[1:], input()); sys.exit(17)"
    done = call("run", "--", *program(body), "--json", "-h", "x", stdin="typed\n")

    assert (done.returncode, done.stdout) == (17, "['--json', '-h', 'x'] typed\n")


def test_what_the_program_sees_of_itself_is_what_it_would_see() -> None:
    """Signals, inherited files, folder and search path are as without us."""
    body = """
        import os, signal, sys
        print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGCHLD))
        print(os.getcwd(), [path for path in sys.path if "otel_agents" not in path])
        print(os.read(int(sys.argv[1]), 10))
    """
    seen = []
    for prefix in ((), (*COMMAND, "run", "--")):
        reading, writing = os.pipe()
        os.write(writing, b"inherited")
        os.close(writing)
        command = [*prefix, *program(body), str(reading)]
        done = subprocess.run(
            command, pass_fds=[reading], env=environment(), capture_output=True, text=True, check=True, timeout=60
        )
        os.close(reading)
        seen.append(done.stdout.replace(str(reading), "FD"))

    assert seen[0] == seen[1]


def test_a_program_that_raises_says_so_itself() -> None:
    """Its traceback and exit code stay; the tree shows what failed."""
    body = """
        import otel_agents
        with otel_agents.run("notes"), otel_agents.node("draft"):
            raise LookupError("own words")
    """
    done = call("run", "--", *program(body))

    assert done.returncode == 1
    assert "LookupError: own words\n" in done.stderr
    assert "✗ draft  failed: LookupError" in done.stderr
    assert done.stderr.splitlines()[-1] == "otel-agents: 1 run (1 failed), 1 node (1 failed)"


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_program_that_is_killed_takes_us_along_by_the_same_signal(signum: signal.Signals) -> None:
    """What ran is shown as never ended, and whoever started us sees the program's own end."""
    body = f"""
        import otel_agents, os, time
        with otel_agents.run("notes"), otel_agents.node("draft"):
            time.sleep(0.15)
            os.kill(os.getpid(), {int(signum)})
            time.sleep(60)
    """
    done = call("run", "--", *program(body))

    assert done.returncode == -signum
    assert "! notes  never ended\n" in done.stderr
    assert "└─ ! draft  never ended\n" in done.stderr
    assert done.stderr.splitlines()[-1] == "otel-agents: 1 run (1 never ended), 0 nodes"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_to_us_reach_the_program(signum: signal.Signals) -> None:
    """Whoever stops us stops the program, which may end in good order."""
    body = f"""
        import signal, sys
        def leave(signum, frame):
            print("got", signum)
            sys.exit(5)
        signal.signal({int(signum)}, leave)
        print("ready", flush=True)
        while True:
            signal.pause()
    """
    command = [*COMMAND, "run", "--", *program(body)]
    # Without a terminal: a key pressed there would reach the program by itself.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signum)
        shown, _ = running.communicate(timeout=PATIENCE_S)

    assert (running.returncode, shown) == (5, f"got {int(signum)}\n")


def test_a_missing_program_is_told_as_a_shell_tells_it(tmp_path: Path) -> None:
    """127 for what is not there, 126 for what cannot be executed."""
    plain = tmp_path / "plain"
    plain.write_text("no program")

    missing, refused = call("run", "--", "no-such-program"), call("run", "--", str(plain))

    assert (missing.returncode, missing.stderr) == (127, "otel-agents: no-such-program: command not found\n")
    assert (refused.returncode, refused.stderr) == (126, f"otel-agents: {plain}: Permission denied\n")


@pytest.mark.parametrize(("name", "status"), [("app.py", 126), ("missing.py", 127)])
def test_a_script_without_its_python_is_told_what_was_meant(tmp_path: Path, name: str, status: int) -> None:
    """`otel-agents run app.py` names the command that would have run it."""
    (tmp_path / "app.py").write_text("print('done')")

    done = call("run", str(tmp_path / name))

    assert done.returncode == status
    assert done.stderr.endswith(f"; did you mean: python {tmp_path / name}\n")


def test_a_file_that_cannot_be_written_is_told_before_the_program_starts() -> None:
    """A wrong --output ends with 2 and one line."""
    done = call("run", "--output", "/nowhere/tree.txt", "--", *program("print('mine')"))

    said = "otel-agents: --output /nowhere/tree.txt: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_processes_left_behind_do_not_keep_us() -> None:
    """A child of the program that holds the pipe open is not waited for."""
    began_s = time.monotonic()
    done = subprocess.run(
        [*COMMAND, "run", "--", "sh", "-c", "sleep 20 >/dev/null 2>&1 & exit 4"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 4
    assert time.monotonic() - began_s < 15


def test_processes_of_the_program_are_in_the_same_story() -> None:
    """Forked workers tell through the same pipe, and are kept apart."""
    body = """
        import os
        import otel_agents
        with otel_agents.run("parent"):
            child = os.fork()
            if child == 0:
                with otel_agents.run("child", runtime="other"):
                    pass
                otel_agents.pipeline.active().hub.flush(5)
                os._exit(0)
            os.waitpid(child, 0)
    """
    done = call("run", "--json", "--", *program("import otel_agents.pipeline\n" + textwrap.dedent(body)))

    told = [json.loads(one) for one in done.stderr.splitlines()]
    assert [one["operation"]["name"] for one in told if one.get("type") == "complete"] == ["child", "parent"]


def test_a_program_that_is_no_python_runs_and_we_say_that_nothing_was_seen() -> None:
    """One message, the program's output and exit code untouched."""
    done = call("run", "--", "sh", "-c", "echo plain; exit 3")

    assert (done.returncode, done.stdout) == (3, "plain\n")
    assert done.stderr.startswith(UNWATCHED)
    assert done.stderr.count("\n") == 1


def test_a_python_without_us_runs_and_we_say_how_to_mend_it(tmp_path: Path) -> None:
    """The message names the interpreter and the fix; nothing is switched on in the program."""
    other = tmp_path / "python3.99"
    other.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 1\necho "ran with <$PYTHONPATH>"\n')
    other.chmod(0o755)

    done = call("run", "--", str(other), "app.py", PYTHONPATH="")

    assert (done.returncode, done.stdout) == (0, "ran with <>\n")
    assert done.stderr == (
        f"otel-agents: {other} has no otel-agents, so the program runs unwatched. "
        f"Fix: {other} -m pip install otel-agents\n"
    )


@pytest.mark.parametrize(("options", "env"), [(["-I"], {}), ([], {"OTEL_AGENTS_ENABLED": "false"})])
def test_a_program_that_keeps_us_out_runs_unwatched(options: list[str], env: dict[str, Any]) -> None:
    """An isolated interpreter and the kill switch are respected, and said once."""
    done = call("run", "--", sys.executable, *options, "-c", "print('ran')", **env)

    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.startswith(UNWATCHED)


def test_the_story_can_go_to_a_file_as_json(tmp_path: Path) -> None:
    """Stderr stays the program's alone; the file has the events and, last, the sums."""
    told = tmp_path / "told.jsonl"
    done = call("run", "--json", "--output", str(told), "--", *program(RUN))

    assert (done.stdout, done.stderr) == ("working\n", "")
    lines = [json.loads(one) for one in told.read_text().splitlines()]
    assert [one["type"] for one in lines[:-1]] == ["start", "node_start", "node_complete", "complete"]
    assert lines[-1]["summary"]["nodes"] == {"ok": 1}


def test_nothing_waits_for_a_collector_that_is_not_there() -> None:
    """Exporters are off unless asked for; an unreachable --otlp is said, and the program ends at once."""
    began_s = time.monotonic()
    done = call("run", "--otlp", "127.0.0.1:1", "--", *program(RUN))

    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == (
        "otel-agents: --otlp 127.0.0.1:1: nobody answers at 127.0.0.1:1; nothing is sent there. "
        "Start a Collector first."
    )
    assert time.monotonic() - began_s < 8


def test_exporters_that_the_user_set_keep_working() -> None:
    """The console exporter prints the spans on the program's standard output, the tree stands beside it."""
    done = call("run", "--", *program(RUN), OTEL_TRACES_EXPORTER="console")

    assert '"name": "flex.run notes"' in done.stdout
    assert "✓ notes" in done.stderr


def test_nobody_reading_our_stderr_does_not_disturb_the_program() -> None:
    """A closed pipe behind us costs the tree, not the program."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "run", "--", *program(RUN + "    print('done'); raise SystemExit(6)")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    os.close(writing)

    assert (done.returncode, done.stdout) == (6, "working\ndone\n")


@pytest.mark.parametrize(
    "start",
    [
        "multiprocessing.get_context('spawn').Pool(1).map(worker.work, [1])",
        "subprocess.run([sys.executable, worker.__file__], check=True)",
    ],
    ids=["spawned worker", "program"],
)
def test_processes_that_inherit_no_files_are_shown_too(start: str, tmp_path: Path) -> None:
    """Workers that are spawned, as on a Mac, and Python programs that the program starts are in the tree."""
    worker = """
        import otel_agents
        def work(number):
            with otel_agents.run("notes"):
                pass
        if __name__ == "__main__":
            work(1)
    """
    main = f"""
        import multiprocessing, subprocess, sys, worker
        if __name__ == "__main__":
            {start}
    """
    for name, body in (("worker", worker), ("main", main)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(body), encoding="utf-8")
    done = call("run", "--", sys.executable, str(tmp_path / "main.py"))

    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "otel-agents: 1 run (1 completed), 0 nodes"


def test_without_a_place_for_temporary_files_the_program_is_watched() -> None:
    """Only the processes that it starts are not heard then."""
    start = "import tempfile; tempfile.tempdir = '/nowhere'; from otel_agents.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", start, "run", "--", *program(RUN)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert (done.returncode, done.stdout) == (0, "working\n")
    assert done.stderr.splitlines()[-1] == "otel-agents: 1 run (1 completed), 1 node"


def test_a_full_disk_does_not_change_how_the_program_ends() -> None:
    """A file that takes nothing costs the tree, not the exit code."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    done = call("run", "--output", "/dev/full", "--", *program(RUN + "    raise SystemExit(6)"))

    assert (done.returncode, done.stdout) == (6, "working\n")
    assert "Traceback" not in done.stderr


def test_no_setting_of_colours_puts_codes_into_a_file() -> None:
    """What is no terminal gets plain text, whatever the environment says."""
    shown = call("run", "--", *program(RUN), FORCE_COLOR="1", TTY_COMPATIBLE="1", CLICOLOR_FORCE="1").stderr

    assert "✓ notes" in shown
    assert "\x1b" not in shown


def test_a_huge_run_is_told_whole_and_shown_in_part() -> None:
    """Of three thousand nodes all are counted, and the tree has a few lines."""
    body = """
        import otel_agents
        with otel_agents.run("flood"):
            for number in range(3000):
                with otel_agents.node(f"n{number}"):
                    pass
    """
    shown = call("run", "--", *program(body)).stderr.splitlines()

    assert shown[-1] == "otel-agents: 1 run (1 completed), 3000 nodes"
    assert shown[-3] == "└─ … 2980 more: 2980 ok"
    assert len(shown) == 6002 + 1 + 22 + 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--prometheus", "x", "--", "true"], "'x' is no [HOST:]PORT with a port from 1 to 65535"),
        (["run"], "Missing argument"),
        (["run", "--no-such-option", "--", "true"], "No such option"),
    ],
)
def test_wrong_options_exit_with_2(arguments: list[str], says: str) -> None:
    """The program is not started."""
    done = call(*arguments)

    assert done.returncode == 2
    assert says in done.stderr
