"""Operations and facts as OpenTelemetry metrics, bounded in label sets; must not know spans, logs or the feed."""

from otel_agents.signals.metrics.signal import Metrics

__all__ = ["Metrics"]
