"""Expressions: how they are written, whether Prometheus reads them, and whether what they name exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from dashboards.logs import Logs, loki_name
from dashboards.queries import BOARD, RULES, Query, Reader, series_name
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.gen_ai import UPSTREAM
from tests.dashboards.reading import OF_TARGET, grouped, known, matched, metrics, resolved, rules, targets
from tests.need import require_command

PLAIN = Reader()
MADE = {  # labels that an expression makes for the graph
    "id", "source", "target", "title",
}  # fmt: skip
RULE_EXPRESSIONS = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
BOARD_EXPRESSIONS = [(target.place, target.expr) for target in targets() if not target.is_logs]
LOG_EXPRESSIONS = [(target.place, target.expr) for target in targets() if target.is_logs]
KNOWN = known()


@pytest.mark.parametrize(
    ("query", "text", "unit"),
    [
        (PLAIN.rate(m.ERRORS), "sum(rate(yolo_errors_total[5m]))", "{error}/s"),
        (
            RULES.rate(m.NODE_DURATION, a.FLEX_NODE_KIND, where={a.FLEX_OUTCOME: "!ok"}),
            'sum by (job, kind) (rate(flex_node_duration_seconds_count{outcome!="ok"}[5m]))',
            "{measurement}/s",
        ),
        (
            RULES.mean(m.RUN_DURATION, window="1h"),
            (
                "sum by (job) (rate(flex_run_duration_seconds_sum[1h])) / "
                "(sum by (job) (rate(flex_run_duration_seconds_count[1h])) > 0)"
            ),
            "s",
        ),
        (
            BOARD.quantile(0.95, m.HANDOFF_DURATION, a.YOLO_TO_AGENT),
            (
                "histogram_quantile(0.95, sum by (le, to_agent) (rate(yolo_handoff_duration_seconds_bucket"
                '{job=~"$job", instance=~"$instance"}[$__rate_interval])))'
            ),
            "s",
        ),
        (
            BOARD.now(m.RUN_ACTIVE, a.FLEX_RUNTIME),
            'sum by (runtime) (flex_run_active{job=~"$job", instance=~"$instance", runtime=~"$runtime"})',
            "{run}",
        ),
        (
            BOARD.now(m.RUN_ACTIVE, where={a.FLEX_RUNTIME: "yolo|flex"}),
            'sum(flex_run_active{job=~"$job", instance=~"$instance", runtime=~"yolo|flex"})',
            "{run}",
        ),
        (
            BOARD.shared(m.HITL_PENDING),
            'sum(max by (job, runtime) (flex_hitl_pending{job=~"$job", instance=~"$instance", runtime=~"$runtime"}))',
            "{request}",
        ),
        (
            RULES.added(m.SAFETY_BLOCKS, a.YOLO_AGENT, span="1h"),
            (
                "sum by (job, agent) ((yolo_safety_blocks_total unless yolo_safety_blocks_total offset 1h) "
                "or increase(yolo_safety_blocks_total[1h]))"
            ),
            "{block}",
        ),
    ],
)
def test_queries_are_made_from_rows(query: Query, text: str, unit: str) -> None:
    """Name, part, labels, variables and unit follow from the metric."""
    assert (str(query), query.unit) == (text, unit)


def test_a_label_that_a_metric_does_not_have_is_refused() -> None:
    """Neither grouping nor matching may name it."""
    with pytest.raises(ValueError, match=r"yolo_handoffs_total has no label yolo\.agent"):
        PLAIN.rate(m.HANDOFFS, a.YOLO_AGENT)
    with pytest.raises(ValueError, match=r"flex\.run\.status has no label flex\.outcome"):
        PLAIN.rate(m.RUN_STATUS, where={a.FLEX_OUTCOME: "ok"})


@pytest.mark.parametrize(("place", "expr"), [*RULE_EXPRESSIONS, *BOARD_EXPRESSIONS])
def test_names_and_labels_exist(place: str, expr: str) -> None:
    """Every series is of a metric that is measured or recorded, every label one that it has."""
    named = metrics(resolved(expr))

    assert [name for name in named if name not in KNOWN] == []
    assert [(name, label) for name, label in matched(expr) if label not in KNOWN[name]] == []
    assert grouped(expr) <= MADE | OF_TARGET | {"le"}.union(*(KNOWN[name] for name in named))
    assert named or expr == "vector(1)"


def test_an_unknown_name_would_be_seen() -> None:
    """A misspelt series, and one that is not ours, are in no table."""
    assert [name for name in metrics("rate(yolo_error_total[5m]) or flex_runs") if name not in KNOWN] == [
        "yolo_error_total",
        "flex_runs",
    ]


@pytest.mark.parametrize(("place", "expr"), LOG_EXPRESSIONS)
def test_log_queries_name_what_is_logged(place: str, expr: str) -> None:
    """Fields are attributes as Loki names them, event types are ours, and no field is matched by an expression."""
    fields = {row.name.replace(".", "_") for row in (*OURS, *UPSTREAM)}
    service, _, asked = expr.partition(" | ")
    filters = re.findall(r'(\w+)="([^"]*)"', asked)

    assert service == '{service_name=~"$service"}'
    assert {name for name, _ in filters} | {*re.findall(r"\{\{with \.(\w+)\}\}", asked)} <= fields
    assert {value for name, value in filters if name == "flex_event_type"} <= {row.name for row in EVENTS}
    assert "~" not in asked


def test_log_queries_are_made_from_rows() -> None:
    """Which events, which values, of which service, and behind a line the fields that its events have."""
    shown = (
        "flex_runtime", "flex_run_id", "flex_capability_id", "flex_cancel_source", "flex_cancel_latency_ms",
        "flex_duration_ms",
    )  # fmt: skip
    fields = "".join(f"{{{{with .{name}}}}} {name}={{{{.}}}}{{{{end}}}}" for name in shown)
    stages = (
        '{service_name="team"}',
        'flex_event_type="cancel_requested" or flex_event_type="cancel_acknowledged"',
        'flex_runtime="flex"',
        f"line_format `{{{{__line__}}}}{fields}`",
    )

    assert str(Logs((e.CANCEL_REQUESTED, e.CANCEL_ACKNOWLEDGED), {a.FLEX_RUNTIME: "flex"}, '="team"')) == (
        " | ".join(stages)
    )
    assert str(Logs()).startswith('{service_name=~"$service"} | flex_event_type!="" | line_format ')
    with pytest.raises(KeyError):
        loki_name("flex.nothing")


def test_lines_have_no_content() -> None:
    """A goal is on the event when content is captured, and on no line; neither is what only programs read."""
    assert {a.FLEX_RUN_GOAL} < {*e.START.attributes}
    assert {a.FLEX_RUN_GOAL, a.FLEX_PLAN_NODES}.isdisjoint(Logs((e.START, e.PLAN_GENERATED)).shown)


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    """With values for the variables, all queries of all boards are understood."""
    promtool = require_command("promtool", "apt-get install prometheus")
    written = [{"record": f"q:q{number}", "expr": resolved(e)} for number, (_, e) in enumerate(BOARD_EXPRESSIONS)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": written}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(written)} rules found" in done.stdout


def test_a_recorded_name_is_taken_as_it_is() -> None:
    """What a rule writes has no suffix added to it."""
    from dashboards.alerting.agents import WORKFLOW_MEAN

    assert series_name(WORKFLOW_MEAN) == "job:yolo_workflow_duration_seconds:mean1h"
