"""Runbooks and the queries of the docs about boards and alerts: they are there, whole, and can be asked."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.limits import read_limits
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.gen_ai import UPSTREAM
from tests.dashboards.promtool import ALERTS
from tests.dashboards.reading import LIMITS, RULES, grouped, known, matched, metrics
from tests.docs.pages import ROOT, blocks, name, read
from tests.need import require_command

FOLDER = ROOT / "docs" / "runbooks"
RUNBOOKS = sorted(FOLDER.glob("*.md"))
PAGES = [*RUNBOOKS, ROOT / "docs/howto/alerts.md", ROOT / "docs/howto/dashboards.md"]
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
KNOWN = known()


def _asked(language: str) -> list[tuple[str, str]]:
    found = [(f"{name(page)}:{block.line}", block) for page in PAGES for block in blocks(page)]
    return [(place, block.text.strip()) for place, block in found if block.language == language]


PROMQL, LOGQL = _asked("promql"), _asked("logql")


def test_every_alert_has_a_runbook() -> None:
    """There is a page for each alert, and none without one."""
    assert {path.stem for path in RUNBOOKS} == {*ALERTS}
    assert LIMITS.runbooks == FOLDER.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUNBOOKS, ids=name)
def test_a_runbook_is_whole(page: Path) -> None:
    """It says what the alert means, what suffers, how to find out with queries, and what to do."""
    text = read(page)
    sections = re.findall(r"^## (.*)\n\n((?:.|\n)*?)(?=\n## |\n\[All alerts\])", text, re.MULTILINE)

    assert text.startswith(f"# {page.stem}\n")
    assert [title for title, _ in sections] == SECTIONS
    assert all(len(body) > 30 for _, body in sections)
    assert "```promql" in sections[2][1]
    assert sections[3][1].startswith("- ")


@pytest.mark.parametrize(("place", "expr"), PROMQL)
def test_names_of_queries_exist(place: str, expr: str) -> None:
    """Every series is measured or recorded, every label is one that it has."""
    named = metrics(expr)

    assert [each for each in named if each not in KNOWN] == []
    assert [(series, label) for series, label in matched(expr) if label not in KNOWN[series]] == []
    assert grouped(expr) <= {"le", "job", "instance"}.union(*(KNOWN[each] for each in named))


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    """All of them are understood."""
    promtool = require_command("promtool", "apt-get install prometheus")
    rules = [{"record": f"docs:q{number}", "expr": expr} for number, (_, expr) in enumerate(PROMQL)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("place", "expr"), LOGQL)
def test_log_queries_name_what_is_logged(place: str, expr: str) -> None:
    """Fields are attributes as Loki names them, or what stands on a host's own lines, and event types are ours."""
    fields = {row.name.replace(".", "_") for row in (*OURS, *UPSTREAM)} | {row.field for row in OURS}
    filters = re.findall(r'(?:\||or) (\w+)=~?"([^"]*)"', expr)

    assert filters
    assert {field for field, _ in filters} | grouped(expr) <= fields
    types = {word for field, value in filters if field == "flex_event_type" for word in value.split("|")}
    assert types <= {row.name for row in EVENTS}


def _block(page: str, said: str) -> str:
    [text] = [block.text for block in blocks(ROOT / "docs/howto" / page) if block.said == said]
    return text


def test_the_limits_of_the_docs_can_be_used(tmp_path: Path) -> None:
    """The file that the docs show is read without a problem."""
    path = tmp_path / "limits.yaml"
    path.write_text(_block("alerts.md", "limits"))

    assert read_limits(path).context_tokens == 180000


def test_the_files_of_rules_are_those_of_the_docs() -> None:
    """The docs load every file of rules, and say of each what it has."""
    loaded = [Path(each).name for each in yaml.safe_load(_block("alerts.md", "prometheus"))["rule_files"]]
    described = re.findall(r"^\| `(.*\.yaml)` \|", read(ROOT / "docs/howto/alerts.md"), re.MULTILINE)

    assert loaded == described
    assert {*loaded} == {path.name for path in RULES}
