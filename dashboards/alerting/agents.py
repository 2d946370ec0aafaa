"""Rules about agents that hand work over: errors, contexts, loops, limits; must not know runs of others."""

from __future__ import annotations

from typing import Final

from dashboards.limits import Limits
from dashboards.model import Alert, Group, Recording
from dashboards.queries import RULES, SHARE
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.export import prometheus_name
from otel_agents.semconv.model import Metric

FILE: Final = "agents"

ERROR_RATE: Final = Metric(
    "agent:yolo_errors:rate5m", "gauge", "{error}/s", "Errors a second of an agent.", ("job", a.YOLO_AGENT)
)
ERROR_SHARE: Final = Metric(
    "job:yolo_errors:ratio_rate5m", "gauge", SHARE, "Errors of agents for each of their steps.", ("job",)
)
WORKFLOW_MEAN: Final = Metric(
    "job:yolo_workflow_duration_seconds:mean1h", "gauge", "s", "Average duration of a workflow.", ("job",)
)


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return the groups of this file."""
    steps = RULES.rate(m.NODE_DURATION, where={a.FLEX_RUNTIME: "yolo", a.FLEX_NODE_KIND: "agent"})
    recordings = (
        Recording(ERROR_RATE, str(RULES.rate(m.ERRORS, a.YOLO_AGENT))),
        Recording(ERROR_SHARE, str(RULES.rate(m.ERRORS).of(steps))),
        Recording(WORKFLOW_MEAN, str(RULES.mean(m.WORKFLOW_DURATION, window="1h"))),
    )
    return (
        Group(FILE, "otel-agents-agents-records", recordings),
        Group(FILE, "otel-agents-agents", (*_errors(limits), *_contexts(limits), *_behaviour(limits))),
    )


def _errors(limits: Limits) -> tuple[Alert, ...]:
    """Return the older system's alert to the letter, and its sum, which many agents with few errors each reach."""
    errors = prometheus_name(m.ERRORS)
    return (
        Alert(
            "HighErrorRate", "warning",
            f"rate({errors}[5m]) > {limits.error_rate:g}",
            "High error rate in YOLO system",
            'Agent {{ $labels.agent }} of {{ $labels.job }} makes {{ $value | printf "%.2f" }} errors a second '
            f"of severity {{{{ $labels.severity }}}}; the limit is {limits.error_rate:g}.",
            "yolo", "5m",
            # The alert's severity hides that of the errors: two of those would be one alert, which fails the rule.
            {"error_severity": "{{ $labels.severity }}"},
        ),
        Alert(
            "HighErrorRateAllAgents", "warning",
            f"{RULES.rate(m.ERRORS)} > {limits.error_rate:g}",
            "High error rate in YOLO system, all agents together",
            'The agents of {{ $labels.job }} make {{ $value | printf "%.2f" }} errors a second together; the limit is '
            f"{limits.error_rate:g}.",
            "yolo", "5m",
        ),
    )  # fmt: skip


def _contexts(limits: Limits) -> tuple[Alert, ...]:
    tokens, most, ahead = prometheus_name(m.CONTEXT_TOKENS), limits.context_tokens, limits.prediction_s
    return (
        Alert(
            "ContextOverflow", "warning",
            f"{tokens} > {most}",
            "Context tokens approaching limit for {{ $labels.agent }}",
            f"The context of {{{{ $labels.agent }}}} holds {{{{ $value }}}} tokens; the limit is {most}.",
            "tokens", "1m",
        ),
        Alert(
            "ContextOverflowPredicted", "warning",
            f"predict_linear({tokens}[30m], {ahead}) > {most}"
            f" and deriv({tokens}[30m]) > 0 and {tokens} > {most // 2} and {tokens} <= {most}",
            "The context of {{ $labels.agent }} will overflow",
            f"As it grew in the last 30 minutes, the context of {{{{ $labels.agent }}}} will hold "
            f"{{{{ $value | humanize }}}} tokens in {ahead // 60} minutes; the limit is {most}.",
            "tokens", "5m",
        ),
    )  # fmt: skip


def _behaviour(limits: Limits) -> tuple[Alert, ...]:
    return (
        Alert(
            "HandoffLoops", "warning",
            f"{RULES.added(m.HANDOFF_LOOPS, a.YOLO_AGENT)} >= {limits.handoff_loops}",
            "Work goes to and fro around {{ $labels.agent }}",
            "{{ $value | humanize }} times in 15 minutes work came back to {{ $labels.agent }} of {{ $labels.job }} "
            "without progress in between.",
            "yolo",
        ),
        Alert(
            "SafetyBlock", "warning",
            f"{RULES.added(m.SAFETY_BLOCKS, a.YOLO_AGENT)} > 0",
            "A safety limit blocked {{ $labels.agent }}",
            "{{ $value | humanize }} decisions of {{ $labels.agent }} of {{ $labels.job }} were blocked in 15 minutes.",
            "humans",
        ),
    )  # fmt: skip
