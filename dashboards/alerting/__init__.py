"""Every rule, by file and group; must not know how Prometheus writes them."""

from __future__ import annotations

from dashboards.alerting import agents, collector, objectives, older, ourselves, runs
from dashboards.limits import Limits
from dashboards.model import Alert, Group, Recording


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return all groups of rules under these limits."""
    return (
        *agents.groups(limits),
        *runs.groups(limits),
        *objectives.groups(limits),
        *ourselves.groups(limits),
        *older.groups(),
        *collector.groups(limits),
    )


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """Return all alerts; several rules may share a name."""
    return tuple(rule for group in groups(limits) for rule in group.rules if isinstance(rule, Alert))


def recordings(limits: Limits) -> tuple[Recording, ...]:
    """Return all recording rules."""
    return tuple(rule for group in groups(limits) for rule in group.rules if isinstance(rule, Recording))
