"""What may differ from one installation to the next: thresholds, objectives, addresses; must not know who uses it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of alerts, objectives of SLOs, and addresses in annotations.

    ``runbooks`` and ``grafana`` stand before the name of a runbook and the path of a board.
    """

    error_rate: float = 0.1  # errors a second
    context_tokens: int = 9000
    prediction_s: int = 1800  # how far ahead an overflow is seen
    handoff_loops: int = 3  # in 15 minutes
    retries: int = 20  # in 10 minutes, and as many as executions
    validation_errors: int = 10  # in 15 minutes
    quiet_run_s: int = 900
    pending: int = 5  # questions
    answer_s: int = 14400  # a question that is older is late
    cancel_s: int = 5
    cancels: int = 3  # in an hour; fewer do not alarm
    queue_share: float = 0.8
    gateway_failures: float = 0.5  # share of an agent's requests to a gateway
    objective: float = 0.95  # of all SLOs
    events: int = 20  # in the long window of an SLO; fewer do not alarm
    collector_job: str = "otel-collector"
    runbooks: str = "docs/runbooks"
    grafana: str = "http://localhost:3000"


def read_limits(path: Path) -> Limits:
    """Return the limits of a YAML file: a mapping with those that differ from ours.

    Raises:
        ValueError: It names no limit of ours, or a value has another type than ours.
    """
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict):
        raise ValueError(  # noqa: TRY004  # it is the file that is wrong
            f"{path}: a mapping of limits is expected, such as 'context_tokens: 100000'"
        )
    ours = {each.name: each.default for each in fields(Limits)}
    for name, value in given.items():
        if name not in ours:
            raise ValueError(f"{path}: {name!r} is no limit; there are {', '.join(ours)}")
        expected = (int, float) if isinstance(ours[name], float) else (type(ours[name]),)
        if type(value) not in expected:
            raise ValueError(f"{path}: {name} is {value!r}, but {expected[0].__name__} is expected")
    return Limits(**given)
