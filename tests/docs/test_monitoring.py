"""The queries of the monitoring guide: Prometheus understands them, and their labels exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from otel_agents.semconv import export
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.metrics import METRICS
from tests.docs.pages import CODE, ROOT, read
from tests.need import require_command

PAGE = ROOT / "docs" / "howto" / "monitoring.md"
SELECTOR = re.compile(r"([a-z_]+_[a-z_]+)\{([^}]*)\}")
OF_TARGET = {"job", "instance"}


def _queries() -> list[str]:
    rows = re.findall(r"^\| .* \| (`.*`) \|$", read(PAGE), re.MULTILINE)
    return [query for row in rows for query in CODE.findall(row)]


QUERIES = _queries()
LABELS = {
    series: {known.label for each in row.labels if (known := attribute(each)) is not None}
    for row in METRICS
    for series in export.prometheus_series(row)
}


def test_every_metric_of_teams_has_a_query() -> None:
    """No `yolo_*` metric is without a question that it answers."""
    text = "\n".join(QUERIES)
    families = [export.prometheus_name(row) for row in METRICS if row.name.startswith("yolo_")]
    unasked = [family for family in families if family not in text]

    assert unasked == ["yolo_context_items"]  # beside yolo_context_tokens


@pytest.mark.parametrize("query", QUERIES)
def test_labels_of_queries_exist(query: str) -> None:
    """What a query selects and sums by are labels of the metrics in it."""
    named = [name for name in re.findall(r"[a-z_]+", query) if name in LABELS]
    grouped = {word.strip() for group in re.findall(r"(?:by|on) \(([^)]*)\)", query) for word in group.split(",")}
    for metric, selector in SELECTOR.findall(query):
        assert {label for label, _ in re.findall(r"(\w+)(=~?|!=)", selector)} <= LABELS[metric]
    assert named
    assert grouped - OF_TARGET <= {"le"}.union(*(LABELS[name] for name in named))


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """All of them are read by promtool as rules."""
    promtool = require_command("promtool", "apt-get install prometheus")
    rules = [{"record": f"docs:query{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout
