"""Two tiers, of which one or the other is killed, full, or taken away: what was acknowledged arrives all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.collector import promises
from tests.collector.backends import Backend, backend
from tests.collector.certificates import certify
from tests.collector.collectors import Collector, free_port
from tests.collector.hosts import knowing
from tests.collector.ledger import Books, Ledger, arrived
from tests.collector.tiers import to, two_tiers

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]  # waits between retries become long, one behind another

RUN = {"flex_run_id": "r-1"}
SENT, FAILED = "exporter_sent", "exporter_send_failed"
NO_ROOM, REFUSED = "exporter_enqueue_failed", "receiver_refused"
UNDECIDED = "otelcol_processor_tail_sampling_sampling_traces_on_memory"
WAITS = "otelcol_exporter_queue_size"
GATEWAYS = "otelcol_loadbalancer_num_backends"
NAME = "gateway.test"
SMALLEST = 25_000  # what docs/reference/collector.md asks for: a batch of an agent can be 19,000 records of 55 bytes
SMALL = """
processors: {tail_sampling: {decision_wait: 1s}}
exporters: {otlp_http/traces: {sending_queue: {queue_size: 100, batch: {sizer: items, min_size: 10, max_size: 50}}}}
"""


@pytest.mark.parametrize("victim", ["agent", "gateway"])
@pytest.mark.proves("promise", promises.KILLED, promises.GATEWAY_GONE)
def test_a_kill_in_mid_stream_loses_nothing(tmp_path: Path, victim: str) -> None:
    """Either tier is killed while data comes in and the backend is away: all that an agent acknowledged arrives."""
    with two_tiers(tmp_path) as tiers:
        killed = {"agent": tiers.first, "gateway": tiers.last}[victim]
        books = Books(tiers.first.http, **RUN)
        with books.streaming():
            books.until(200)
            tiers.backend.status = 503
            books.until(300)
            killed.kill()
            killed.start()
            books.until(300)
            tiers.backend.status = 200
            books.until(200)
        books.settle(tiers.backend)


@pytest.mark.proves("promise", promises.QUEUE_FULL)
def test_an_agent_keeps_what_a_full_gateway_does_not_take(tmp_path: Path) -> None:
    """What finds no room in the gateway's queues waits in the agent's, and arrives, of each signal."""
    with two_tiers(tmp_path, OTELCOL_QUEUE_ITEMS=str(SMALLEST)) as tiers:
        tiers.backend.status = 503
        books = Books(tiers.first.http, **RUN)
        assert [books.send(1000) for _ in range(30)] == [{200}] * 30
        books.wait(tiers.last, NO_ROOM, 1)
        tiers.backend.status = 200
        books.settle(tiers.backend)
        assert books.counted(tiers.first, FAILED) == [0, 0, 0]


@pytest.mark.proves("promise", promises.MEMORY)
def test_an_agent_keeps_what_a_gateway_has_no_memory_for(tmp_path: Path) -> None:
    """What a gateway refuses for want of memory is counted there, waits with the agent, and arrives when there is."""
    with two_tiers(tmp_path, OTELCOL_MEMORY_MIB="8", OTELCOL_MEMORY_SPIKE_MIB="4") as tiers:
        tiers.last.said("Memory usage is above", 0)
        books = Books(tiers.first.http, **RUN)
        assert [books.send(100) for _ in range(3)] == [{200}] * 3
        books.wait(tiers.last, REFUSED, 100)
        tiers.last.stop()
        tiers.last.environ |= {"OTELCOL_MEMORY_MIB": "512", "OTELCOL_MEMORY_SPIKE_MIB": "128"}
        tiers.last.start()
        books.settle(tiers.backend)


@pytest.mark.proves("loss", promises.UNDECIDED)
def test_the_sampler_holds_in_memory_what_is_not_of_a_run(tmp_path: Path) -> None:
    """A kill of the gateway loses the undecided traces in which no agent runs, and no span of a run."""
    with two_tiers(tmp_path, OTELCOL_SAMPLE_PERCENT="100") as tiers:
        runs, rest = Ledger(tiers.first.http, **RUN), Ledger(tiers.first.http)
        rest.produced = 1000
        assert runs.send(500) == rest.send(500) == 200
        tiers.first.until("otelcol_exporter_sent_spans_total", 1000)
        tiers.last.until(UNDECIDED, 500)
        tiers.last.kill()
        tiers.last.start()
        received = runs.settle(tiers.backend)
        assert tiers.last.metrics().get(UNDECIDED, 0) == 0
    assert received.keys() == runs.acknowledged


@pytest.mark.proves("loss", promises.NO_ROOM)
def test_what_was_sampled_and_finds_no_room_is_counted(tmp_path: Path) -> None:
    """Behind the sampler nobody waits for an answer: what finds no room in the gateway's queue is lost, and counted."""
    small = tmp_path / "small.yaml"
    small.write_text(SMALL)
    with two_tiers(tmp_path, str(small), OTELCOL_SAMPLE_PERCENT="100") as tiers:
        tiers.backend.status = 503
        rest = Ledger(tiers.first.http)
        assert rest.send(300) == 200
        decided(tiers.last, rest)
        tiers.backend.status = 200
        counted = rest.counted(tiers.last, NO_ROOM)
        tiers.backend.wait(lambda end: len(arrived(end)) == rest.produced - counted)
        lost = rest.acknowledged - arrived(tiers.backend).keys()
        assert 0 < counted == len(lost) == rest.counted(tiers.last, NO_ROOM)


def decided(gateway: Collector, ledger: Ledger) -> None:
    """Return when all that was produced waits in the queue of a gateway, or found no room there."""
    end = time.monotonic() + 60
    while gateway.metrics().get(WAITS, 0) + ledger.counted(gateway, NO_ROOM) < ledger.produced:
        assert time.monotonic() < end, gateway.metrics()
        time.sleep(0.05)


# Gateways that come and go


TAKEN_S = 30


class Fleet(NamedTuple):
    """An agent, three gateways behind it, and what says at which addresses they are."""

    agent: Collector
    gateways: dict[str, Collector]
    hosts: Path
    backend: Backend

    def known(self, *addresses: str) -> None:
        """Have the name of the gateways lead to these addresses, and wait until the agent has noticed."""
        self.hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))
        self.agent.until(GATEWAYS, len(addresses), exactly=True)

    def taking(self, items: str) -> str:
        """Return the address of the one gateway that takes a signal, as soon as it has."""
        end = time.monotonic() + TAKEN_S
        while not (found := [address for address, one in self.gateways.items() if accepted(one, items)]):
            assert time.monotonic() < end
            time.sleep(0.05)
        [address] = found
        return address


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Run an agent with three gateways of one name on one port, as the shipped configuration finds them."""
    certificates = certify(folder, NAME)
    addresses, port, hosts = ("127.0.0.1", "127.0.0.2", "127.0.0.3"), str(free_port()), folder / "hosts"
    hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))
    with backend() as end, ExitStack() as stack:
        sends = to(end.endpoint) | certificates | {"OTELCOL_GRPC_PORT": port}
        gateways = {
            address: Collector(folder / address, "gateway.yaml", **sends, OTELCOL_HOST=address) for address in addresses
        }
        finds = {"OTELCOL_GATEWAY": NAME, "OTELCOL_GATEWAY_PORT": port}
        agent = knowing(Collector(folder / "agent", "agent.yaml", **certificates, **finds), hosts)
        for each in (*gateways.values(), agent):
            stack.callback(each.end)
            each.start()
        yield Fleet(agent, gateways, hosts, end)
        for each in (agent, *gateways.values()):
            each.stop()


def accepted(gateway: Collector, items: str) -> float:
    """Return how many items of a signal a gateway took."""
    return gateway.metrics().get(f"otelcol_receiver_accepted_{items}_total", 0)


@pytest.mark.proves("promise", promises.GATEWAYS_CHANGE, promises.GATEWAY_GONE)
def test_from_three_gateways_to_two_to_three(tmp_path: Path) -> None:
    """One gateway of three dies with a full queue, and comes back later: what was acknowledged arrives, all of it.

    It is the one that takes the agent's logs, and the agent finds out by the name of the gateways.
    """
    with fleet(tmp_path) as three:
        books = Books(three.agent.http, **RUN)
        with books.streaming():
            books.until(300)
            three.backend.status = 503
            books.until(300)
            victim = three.taking("log_records")
            three.gateways[victim].kill()
            books.until(300)
            three.known(*(three.gateways.keys() - {victim}))
            three.backend.status = 200
            books.until(300)
            three.gateways[victim].start()
            three.known(*three.gateways)
            books.until(300)
            three.gateways[victim].until("otelcol_receiver_accepted_spans_total", 1)
        books.settle(three.backend)
        assert three.agent.metrics()["otelcol_loadbalancer_num_backend_updates_total"] == 3
        assert [one for one in three.gateways.values() if accepted(one, "spans") == 0] == []
