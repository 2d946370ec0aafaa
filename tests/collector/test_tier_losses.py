"""Two tiers, of which one or the other is killed or taken away: what was acknowledged arrives all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.collector.backends import backend
from tests.collector.certificates import certify
from tests.collector.collectors import Collector
from tests.collector.ledger import Ledger
from tests.collector.tiers import Tiers, to, two_tiers

pytestmark = pytest.mark.proof

RUN = {"flex_run_id": "r-1"}
READY = "Everything is ready"


@pytest.mark.parametrize("signal_name", ["traces", "logs"])
@pytest.mark.parametrize("victim", ["agent", "gateway"])
def test_a_kill_in_mid_stream_loses_nothing(tmp_path: Path, victim: str, signal_name: str) -> None:
    """Either tier is killed while data comes in and the backend is away: all that an agent acknowledged arrives."""
    with two_tiers(tmp_path) as tiers:
        assert tiers.gateway is not None
        killed = {"agent": tiers.first, "gateway": tiers.gateway}[victim]
        ledger = Ledger(tiers.first.http, signal_name, **RUN)
        with ledger.streaming():
            ledger.until(200)
            tiers.backend.status = 503
            ledger.until(500)
            killed.kill()
            killed.start()
            ledger.until(300)
            tiers.backend.status = 200
            ledger.until(200)
        received = ledger.settle(tiers.backend)
    assert ledger.acknowledged - received.keys() == set()


def test_the_sampler_holds_in_memory_what_is_not_of_a_run(tmp_path: Path) -> None:
    """A kill of the gateway loses the undecided traces in which no agent runs, and no span of a run."""
    with two_tiers(tmp_path, OTELCOL_SAMPLE_PERCENT="100") as tiers:
        assert tiers.gateway is not None
        runs, rest = Ledger(tiers.first.http, **RUN), Ledger(tiers.first.http)
        rest.produced = 1000
        assert runs.send(500) == rest.send(500) == 200
        tiers.first.until("otelcol_exporter_sent_spans_total", 1000)
        tiers.gateway.kill()
        tiers.gateway.start()
        received = runs.settle(tiers.backend)
    assert received.keys() == runs.acknowledged


def resolving(file: Path, gateways: list[Collector]) -> None:
    """Write which gateways an agent knows, as its resolver would find out."""
    names = [f"127.0.0.1:{gateway.ports['GRPC']}" for gateway in gateways]
    resolver = {"dns": None, "static": {"hostnames": names}}
    file.write_text(yaml.safe_dump({"exporters": {"load_balancing": {"resolver": resolver}}}))


def reload(agent: Collector) -> None:
    """Have an agent read its configuration again."""
    before = sum(READY in line for line in agent.log)
    os.kill(agent.pid, signal.SIGHUP)
    agent.said(READY, before)


@contextmanager
def three_gateways(folder: Path) -> Iterator[tuple[Tiers, list[Collector], Path]]:
    """Run an agent with three gateways behind it, and one backend behind all."""
    certificates = certify(folder)
    with backend() as end, ExitStack() as stack:
        sends = to(end.endpoint) | certificates
        gateways = [Collector(folder / f"gateway-{number}", "gateway.yaml", **sends) for number in range(3)]
        known = folder / "gateways.yaml"
        resolving(known, gateways)
        finds = {"OTELCOL_GATEWAY": "127.0.0.1", "OTELCOL_GATEWAY_PORT": str(gateways[0].ports["GRPC"])}
        agent = Collector(folder / "agent", "agent.yaml", str(known), **certificates, **finds)
        for each in (*gateways, agent):
            stack.callback(each.end)
            each.start()
        yield Tiers(agent, None, end), gateways, known
        for each in (agent, *gateways):
            each.stop()


def traces_at(gateway: Collector) -> float:
    """Return how many spans a gateway took."""
    return gateway.metrics().get("otelcol_receiver_accepted_spans_total", 0)


def test_from_three_gateways_to_two_to_three(tmp_path: Path) -> None:
    """One gateway of three dies with a full queue, and comes back later: what was acknowledged arrives, all of it."""
    with three_gateways(tmp_path) as (tiers, gateways, known):
        ledger = Ledger(tiers.first.http, **RUN)
        with ledger.streaming():
            ledger.until(300)
            tiers.backend.status = 503
            ledger.until(500)
            gateways[2].kill()
            ledger.until(300)
            resolving(known, gateways[:2])
            reload(tiers.first)
            tiers.backend.status = 200
            ledger.until(300)
            gateways[2].start()
            resolving(known, gateways)
            reload(tiers.first)
            ledger.until(300)
        received = ledger.settle(tiers.backend)
        assert [gateway for gateway in gateways if traces_at(gateway) == 0] == []
    assert ledger.acknowledged - received.keys() == set()
