"""The signals that a Config asks for, built and installed in the recorder; must not know which pipeline is active."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from opentelemetry import baggage
from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider, get_meter_provider
from opentelemetry.trace import TracerProvider, get_tracer_provider

from otel_agents import guard, notice
from otel_agents.audit.log import Audit
from otel_agents.bus.hub import Hub
from otel_agents.cleaning import text
from otel_agents.config import Config
from otel_agents.lineage import own
from otel_agents.operation import ABANDONED, Signal, current
from otel_agents.outage import LastingPauses
from otel_agents.pauses import MemoryPauses, PauseStore, open_pauses
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.signals.audit import Trail
from otel_agents.signals.eventlog import EventLog, Mode
from otel_agents.signals.feed import Envelope, Feed
from otel_agents.signals.logcontext import LogContext
from otel_agents.signals.logs import Logs
from otel_agents.signals.metrics import Metrics
from otel_agents.signals.spans import Spans

if TYPE_CHECKING:
    from otel_agents.signals.page import Page

PatchPoints = Callable[[], Mapping[tuple[str, str], int]]
FLUSH_S: Final = 2.0
LOOK_EVERY_NS: Final = 1_000_000  # asking OpenTelemetry for its providers costs ten times as much as not asking
LOGGER: Final = "otel_agents"


class Pipeline:
    """Signals at work. Providers that are not given are OpenTelemetry's global ones, also when they are set later.

    ``patch_points`` returns the number of patch points by adapter and state; ``extra`` are further signals.
    """

    _look_again_ns = 0

    def __init__(
        self,
        config: Config,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        patch_points: PatchPoints = dict,
        extra: tuple[Signal, ...] = (),
    ) -> None:
        self.config = config
        self.patch_points = patch_points
        self.hub = Hub(ring_size=config.ring_size, queue_size=config.queue_size)
        self.pauses = _pauses(config)
        capture = config.capture
        self.spans = Spans(tracer_provider, content=capture.spans, propagate_run=config.propagate_run)
        asked = config.signals if config.enabled else ()
        self.metrics = self._metrics(meter_provider if "metrics" in asked else NoOpMeterProvider())
        self.more_metrics: tuple[Metrics, ...] = ()
        self._page: Page | None = None
        self.logs = Logs(logger_provider, capture)
        every: tuple[Signal, ...] = (self.spans, self.metrics, self.logs, Feed(self.hub, capture))
        self.signals = (*(signal for signal in every if signal.name in asked), *extra)
        self.log_context = LogContext() if self.logs in self.signals else None
        self.event_log = _event_log(config)
        self.signals = (*self.signals, self.event_log) if self.event_log is not None else self.signals
        self.audit = Audit.of(config)
        if self.audit is not None:
            self.signals = (*self.signals, Trail(self.audit.hub, Envelope(capture, self.audit.conceal)))
        self._given = tracer_provider, logger_provider, meter_provider
        self._heard = bool(extra)

    def install(self) -> None:
        """Have the recorder tell this pipeline's signals, and the standard library's loggers know of runs."""
        for opened in (self.log_context, self.event_log, self.audit):
            if opened is not None:
                opened.open()
        self._tell()

    def page(self) -> Page:
        """Return the page of metrics for Prometheus. The first call puts it up: it knows nothing of what was before."""
        if self._page is None:
            from otel_agents.signals.page import Page

            self._page = Page(self._providers()[2])
            if self._page.is_own and self.metrics in self.signals:
                self.more_metrics = (self._metrics(self._page.provider),)
                self.signals = (*self.signals, *self.more_metrics)
                for runtime in self.metrics.runtimes:
                    self.announce(runtime)
                self._tell()
            self.metrics.start_at_zero()
        return self._page

    def announce(self, runtime: str) -> None:
        """Report a runtime from now on, with zeros until something happens."""
        for metrics in (self.metrics, *self.more_metrics):
            metrics.announce(runtime)

    def mark(self, profile_id: str) -> None:
        """Have the spans of the time that begins name its profile, also those that are open; "" ends that time."""
        self.spans.mark(profile_id, own(RECORDER.open))

    def _tell(self) -> None:
        RECORDER.install(
            self.signals,
            listening=self.listening,
            capture=self.config.capture,
            pauses=self.pauses,
            remote_correlation=_correlation if self.config.propagate_run else str,
        )

    def listening(self) -> bool:
        """Whether an operation would be seen: telemetry is not suppressed, and somebody listens."""
        if not self._heard and not self._look():
            return False
        inside = current()
        if inside is not None and inside.trace is not None and inside.trace.context is get_current():
            return True  # it could start, so nothing is suppressed in its context, and contexts do not change
        return is_instrumentation_enabled()

    def _look(self) -> bool:
        """Look for subscribers, who may come and go, and now and then for an SDK, which stays."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._look_again_ns:
            self._look_again_ns = now_ns + LOOK_EVERY_NS
            if any(signal.listening() for signal in self.signals if signal.name != Feed.name):
                self._heard = True
                # Registered only now: what is registered last runs first, so runs end before the SDK flushes.
                atexit.register(self.finish)
        return self._heard or (self.hub.active and self.config.enabled)

    def finish(self) -> None:
        """End what still runs as abandoned and deliver what is queued; called at exit."""
        for operation in own(RECORDER.open):
            RECORDER.end(operation, outcome=ABANDONED)
        self._deliver(FLUSH_S)

    def leave(self) -> None:
        """Do what exit does, in a process that ends without it; takes no longer than two seconds for the exporters.

        No scrape comes after this, so what is said of metrics and Prometheus at ``flush`` does not matter here.
        """
        self.finish()
        sending = threading.Thread(target=_flush_all, args=(self._providers(), FLUSH_S), daemon=True)
        sending.start()
        sending.join(FLUSH_S)

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Deliver what is queued.

        Metrics are left to their readers while a Prometheus reader may be attached: ``MeterProvider.force_flush``
        makes it show every sample twice at the next scrape (opentelemetry-sdk 1.45).
        """
        self._deliver(timeout_s)
        traces, logs, _ = self._providers()
        _flush_all((traces, logs), timeout_s)

    def health(self) -> dict[str, object]:
        """Return the state of telemetry: what is heard, patch points by adapter and state, losses, own errors."""
        errors, dropped, failed = guard.errors(), self.dropped(), self.hub.failed
        audit = self.audit.health() if self.audit is not None else None
        points: dict[str, dict[str, int]] = {}
        for (adapter, state), count in self.patch_points().items():
            points.setdefault(adapter, {})[state] = count
        degraded = errors or dropped or failed or any(state.get("missing") for state in points.values())
        degraded = degraded or (audit is not None and not audit["writing"])
        return {
            "status": "degraded" if degraded else "healthy",
            "signals": list(dict.fromkeys(signal.name for signal in self.signals)),
            "listening": self.listening(),
            "patch_points": points,
            "dropped_events": dropped,
            "failed_subscribers": failed,
            "audit": audit,
            "errors": errors,
            "problems": [str(problem) for problem in self.config.problems],
        }

    def dropped(self) -> dict[str, int]:
        """Return how many events each subscriber missed, and how many records the audit."""
        return self.hub.dropped | (self.audit.dropped if self.audit is not None else {})

    def close(self) -> None:
        """Let go of everything; the providers stay with whoever made them."""
        atexit.unregister(self.finish)
        self.silence()
        pages = (self._page.close,) if self._page is not None else ()
        metrics = (each.close for each in (self.metrics, *self.more_metrics))
        for release in (self.hub.close, *metrics, *pages, self.pauses.close):
            guard.run("pipeline.close", release)

    def _metrics(self, provider: MeterProvider | None) -> Metrics:
        return Metrics(
            provider,
            sets=self.config.metric_sets,
            recorder=RECORDER,
            pauses=self.pauses,
            patch_points=self.patch_points,
            dropped=self.dropped,
        )

    def _deliver(self, timeout_s: float) -> None:
        for hub in (self.hub, *((self.audit.hub,) if self.audit is not None else ())):
            guard.run("pipeline.flush", hub.flush, timeout_s)

    def _providers(self) -> tuple[TracerProvider, LoggerProvider, MeterProvider]:
        traces, logs, metrics = self._given
        return traces or get_tracer_provider(), logs or get_logger_provider(), metrics or get_meter_provider()

    def silence(self) -> None:
        for opened in (self.event_log, self.log_context, self.audit):
            if opened is not None:
                guard.run("pipeline.close", opened.close)


def _pauses(config: Config) -> PauseStore:
    """Open the pause store; one that cannot be opened is said once, and pauses stay in memory."""
    try:
        opened = open_pauses(config.pause_store)
    except (ModuleNotFoundError, ValueError) as error:
        notice.warn(LOGGER, "%s. Until then pauses are kept in memory.", error)
        return MemoryPauses()
    return opened if isinstance(opened, MemoryPauses) else LastingPauses(opened)


def _event_log(config: Config) -> EventLog | None:
    if not config.enabled or config.event_log == "off":
        return None
    mode: Mode = "stderr" if config.event_log == "stderr" else "propagate"
    return EventLog(mode, Envelope(config.capture), as_json=config.json_logs, level=config.log_level)


def _flush_all(providers: tuple[object, ...], timeout_s: float) -> None:
    for provider in providers:
        flush = getattr(provider, "force_flush", None)
        if flush is not None:
            guard.run("pipeline.flush", flush, round(timeout_s * 1000))


def _correlation() -> str:
    return text(baggage.get_baggage(a.FLEX_CORRELATION_ID))  # of another process: of any length
