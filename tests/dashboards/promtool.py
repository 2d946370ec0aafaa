"""Unit tests of rules by promtool: series over time in, alerts and samples out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboards.alerting import alerts, groups
from dashboards.model import Alert
from dashboards.rulefiles import runbook
from tests.dashboards.reading import LIMITS, RULES
from tests.need import require_command

FILES = {rule.name: group.file for group in groups(LIMITS) for rule in group.rules if isinstance(rule, Alert)}
ALERTS: dict[str, Alert] = {rule.name: rule for rule in alerts(LIMITS)}


@dataclass(frozen=True, slots=True)
class Fires:
    """An alert as it fires: its labels beside severity, and what it says."""

    labels: dict[str, str]
    says: str
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Series, one value a minute, and what is firing of one alert at a moment."""

    what: str
    alert: str
    series: dict[str, str]
    at: str
    fires: Sequence[Fires] = field(default_factory=tuple)
    summary: str = ""

    def written(self) -> dict[str, object]:
        return {
            "name": f"{self.alert}: {self.what}",
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": self.at,
                    "alertname": self.alert,
                    "exp_alerts": [self._expected(one) for one in self.fires],
                }
            ],
        }

    def _expected(self, fires: Fires) -> dict[str, object]:
        row = ALERTS[self.alert]
        return {
            "exp_labels": {"severity": fires.severity or row.severity, **fires.labels},
            "exp_annotations": {
                "summary": self.summary,
                "description": fires.says,
                "runbook_url": runbook(row.name, LIMITS),
                "dashboard_url": f"{LIMITS.grafana}/d/otel-agents-{row.board}",
            },
        }


def check(folder: Path, tests: list[dict[str, object]], rules: Sequence[Path] = RULES) -> None:
    """Run tests over files of rules; fails with what promtool says."""
    promtool = require_command("promtool", "apt-get install prometheus")
    path = folder / "tests.yaml"
    document = {"rule_files": [str(each) for each in rules], "evaluation_interval": "1m", "tests": tests}
    path.write_text(json.dumps(document))
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
