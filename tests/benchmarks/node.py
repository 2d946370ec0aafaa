"""What one node costs: through the recorder, through a patched call, written by hand, and switched off."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from otel_agents.config import Config
from otel_agents.operation import Identity
from otel_agents.patching.apply import apply
from otel_agents.patching.table import Adapter, Call, Patch, Start
from otel_agents.pipeline import Pipeline
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from tests.benchmarks import host
from tests.benchmarks.floor import Floor
from tests.benchmarks.measuring import Case, Row, compare, in_turn, micros
from tests.benchmarks.providers import Sdk

RUNTIME: Final = "benchmark"
bare: Final = host.work  # as it is before anybody patches it
CALLS: Final = 500  # fewer records than a batch processor keeps, so that none is lost
IDLE_CALLS: Final = 20_000
SAMPLED, UNSAMPLED, OTLP = "sampled", "unsampled", "OTLP"


def values(name: str) -> dict[str, object]:
    """Return what is known of a node when it starts."""
    return {a.FLEX_NODE_ID: name, a.FLEX_NODE_KIND: "step", a.FLEX_NODE_LABEL: name, a.FLEX_NODE_ATTEMPT: 1}


def before(call: Call) -> Start:
    """Read a node off the arguments of the host's function."""
    name: str = call.args[0]
    return Start(name, values(name))


ADAPTER: Final = Adapter(
    name=RUNTIME,
    runtime=RUNTIME,
    distribution="otel-agents",
    tested=("0", "1"),
    patches=(Patch("tests.benchmarks.host:work", k.NODE, "It is what a node does.", before=before),),
)


@contextmanager
def patched() -> Iterator[Callable[..., str]]:
    """Return the host's function, patched."""
    applied = apply(ADAPTER)
    try:
        yield host.work
    finally:
        applied.undo()


def recorded(name: str) -> str:
    """Tell the recorder of one node, and run it."""
    operation = RECORDER.start(k.NODE, name, values(name), runtime=RUNTIME)
    if operation is None:
        return bare(name)
    entered = RECORDER.enter(operation)
    result = bare(name)
    RECORDER.leave(operation, entered)
    RECORDER.end(operation)
    return result


def by_hand(args: tuple[str, ...]) -> tuple[str, str]:
    """Return the name of a node, which is its id, too."""
    return args[0], args[0]


class Lane:
    """A run of its own, with providers of its own, in which nodes are made again and again."""

    def __init__(self, sdk: Sdk) -> None:
        self.sdk = sdk
        self._context = contextvars.copy_context()

    def floor(self, name: str) -> Case:
        """Measure the hand-written code."""
        floor = Floor(self.sdk, RUNTIME)
        self._context.run(floor.run, "benchmark")
        return self._case(name, floor.watched(bare, by_hand), lambda: None)

    def ours(self, name: str, node: Callable[[str], str], config: Config) -> Case:
        """Measure our code."""
        sdk = self.sdk
        pipe = Pipeline(
            config,
            tracer_provider=sdk.tracer_provider,
            meter_provider=sdk.meter_provider,
            logger_provider=sdk.logger_provider,
        )
        pipe.install()
        self._context.run(_open_run)
        return self._case(name, node, pipe.install)

    def _case(self, name: str, node: Callable[[str], str], prepare: Callable[[], object]) -> Case:
        def nodes() -> None:
            for _ in range(CALLS):
                node("draft")
            self.sdk.flush()

        return Case(name, lambda: self._context.run(nodes), prepare)


def _open_run() -> None:
    run = RECORDER.start_run("benchmark", Identity(RUNTIME))
    assert run is not None
    RECORDER.enter(run)


def cases(work: Callable[[str], str]) -> Iterator[Case]:
    """Return the hand-written code and ours, on each kind of provider."""
    config = Config.load({}, strict=True)
    sdks = {SAMPLED: {"sampler": ALWAYS_ON}, UNSAMPLED: {"sampler": ALWAYS_OFF}, OTLP: {"otlp": True}}
    for name, options in sdks.items():
        yield Lane(Sdk(**options)).floor(f"floor {name}")  # type: ignore[arg-type]
        yield Lane(Sdk(**options)).ours(f"recorder {name}", recorded, config)  # type: ignore[arg-type]
        yield Lane(Sdk(**options)).ours(f"patched {name}", work, config)  # type: ignore[arg-type]


def rows(spent: Mapping[str, list[float]]) -> Iterator[Row]:
    """Return the comparisons."""
    for way, what in (("recorder", "told by hand to the recorder"), ("patched", "through a patched call")):
        for kind in (SAMPLED, UNSAMPLED, OTLP):
            ours, base = spent[f"{way} {kind}"], spent[f"floor {kind}"]
            goal = None if kind == UNSAMPLED else 1.2
            note = f"{micros(ours, CALLS)} / {micros(base, CALLS)}"
            yield compare("node", f"{what}, {kind}, to the hand-written floor", ours, base, goal=goal, note=note)
    ours, base = spent[f"patched {UNSAMPLED}"], spent[f"patched {SAMPLED}"]
    note = f"{micros(ours, CALLS)} / {micros(base, CALLS)}"
    yield compare("node", "through a patched call, unsampled to sampled", ours, base, goal=0.75, note=note)


def idle(work: Callable[[str], str], node_s: float) -> Row:
    """Compare a patched call that nobody listens to with the bare one, in units of one hand-written node."""

    def nodes(call: Callable[[str], str]) -> Callable[[], None]:
        def many() -> None:
            for _ in range(IDLE_CALLS):
                call("draft")

        return many

    Pipeline(Config.load({}, strict=True)).install()
    spent = in_turn([Case("patched", nodes(work)), Case("bare", nodes(bare))], 15)
    extra = [(ours - base) / IDLE_CALLS for ours, base in zip(spent["patched"], spent["bare"], strict=True)]
    note = f"{micros(spent['patched'], IDLE_CALLS)} / {micros(spent['bare'], IDLE_CALLS)}"
    name = "a patched call while no SDK listens, over the bare call, to a hand-written node"
    return compare("switched off", name, extra, [node_s] * len(extra), goal=0.05, note=note)


def measure(rounds: int) -> Iterator[Row]:
    """Measure nodes."""
    with patched() as work:
        spent = in_turn(cases(work), rounds)
        yield from rows(spent)
        floor = sorted(spent[f"floor {SAMPLED}"])
        yield idle(work, floor[len(floor) // 2] / CALLS)
    RECORDER.install(())
