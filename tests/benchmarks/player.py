"""Runs a program in a process of its own, watched by one variant, a round whenever it is told to.

Reads a line for each round, ``sync 5``, ``memory 5`` or ``count 1``, and answers with a line of JSON. Must not know
which programs and variants there are, nor what is compared.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import psutil  # type: ignore[import-untyped]

from tests.benchmarks import providers
from tests.benchmarks.subjects import SUBJECTS, Subject
from tests.benchmarks.variants import Variant


class Player:
    """One variant at work."""

    def __init__(self, subject: Subject, variant: Variant) -> None:
        self.sdk = variant.sdk()
        program = importlib.import_module(subject.module)  # what is not here yet, some could not patch
        self.around = variant.watch(self.sdk)
        self.ways: Final[Mapping[str, Callable[[], Any]]] = program.runs()
        self.loop = asyncio.Runner()
        self.asked: Final[Mapping[str, Callable[[int], dict[str, Any]]]] = {"memory": self.weigh, "count": self.count}

    def play(self, way: str, runs: int) -> str:
        """Run the program, in an event loop if it needs one, and return its report."""
        run, report = self.ways[way], ""
        if inspect.iscoroutinefunction(run):
            return self.loop.run(self._play(run, runs))
        for _ in range(runs):
            with self.around():
                report = run()
        return report

    async def _play(self, run: Callable[[], Any], runs: int) -> str:
        report = ""
        for _ in range(runs):
            with self.around():
                report = await run()
        return report

    def measure(self, way: str, runs: int) -> dict[str, Any]:
        """Return the CPU time of a round, that of the exporters' threads included."""
        gc.collect()
        began = time.process_time()
        report = self.play(way, runs)
        self.sdk.flush()
        return {"cpu": time.process_time() - began, "report": report}

    def weigh(self, runs: int) -> dict[str, Any]:
        """Return the bytes that the process holds, and how many more a round needs at its peak, before it exports."""
        gc.collect()
        resident = psutil.Process().memory_info().rss
        tracemalloc.start()
        try:
            self.play(next(iter(self.ways)), runs)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.sdk.flush()
        return {"resident": resident, "peak": peak}

    def count(self, runs: int) -> dict[str, Any]:
        """Return the number of records that runs make. Comes last: it watches the exporters from then on."""
        counted: Counter[str] = Counter(spans=0, logs=0, values=0)
        before = self._histograms()
        _divert(providers.Spans, lambda batch: counted.update(spans=len(batch)))
        _divert(providers.Logs, lambda batch: counted.update(logs=len(batch)))
        self.measure(next(iter(self.ways)), runs)
        return {**counted, "values": self._histograms() - before}

    def _histograms(self) -> int:
        """Return the number of values in all histograms."""
        found: list[Any] = []
        _divert(providers.Metrics, found.append)
        self.sdk.meter_provider.force_flush()
        resources = found[-1].resource_metrics if found else ()
        metrics = [metric for one in resources for scope in one.scope_metrics for metric in scope.metrics]
        return sum(getattr(point, "count", 0) for metric in metrics for point in metric.data.data_points)

    def answer(self, what: str, runs: int) -> dict[str, Any]:
        """Do what one line says."""
        return self.asked[what](runs) if what in self.asked else self.measure(what, runs)


def _divert(exporter: type[providers.Sink], take: Callable[[Any], None]) -> None:
    """Have batches taken elsewhere."""

    def divert(self: providers.Sink, batch: Any) -> None:
        take(batch)

    exporter.take = divert  # type: ignore[method-assign]


def main(subject: str, variant: str) -> None:
    """Answer until nothing more is asked."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whoever prints does not answer
    player = Player(SUBJECTS[subject], SUBJECTS[subject].variants[variant])
    for line in sys.stdin:
        what, runs = line.split()
        answers.write(json.dumps(player.answer(what, int(runs))) + "\n")
        answers.flush()
    player.sdk.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
