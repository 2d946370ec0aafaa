"""What goes wrong around a Collector: nothing acknowledged is lost where the docs promise it, or it is counted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collector.backends import backend
from tests.collector.collectors import Collector, collecting, free_port, refusal
from tests.collector.ledger import Ledger, arrived
from tests.collector.tiers import over_otlp, standalone
from tests.need import missing

pytestmark = pytest.mark.proof

SENT, FAILED = "otelcol_exporter_sent_spans_total", "otelcol_exporter_send_failed_spans_total"
REFUSED = "otelcol_exporter_enqueue_failed_spans_total"
NAMES = {"traces": "spans", "logs": "log_records"}


@pytest.mark.parametrize("signal", NAMES)
def test_a_kill_in_mid_stream_loses_nothing(tmp_path: Path, signal: str) -> None:
    """Killed twice while data comes in and the backend is away, it delivers all that it acknowledged."""
    with backend() as end:
        collector = Collector(tmp_path / "data", "standalone.yaml", **over_otlp(end.endpoint)).start()
        ledger = Ledger(collector.http, signal)
        with ledger.streaming():
            ledger.until(200)
            end.status = 503
            ledger.until(500)
            collector.kill()
            collector.start()
            ledger.until(500)
            collector.kill()
            end.status = 200
            collector.start()
            ledger.until(200)
        received = ledger.settle(end)
        collector.stop()
    lost = ledger.acknowledged - received.keys()
    assert lost == set()
    assert len(ledger.acknowledged) >= 1400


def test_a_backend_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """With nobody at the other end, all waits on disk, over an orderly restart, too, and arrives when he is back."""
    port = free_port()
    collector = Collector(tmp_path / "data", "standalone.yaml", **over_otlp(f"http://127.0.0.1:{port}")).start()
    ledger = Ledger(collector.http)
    assert [ledger.send(100) for _ in range(10)] == [200] * 10
    collector.stop()
    collector.start()
    assert ledger.send(100) == 200
    with backend(port=port) as end:
        received = ledger.settle(end)
        assert received.keys() == set(range(1100))
        assert collector.metrics().get(FAILED, 0) == 0
        collector.stop()


@pytest.mark.parametrize("status", [429, 503])
def test_a_backend_that_asks_for_time_gets_it(tmp_path: Path, status: int) -> None:
    """What is answered with "later" is sent later, and nothing counts as failed."""
    with standalone(tmp_path) as tiers:
        tiers.backend.status = status
        ledger = Ledger(tiers.first.http)
        assert [ledger.send(100) for _ in range(5)] == [200] * 5
        tiers.backend.refusal(3)
        tiers.backend.status = 200
        assert ledger.settle(tiers.backend).keys() == set(range(500))
        assert tiers.first.metrics().get(FAILED, 0) == 0


def test_what_a_backend_refuses_for_good_is_counted(tmp_path: Path) -> None:
    """A 400 drops what was refused, counts it span by span, and does not hold up what comes after."""
    with standalone(tmp_path) as tiers:
        tiers.backend.status = 400
        ledger = Ledger(tiers.first.http)
        assert [ledger.send(100) for _ in range(5)] == [200] * 5
        tiers.first.until(FAILED, 500)
        tiers.backend.status = 200
        assert ledger.send(100) == 200
        tiers.backend.wait(lambda end: arrived(end).keys() >= set(range(500, 600)))
        tiers.first.until(SENT, 100)
        counted = tiers.first.metrics()
    lost = ledger.acknowledged - arrived(tiers.backend).keys()
    assert lost == set(range(500))
    assert counted[FAILED] == len(lost)


def test_a_full_queue_refuses_and_says_so(tmp_path: Path) -> None:
    """Beyond its limit the queue takes nothing more: the sender is told, it is counted, and what was taken arrives."""
    with standalone(tmp_path, OTELCOL_QUEUE_ITEMS="6000") as tiers:
        tiers.backend.status = 503
        ledger = Ledger(tiers.first.http)
        answers = [ledger.send(1000) for _ in range(20)]
        assert set(answers) == {200, 503}
        refused = answers.count(503) * 1000
        assert tiers.first.metrics()[REFUSED] == refused
        tiers.backend.status = 200
        received = ledger.settle(tiers.backend)
        assert received.keys() == ledger.acknowledged
        assert ledger.send() == 200


def test_short_memory_refuses_and_says_so(tmp_path: Path) -> None:
    """Beyond its limit of memory it takes nothing, tells the sender to come again, and counts it."""
    with standalone(tmp_path, OTELCOL_MEMORY_MIB="8", OTELCOL_MEMORY_SPIKE_MIB="4") as tiers:
        tiers.first.said("Memory usage is above", 0)
        ledger = Ledger(tiers.first.http)
        answers = [ledger.send() for _ in range(6)]
        refused = answers.count(503)  # not all: now and then a collection of garbage makes room for a moment
        assert set(answers) <= {200, 503}
        assert refused >= 3
        assert tiers.first.metrics()["otelcol_receiver_refused_spans_total"] == 10 * refused


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small disk of its own."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        missing("the right to mount a disk", "run the tests as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_and_says_so(tmp_path: Path) -> None:
    """With no room on its disk it takes nothing more, says so, and goes on by itself when there is room again."""
    with disk(tmp_path / "disk", 4) as small, backend() as end:
        end.status = 503
        with collecting(small, "standalone.yaml", **over_otlp(end.endpoint)) as collector:
            ledger = Ledger(collector.http)
            while ledger.send(1000) == 200:
                assert ledger.produced < 1_000_000
            assert collector.metrics()[REFUSED] >= 1000
            end.status = 200
            received = ledger.settle(end)
            assert received.keys() >= ledger.acknowledged
            assert ledger.send() == 200
            ledger.settle(end)


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
