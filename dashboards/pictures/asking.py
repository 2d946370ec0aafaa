"""What the queries of a board come to, asked as Grafana asks; must not know how answers are drawn."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from itertools import chain
from operator import itemgetter
from pathlib import Path
from statistics import pstdev
from typing import Any, Final

from dashboards.pictures.load import INTERVAL_S
from dashboards.pictures.records import chosen
from tests.collector.collectors import read

FAR: Final = 2  # standard deviations
EVERYTHING: Final = ".+"  # what our variables become when All is chosen
LEGEND: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")

Json = dict[str, Any]


class Asker:
    """Asks one Prometheus about the last seconds; log records come from a file."""

    def __init__(self, url: str, end: float, seconds: int, logs: Path) -> None:
        self._url = url
        self._range = {"start": str(end - seconds), "end": str(end)}
        self._end = end
        self._logs = logs
        # As Grafana's data source computes them from the time that is shown and the interval between scrapes.
        self._built_in = {"__rate_interval": f"{4 * INTERVAL_S}s", "__range": f"{seconds}s"}

    def board(self, board: Json) -> Json:
        """Return a board with what its panels show."""
        variables = {each["name"]: each for each in board["templating"]["list"]}
        values = dict.fromkeys(variables, EVERYTHING) | self._built_in
        return {
            "title": board["title"],
            "description": board["description"],
            "variables": [f"{each['label']}: {_choice(each)}" for each in variables.values()],
            "range": {name: float(value) for name, value in zip(("from", "to"), self._range.values(), strict=True)},
            "interval": INTERVAL_S,
            "panels": [self._panel(panel, values) for panel in board["panels"]],
        }

    def _panel(self, panel: Json, values: Mapping[str, str]) -> Json:
        shown: Json = {"series": [], "exemplars": [], "records": []}
        for target in panel.get("targets", []):
            expr = _filled(target["expr"], values)
            if target["datasource"]["type"] == "loki":
                shown["records"] += chosen(self._logs, expr)
                continue
            shown["series"] += self._series(target, expr)
            if target.get("exemplar"):
                shown["exemplars"] += self._exemplars(expr)
        return {**panel, **shown}

    def _series(self, target: Json, expr: str) -> Iterator[Json]:
        if target.get("instant"):
            found = self._get("query", query=expr, time=str(self._end))["result"]
        else:
            found = self._get("query_range", query=expr, step=str(INTERVAL_S), **self._range)["result"]
        for each in found:
            labels = each["metric"]
            samples = each.get("values") or [each["value"]]
            yield {
                "refId": target["refId"],
                "name": _named(target.get("legendFormat", ""), labels),
                "labels": labels,
                "times": [time for time, _ in samples],
                "values": [value for _, value in samples],
            }

    def _exemplars(self, expr: str) -> list[Json]:
        """Return exemplars as Grafana's data source thins them out: of each step, those that are far apart."""
        found = [
            {"seconds": each["timestamp"], "value": float(each["value"])}
            for series in self._get("query_exemplars", query=expr, **self._range)
            for each in series["exemplars"]
        ]
        apart = FAR * pstdev(each["value"] for each in found) if found else 0
        kept: dict[int, list[Json]] = {}
        for each in sorted(found, key=itemgetter("value"), reverse=True):
            of_step = kept.setdefault(int(each["seconds"] // INTERVAL_S), [])
            if not of_step or of_step[-1]["value"] - each["value"] >= apart:
                of_step.append(each)
        return list(chain.from_iterable(kept.values()))

    def _get(self, path: str, **asked: str) -> Any:
        answer = json.loads(read(f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(asked)}"))
        return answer["data"]


def _choice(variable: Json) -> str:
    """Return what stands in the choice of a variable."""
    return str(variable["query"]).capitalize() if variable["type"] == "datasource" else "All"


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return LEGEND.sub(lambda name: labels.get(name[1], ""), legend)


def _filled(expr: str, values: Mapping[str, str]) -> str:
    """Return an expression with its variables filled in, the longest name first: `$instance` is not `$in`."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${name}", values[name])
    return expr
