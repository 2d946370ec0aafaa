"""What goes wrong around a Collector: nothing acknowledged is lost where the docs promise it, or it is counted.

Every case is about all three signals, and about both ways: one Collector, or an agent with a gateway behind it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector import promises
from tests.collector.backends import backend
from tests.collector.collectors import Collector, collecting, free_port, refusal
from tests.collector.ledger import Books, Ledger, arrived
from tests.collector.tiers import PATHS, SIGNALS, over_otlp, standalone, to

pytestmark = pytest.mark.proof

SENT, FAILED = "exporter_sent", "exporter_send_failed"
NO_ROOM, REFUSED = "exporter_enqueue_failed", "receiver_refused"
NOTHING = [0, 0, 0]
RUN = {"flex_run_id": "r-1"}
BOTH = pytest.mark.parametrize("path", PATHS)


@pytest.mark.proves("promise", promises.KILLED)
def test_a_kill_in_mid_stream_loses_nothing(tmp_path: Path) -> None:
    """Killed twice while data comes in and the backend is away, it delivers all that it acknowledged."""
    with backend() as end:
        collector = Collector(tmp_path / "data", "standalone.yaml", **over_otlp(end.endpoint)).start()
        books = Books(collector.http)
        with books.streaming():
            books.until(200)
            end.status = 503
            books.until(300)
            collector.kill()
            collector.start()
            books.until(300)
            collector.kill()
            end.status = 200
            collector.start()
            books.until(200)
        books.settle(end)
        collector.stop()
    assert all(len(ledger.acknowledged) >= 1000 for ledger in books.ledgers)


@BOTH
@pytest.mark.proves("promise", promises.AWAY)
def test_a_backend_that_is_away_is_waited_for(tmp_path: Path, path: str) -> None:
    """With nobody at the other end, all waits on disk, over an orderly restart, too, and arrives when he is back."""
    port = free_port()
    with PATHS[path](tmp_path, **to(f"http://127.0.0.1:{port}")) as tiers:
        books = Books(tiers.first.http, **RUN)
        assert books.send(1000) == {200}
        if tiers.gateway:
            books.wait(tiers.first, SENT, 1000)
        tiers.last.stop()
        tiers.last.start()
        assert books.send(100) == {200}
        with backend(port=port) as end:
            books.settle(end)
            assert books.counted(tiers.last, FAILED) == books.counted(tiers.first, FAILED) == NOTHING
            tiers.last.stop()
    assert [ledger.acknowledged for ledger in books.ledgers] == [set(range(1100))] * 3


def impatient(folder: Path) -> str:
    """Write an addition with which everything is given up that was not taken within 2 seconds."""
    file = folder / "impatient.yaml"
    retry = "retry_on_failure: {max_interval: 1s, max_elapsed_time: 2s}"
    exporters = "\n".join(f"  otlp_http/{signal.lower()}: {{{retry}}}" for signal in SIGNALS)
    file.write_text(f"exporters:\n{exporters}\n  prometheus_remote_write: {{{retry}}}\n")
    return str(file)


@pytest.mark.proves("promise", promises.AWAY)
def test_an_outage_outlasts_no_patience(tmp_path: Path) -> None:
    """A patience of 2 seconds in the place of the shipped one, which has no end, loses what waits, and counts it.

    What an outage of minutes would show with the default patience of 5 minutes is shown so in seconds.
    """
    with (
        backend() as end,
        collecting(tmp_path / "patient", "standalone.yaml", **over_otlp(end.endpoint)) as patient,
        standalone(tmp_path, impatient(tmp_path)) as tiers,
    ):
        tiers.backend.status = end.status = 503
        books, others = Books(patient.http), Books(tiers.first.http)
        assert books.send(100) == others.send(100) == {200}
        others.wait(tiers.first, FAILED, 100)
        end.status = tiers.backend.status = 200
        books.settle(end)
        assert books.counted(patient, FAILED) == NOTHING
        assert others.counted(tiers.first, FAILED) == [100, 100, 100]
        assert [arrived(tiers.backend, ledger.signal) for ledger in others.ledgers] == [{}, {}, {}]


@BOTH
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.proves("promise", promises.AWAY)
def test_a_backend_that_asks_for_time_gets_it(tmp_path: Path, status: int, path: str) -> None:
    """What is answered with "later" is sent later, and nothing counts as failed."""
    with PATHS[path](tmp_path) as tiers:
        tiers.backend.status = status
        books = Books(tiers.first.http, **RUN)
        assert [books.send(100) for _ in range(3)] == [{200}] * 3
        tiers.backend.refusal(4)
        tiers.backend.status = 200
        books.settle(tiers.backend)
        assert books.counted(tiers.last, FAILED) == NOTHING


@BOTH
@pytest.mark.proves("promise", promises.REFUSES)
def test_what_a_backend_refuses_for_good_is_counted(tmp_path: Path, path: str) -> None:
    """A 400 drops what was refused, counts it item by item, and does not hold up what comes after."""
    with PATHS[path](tmp_path) as tiers:
        tiers.backend.status = 400
        books = Books(tiers.first.http, **RUN)
        assert books.send(500) == {200}
        books.wait(tiers.last, FAILED, 500)
        tiers.backend.status = 200
        assert books.send(100) == {200}
        books.wait(tiers.last, SENT, 100)
        for ledger in books.ledgers:
            tiers.backend.wait(lambda end, signal=ledger.signal: len(arrived(end, signal)) == 100)  # type: ignore[misc]
            lost = ledger.acknowledged - arrived(tiers.backend, ledger.signal).keys()
            assert lost == set(range(500))
        assert books.counted(tiers.last, FAILED) == [500, 500, 500]


@pytest.mark.proves("promise", promises.QUEUE_FULL)
def test_a_full_queue_refuses_and_says_so(tmp_path: Path) -> None:
    """Beyond its limit the queue takes nothing more: the sender is told, it is counted, and what was taken arrives."""
    with standalone(tmp_path, OTELCOL_QUEUE_ITEMS="6000") as tiers:
        tiers.backend.status = 503
        books = Books(tiers.first.http)
        for _ in range(10):
            assert books.send(1000) <= {200, 503}
        refused = [1000 * ledger.answers[503] for ledger in books.ledgers]
        assert min(refused) >= 1000
        assert books.counted(tiers.first, NO_ROOM) == refused
        tiers.backend.status = 200
        books.settle(tiers.backend)
        assert books.send() == {200}


@pytest.mark.proves("promise", promises.MEMORY)
def test_short_memory_refuses_and_says_so(tmp_path: Path) -> None:
    """Beyond its limit of memory it takes nothing, tells the sender to come again, and counts it."""
    with standalone(tmp_path, OTELCOL_MEMORY_MIB="8", OTELCOL_MEMORY_SPIKE_MIB="4") as tiers:
        tiers.first.said("Memory usage is above", 0)
        books = Books(tiers.first.http)
        for _ in range(6):
            assert books.send() <= {200, 503}
        # Not all: now and then a collection of garbage makes room for a moment.
        refused = [10 * ledger.answers[503] for ledger in books.ledgers]
        assert sum(refused) >= 90
        assert books.counted(tiers.first, REFUSED) == refused


@pytest.mark.proves("promise", promises.DAMAGED)
def test_a_queue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With a damaged file it does not start, says whose it is, and starts when the file was moved away."""
    environ = over_otlp(f"http://127.0.0.1:{free_port()}")
    collector = Collector(tmp_path / "data", "standalone.yaml", **environ).start()
    assert Ledger(collector.http).send() == 200
    collector.stop()
    queue = collector.data / "exporter_otlp_http_traces_traces"
    queue.write_bytes(bytes(8192) + queue.read_bytes()[8192:])  # both of its heads
    assert 'failed to start "otlp_http/traces" exporter: invalid database' in refusal(collector)
    queue.rename(tmp_path / "damaged")
    collector.start()
    assert Ledger(collector.http).send() == 200
    collector.stop()


# What is not promised


def lines(collector: Collector, name: str) -> int:
    """Return how many lines a file of telemetry has."""
    file = collector.data / f"{name}.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


@pytest.mark.proves("loss", promises.FILES)
def test_files_have_what_is_older_than_a_second(tmp_path: Path) -> None:
    """A kill takes from the files of traces and logs what was not flushed yet, and nothing before."""
    collector = Collector(tmp_path / "data", "standalone.yaml").start()
    books = Books(collector.http)
    assert books.send() == {200}
    books.wait(collector, SENT, 10)
    before = "otelcol_process_uptime_seconds_total"
    collector.until(before, collector.metrics()[before] + 1.5)
    kept = {name: lines(collector, name) for name in ("traces", "logs")}
    assert kept == {"traces": 1, "logs": 1}
    assert books.send() == {200}
    collector.kill()
    assert all(1 <= lines(collector, name) <= 2 for name in kept)


@pytest.mark.proves("loss", promises.REMOTE_WRITE)
def test_what_is_not_written_is_counted(tmp_path: Path) -> None:
    """Points that Prometheus does not take by remote write are given up and counted; patience made short."""
    with backend() as end:
        end.status = 503
        writes = {"OTELCOL_METRICS_TO": "[prometheus_remote_write]", "OTELCOL_REMOTE_WRITE_URL": end.endpoint}
        with collecting(tmp_path / "data", "standalone.yaml", impatient(tmp_path), **writes) as collector:
            ledger = Ledger(collector.http, "metrics")
            assert ledger.send(100) == 200
            collector.until(ledger.counter(FAILED), 100)
