"""Log records as the Collector's file has them, chosen as our LogQL chooses: there is no Loki; must not know boards."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

SHOWN: Final = 10
MATCHER: Final = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
OPERATORS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value),
}
FIELD: Final = re.compile(r"\{\{with \.(\w+)\}\}")

Record = Mapping[str, Any]


def chosen(path: Path, expr: str) -> list[Record]:
    """Return the youngest records of a query, the youngest first, in the words of the page."""
    asked, _, line = expr.partition(" | line_format ")
    stages = [MATCHER.findall(stage) for stage in asked.split(" | ")]
    found = [
        record
        for record in _records(path)
        if all(any(_matches(record["attributes"], *each) for each in stage) for stage in stages)
    ]
    found.sort(key=lambda record: int(record["timeUnixNano"]), reverse=True)
    return [_shown(record, FIELD.findall(line)) for record in found[:SHOWN]]


def _matches(labels: Mapping[str, str], name: str, how: str, value: str) -> bool:
    return bool(OPERATORS[how](labels.get(name, ""), value))


def _records(path: Path) -> Iterator[Record]:
    for line in path.read_text(encoding="utf-8").splitlines():
        for resource in json.loads(line)["resourceLogs"]:
            service = _labels(resource["resource"]["attributes"])["service_name"]
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    labels = {**_labels(record.get("attributes", [])), "service_name": service}
                    yield {**record, "attributes": labels}


def _labels(attributes: list[Any]) -> dict[str, str]:
    """Return attributes under the names that Loki gives them."""
    return {each["key"].replace(".", "_"): str(next(iter(each["value"].values()), "")) for each in attributes}


def _shown(record: Record, fields: list[str]) -> Record:
    seconds, labels = int(record["timeUnixNano"]) / 1e9, record["attributes"]
    body = next(iter(record.get("body", {}).values()), "")
    return {
        "time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3],
        "severity": record.get("severityText", ""),
        "text": " ".join((body, *(f"{name}={labels[name]}" for name in fields if labels.get(name)))),
    }
