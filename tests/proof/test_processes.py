"""Forked and spawned processes of an instrumented program: what each one does arrives, once, and nothing hangs."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.proof.programs import instrumented, sending, write
from tests.receiver import Receiver, receiving

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system does not have"),
]

WORK = """
import os, sys, threading, time
import otel_agents

def work(name):
    with otel_agents.run(name), otel_agents.node("in-" + name):
        pass

def wait(pid):
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

"""


def told(tmp_path: Path, program: str, output: str) -> Receiver:
    """Run a program whose telemetry is received, and which prints nothing but this."""
    path = write(tmp_path, WORK + program)
    with receiving() as receiver:
        done = instrumented(path, env=sending(receiver.endpoint))
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")
    return receiver


def names(receiver: Receiver) -> list[str]:
    return sorted(span.name for span in receiver.spans)


def events(receiver: Receiver) -> dict[str, int]:
    return dict(Counter(record.event_name for record in receiver.logs if record.event_name))


def parents(receiver: Receiver) -> dict[str, str]:
    """Return the name of each span's parent by the span's name."""
    known = {span.span_id: span.name for span in receiver.spans}
    return {span.name: known.get(span.parent_span_id, "") for span in receiver.spans}


def active(receiver: Receiver) -> set[int]:
    """Return what `flex.run.active` said at the end of each process."""
    found = [metric for metric in receiver.metrics if metric.name == "flex.run.active"]
    return {point.as_int for metric in found for point in metric.sum.data_points}


def test_a_server_that_forks_its_workers(tmp_path: Path) -> None:
    """What a worker does that was forked after instrumenting arrives like what its parent does."""
    receiver = told(
        tmp_path,
        """
work("before")
pid = os.fork()
if pid == 0:
    work("child")
    sys.exit(3)
wait(pid)
work("after")
""",
        "3\n",
    )
    assert names(receiver) == [
        *("flex.node in-after", "flex.node in-before", "flex.node in-child"),
        *("flex.run after", "flex.run before", "flex.run child"),
    ]
    assert events(receiver) == dict.fromkeys(
        ("flex.start", "flex.node_start", "flex.node_complete", "flex.complete"), 3
    )
    assert active(receiver) == {0}


def test_a_child_forked_inside_a_run_leaves_the_runs_end_to_its_parent(tmp_path: Path) -> None:
    """A child that unwinds through the blocks it was forked in tells its own nodes and not their end once more."""
    receiver = told(
        tmp_path,
        """
with otel_agents.run("outer"), otel_agents.node("outer"):
    pid = os.fork()
    if pid == 0:
        with otel_agents.node("child"):
            pass
        sys.exit(3)
    wait(pid)
""",
        "3\n",
    )
    assert parents(receiver) == {
        "flex.run outer": "",
        "flex.node outer": "flex.run outer",
        "flex.node child": "flex.node outer",
    }
    assert names(receiver) == sorted(parents(receiver))
    assert events(receiver) == {
        "flex.start": 1,
        "flex.node_start": 2,
        "flex.node_complete": 2,
        "flex.complete": 1,
    }


def test_a_child_does_not_end_the_runs_of_its_parents_threads(tmp_path: Path) -> None:
    """A run of another thread of the parent is not the child's: it neither ends nor counts it."""
    receiver = told(
        tmp_path,
        """
ready, done = threading.Event(), threading.Event()
def background():
    with otel_agents.run("background"):
        ready.set()
        done.wait()
thread = threading.Thread(target=background)
thread.start()
ready.wait()
pid = os.fork()
if pid == 0:
    work("child")
    sys.exit(3)
wait(pid)
done.set()
thread.join()
""",
        "3\n",
    )
    assert names(receiver) == ["flex.node in-child", "flex.run background", "flex.run child"]
    assert events(receiver)["flex.complete"] == 2
    assert active(receiver) == {0}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_send_what_they_did(tmp_path: Path, method: str) -> None:
    """A process of multiprocessing ends without what other processes do at exit, and loses nothing over it."""
    receiver = told(
        tmp_path,
        f"""
import multiprocessing
if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=work, args=("child",))
    process.start()
    process.join()
    print(process.exitcode)
""",
        "0\n",
    )
    assert names(receiver) == ["flex.node in-child", "flex.run child"]
    assert events(receiver) == dict.fromkeys(
        ("flex.start", "flex.node_start", "flex.node_complete", "flex.complete"), 1
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_patched_functions_in_a_process_pool(tmp_path: Path, method: str) -> None:
    """Functions that are watched go into a pool of processes, and what they did there arrives."""
    receiver = told(
        tmp_path,
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

@otel_agents.node("square")
def square(x):
    return x * x

if __name__ == "__main__":
    with otel_agents.run("numbers"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r})) as pool:
            print(list(pool.map(square, range(3))))
""",
        "[0, 1, 4]\n",
    )
    assert names(receiver) == [*["flex.node square"] * 3, "flex.run numbers"]
    assert parents(receiver)["flex.node square"] == ("flex.run numbers" if method == "fork" else "")


def test_without_a_collector_a_child_of_multiprocessing_ends_soon(tmp_path: Path) -> None:
    """A Collector that is not there delays the end of a child by two seconds at most, and costs no exit code."""
    program = """
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=work, args=("child",))
begin = time.monotonic()
process.start()
process.join()
print(process.exitcode, time.monotonic() - begin, flush=True)
os._exit(0)
"""
    done = instrumented(write(tmp_path, WORK + program), env=sending("http://127.0.0.1:9"))
    code, seconds = done.stdout.split()
    assert code == "0"
    assert float(seconds) < 4


def test_forks_while_other_threads_record_do_not_hang(tmp_path: Path) -> None:
    """A child forked in the middle of what other threads record works, and ends.

    Nothing is exported here: of a child that is forked in the middle of an export, the SDK's exit waits for ever.
    """
    program = """
work("first")
stop = threading.Event()
def busy():
    while not stop.is_set():
        work("busy")
threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads:
    thread.start()
codes = []
for _ in range(50):
    pid = os.fork()
    if pid == 0:
        work("child")
        sys.exit(3)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads:
    thread.join()
print(set(codes))
"""
    done = instrumented(write(tmp_path, WORK + program))
    assert (done.returncode, done.stdout, done.stderr) == (0, "{3}\n", "")
