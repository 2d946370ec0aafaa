"""What happens to the disk of a Collector: it runs full, or its power is cut; what was acknowledged arrives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.collector import promises
from tests.collector.backends import backend
from tests.collector.collectors import collecting, free_port
from tests.collector.disks import format_disk, mounted, small_disk
from tests.collector.ledger import Books, Ledger
from tests.collector.tiers import over_otlp, standalone, two_tiers

pytestmark = pytest.mark.proof

NO_ROOM = "otelcol_exporter_enqueue_failed_spans_total"
RUN = {"flex_run_id": "r-1"}


@pytest.mark.proves("promise", promises.DISK_FULL)
def test_a_full_disk_refuses_and_says_so(tmp_path: Path) -> None:
    """With no room on its disk it takes nothing more, says so, and goes on by itself when there is room again."""
    with small_disk(tmp_path / "standalone", 4), standalone(tmp_path) as tiers:
        tiers.backend.status = 503
        ledger = Ledger(tiers.first.http)
        while ledger.send(1000) == 200:
            assert ledger.produced < 1_000_000
        assert tiers.first.metrics()[NO_ROOM] >= 1000
        tiers.backend.status = 200
        assert ledger.settle(tiers.backend).keys() >= ledger.acknowledged
        assert ledger.send() == 200
        ledger.settle(tiers.backend)


@pytest.mark.proves("promise", promises.DISK_FULL)
def test_an_agent_keeps_what_a_full_gateway_does_not_take(tmp_path: Path) -> None:
    """With no room on the gateway's disk all waits on the agent's, and arrives when there is room again."""
    with small_disk(tmp_path / "gateway", 4), two_tiers(tmp_path) as tiers:
        tiers.backend.status = 503
        ledger = Ledger(tiers.first.http, **RUN)
        while tiers.last.metrics().get(NO_ROOM, 0) == 0:
            assert ledger.send(1000) == 200
            assert ledger.produced < 1_000_000
        assert ledger.send(1000) == 200
        tiers.backend.status = 200
        assert ledger.settle(tiers.backend).keys() == set(range(ledger.produced))
        assert tiers.first.metrics().get("otelcol_exporter_send_failed_spans_total", 0) == 0


@contextmanager
def power_cut(folder: Path, *additions: str) -> Iterator[tuple[Path, Books, dict[str, bytes]]]:
    """Have a Collector take data, cut its power, and yield its disk, mounted again, and what was acknowledged.

    Its files are added, as they were for those who read them before.
    """
    away = over_otlp(f"http://127.0.0.1:{free_port()}")
    disk, left = folder / "disk", folder / "left"
    format_disk(disk, 32)
    with (
        mounted(disk, folder / "before") as whole,
        collecting(whole.folder, "standalone.yaml", *additions, **away) as one,
    ):
        books = Books(one.http)
        assert [books.send(100) for _ in range(5)] == [{200}] * 5
        seen = queues(whole.folder)
        whole.after_power_cut(left)
    with mounted(left, folder / "after") as rest:
        yield rest.folder, books, seen


def queues(folder: Path) -> dict[str, bytes]:
    """Return the files of the queues."""
    return {path.name: path.read_bytes() for path in folder.glob("exporter_*")}


@pytest.mark.proves("promise", promises.POWER)
def test_a_power_cut_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged is on the disk, and not only in the memory of the kernel."""
    with (
        power_cut(tmp_path) as (disk, books, _),
        backend() as end,
        collecting(disk, "standalone.yaml", **over_otlp(end.endpoint)),
    ):
        books.settle(end)


def test_without_fsync_a_power_cut_would_be_seen(tmp_path: Path) -> None:
    """Without `fsync` a file on the disk after the cut is not what everybody saw before."""
    addition = tmp_path / "fsync.yaml"
    addition.write_text(yaml.safe_dump({"extensions": {"file_storage": {"fsync": False}}}))
    with power_cut(tmp_path, str(addition)) as (disk, _, seen):
        assert len(seen) == 3
        left = queues(disk)
        assert any(left.get(name) != content for name, content in seen.items())
