"""The boards and rules that the repository keeps, and what stands in their expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from dashboards.alerting import recordings
from dashboards.foreign import FOREIGN
from dashboards.limits import Limits
from dashboards.queries import label, series_name
from otel_agents.semconv.export import HISTOGRAM_SERIES
from otel_agents.semconv.metrics import METRICS
from otel_agents.semconv.model import Metric
from tests.docs.pages import ROOT

FOLDER = ROOT / "dashboards"
LIMITS = Limits()
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "grafana").glob("*.json"))
}
RULES = sorted((FOLDER / "rules").glob("*.yaml"))

# What a variable of a board may become.
VARIABLES = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "$job": ".+",
    "$instance": ".+",
    "$runtime": ".+",
    "$collector_job": ".+",
    "$collector_instance": ".+",
    "$service": ".+",
}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
WINDOW = re.compile(r"\[[^\]]*\]|\boffset \S+")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
GROUPED = re.compile(r"\b(by|on|without) \(([^)]*)\)")
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
# Words of PromQL that stand in our expressions.
WORDS = {
    "absent", "and", "avg_over_time", "bool", "by", "count", "count_values", "delta", "deriv", "histogram_quantile",
    "increase", "label_join", "label_replace", "last_over_time", "max", "max_over_time", "min", "or", "predict_linear",
    "rate", "resets", "round", "sum", "topk", "unless", "vector",
}  # fmt: skip
OF_TARGET = {"job", "instance"}


@dataclass(frozen=True, slots=True)
class Target:
    """One query of one panel of one board."""

    board: str
    panel: dict[str, Any]
    query: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.board}: {self.panel['title']} {self.query['refId']}"

    @property
    def expr(self) -> str:
        return str(self.query["expr"])

    @property
    def is_logs(self) -> bool:
        return bool(self.query["datasource"]["type"] == "loki")


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a board, without the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets() -> list[Target]:
    """Return every query of every board."""
    return [
        Target(name, panel, query)
        for name, board in BOARDS.items()
        for panel in panels(board)
        for query in panel["targets"]
    ]


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule of every file."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def resolved(expr: str, **values: str) -> str:
    """Return an expression with values for its variables."""
    for name, value in (VARIABLES | {f"${key}": value for key, value in values.items()}).items():
        expr = expr.replace(name, value)
    return expr


def _labels(metric: Metric) -> set[str]:
    return {label(metric, name) for name in metric.labels} | OF_TARGET


def known() -> dict[str, set[str]]:
    """Return every series that may stand in an expression, with its labels."""
    found: dict[str, set[str]] = {}
    for row in (*METRICS, *FOREIGN, *(rule.metric for rule in recordings(LIMITS))):
        parts = [f"_{part}" for part in HISTOGRAM_SERIES] if row.instrument == "histogram" else [""]
        written = ":" in row.name or row.name.startswith("agentgate_")
        for part in parts:
            name = row.name if written else series_name(row) + part
            found.setdefault(name, set()).update(_labels(row) | ({"le"} if part == "_bucket" else set()))
    return found


def metrics(expr: str) -> list[str]:
    """Return the names of the series in an expression."""
    bare = WINDOW.sub("", GROUPED.sub("", STRING.sub("", expr)))
    bare = re.sub(r"\{[^}]*\}", "", bare)
    return [name for name in NAME.findall(bare) if name not in WORDS]


def matched(expr: str) -> Iterator[tuple[str, str]]:
    """Yield series and label of every matcher."""
    for name, matchers in SELECTOR.findall(expr):
        for found in re.findall(r"(\w+)(?:=~?|!=|!~)\"", matchers):
            yield name, found


def grouped(expr: str) -> set[str]:
    """Return the labels that results are put together by."""
    return {
        word.strip()
        for how, names in GROUPED.findall(expr)
        if how != "without"
        for word in names.split(",")
        if word.strip()
    }
