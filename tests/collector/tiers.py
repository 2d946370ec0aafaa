"""The shipped configurations as they are run: one Collector, or an agent with its gateways, and what they send to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.collector.backends import Backend, backend
from tests.collector.certificates import certify
from tests.collector.collectors import Collector, collecting

SIGNALS = ("TRACES", "METRICS", "LOGS")


def to(endpoint: str) -> dict[str, str]:
    """Return the variables with which everything goes to one OTLP endpoint."""
    return {f"OTELCOL_{signal}_URL": endpoint for signal in SIGNALS}


def over_otlp(endpoint: str) -> dict[str, str]:
    """Return the variables with which a standalone Collector sends everything over OTLP."""
    return to(endpoint) | {f"OTELCOL_{signal}_TO": f"[otlp_http/{signal.lower()}]" for signal in SIGNALS}


class Tiers(NamedTuple):
    """What was started: where programs send to, the rest of the way, and its end."""

    first: Collector
    gateway: Collector | None
    backend: Backend

    @property
    def last(self) -> Collector:
        """What sends to the backend."""
        return self.gateway or self.first


@contextmanager
def standalone(folder: Path, *overlays: str, **environ: str) -> Iterator[Tiers]:
    """Run one Collector that sends everything over OTLP."""
    with backend() as end:
        variables = over_otlp(end.endpoint) | environ
        with collecting(folder / "standalone", "standalone.yaml", *overlays, **variables) as one:
            yield Tiers(one, None, end)


@contextmanager
def two_tiers(folder: Path, *overlays: str, **environ: str) -> Iterator[Tiers]:
    """Run an agent, and a gateway behind it with these additions, over TLS and with a token."""
    certificates = certify(folder)
    with backend() as end:
        sends = to(end.endpoint) | certificates | environ
        with collecting(folder / "gateway", "gateway.yaml", *overlays, **sends) as second:
            finds = {"OTELCOL_GATEWAY": "127.0.0.1", "OTELCOL_GATEWAY_PORT": str(second.ports["GRPC"])}
            # Where a program runs, the first tier knows.
            finds |= {name: value for name, value in environ.items() if name == "OTELCOL_ENVIRONMENT"}
            with collecting(folder / "agent", "agent.yaml", **certificates, **finds) as agent:
                yield Tiers(agent, second, end)


# What the promises are kept by. Additions and variables are for what sends to the backend.
PATHS = {"standalone": standalone, "two tiers": two_tiers}
