"""Runs the LangGraph program in a process of its own, watched by one variant, a round whenever it is told to.

Reads a line for each round, ``sync 5``, ``async 5`` or ``count 1``, and answers with a line of JSON. Must not know
which variants there are, nor what is compared.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from tests.benchmarks import program, providers
from tests.benchmarks.variants import VARIANTS, Around, Variant

QUESTION: Final[dict[str, Any]] = {"messages": []}


class Player:
    """One variant at work."""

    def __init__(self, variant: Variant) -> None:
        self.sdk = variant.sdk()
        self.around: Around = variant.watch(self.sdk)
        self.graph = program.build()
        self.loop = asyncio.Runner()
        self.ways: dict[str, Callable[[int], str]] = {"sync": self.sync, "async": self.asynchronous}

    def sync(self, runs: int) -> str:
        """Run the program, and return its report."""
        for _ in range(runs):
            with self.around():
                result = self.graph.invoke(QUESTION)
        return str(result["report"])

    def asynchronous(self, runs: int) -> str:
        """Do the same in an event loop."""
        return self.loop.run(self._asynchronous(runs))

    async def _asynchronous(self, runs: int) -> str:
        for _ in range(runs):
            with self.around():
                result = await self.graph.ainvoke(QUESTION)
        return str(result["report"])

    def measure(self, way: str, runs: int) -> dict[str, Any]:
        """Return the CPU time of a round, that of the exporters' threads included."""
        gc.collect()
        began = time.process_time()
        report = self.ways[way](runs)
        self.sdk.flush()
        return {"cpu": time.process_time() - began, "report": report}

    def count(self) -> dict[str, int]:
        """Return the number of records that one run makes. Comes last: it watches the exporters from then on."""
        counted: Counter[str] = Counter(spans=0, logs=0, values=0)
        before = self._histograms()
        _divert(providers.Spans, lambda batch: counted.update(spans=len(batch)))
        _divert(providers.Logs, lambda batch: counted.update(logs=len(batch)))
        self.measure("sync", 1)
        return {**counted, "values": self._histograms() - before}

    def _histograms(self) -> int:
        """Return the number of values in all histograms."""
        found: list[Any] = []
        _divert(providers.Metrics, found.append)
        self.sdk.meter_provider.force_flush()
        resources = found[-1].resource_metrics if found else ()
        metrics = [metric for one in resources for scope in one.scope_metrics for metric in scope.metrics]
        return sum(getattr(point, "count", 0) for metric in metrics for point in metric.data.data_points)

    def answer(self, way: str, runs: int) -> dict[str, Any]:
        """Do what one line says."""
        return dict(self.count()) if way == "count" else self.measure(way, runs)


def _divert(exporter: type[providers.Sink], take: Callable[[Any], None]) -> None:
    """Have batches taken elsewhere."""

    def divert(self: providers.Sink, batch: Any) -> None:
        take(batch)

    exporter.take = divert  # type: ignore[method-assign]


def main(name: str) -> None:
    """Answer until nothing more is asked."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whoever prints does not answer
    player = Player(VARIANTS[name])
    for line in sys.stdin:
        way, runs = line.split()
        answers.write(json.dumps(player.answer(way, int(runs))) + "\n")
        answers.flush()
    player.sdk.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
