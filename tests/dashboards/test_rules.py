"""The rules: read by promtool, each alert fires when it should and does not when it should not, names stay."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerting import alerts
from tests.dashboards.cases import CASES, TEAM, TEAM_B
from tests.dashboards.promtool import ALERTS, FILES, Case, Fires, check
from tests.dashboards.reading import BOARDS, LIMITS, RULES, rules
from tests.need import require_command

ALWAYS = {"Watchdog"}
RUNTIME = 'runtime="convergence"'
OF_OLDER = [path for path in RULES if path.stem == "older-names"]
OF_A = {"job": "team", "instance": "a:9464"}


def test_promtool_has_nothing_to_say() -> None:
    """All files are read, without a complaint, not even about duplicates."""
    promtool = require_command("promtool", "apt-get install prometheus")
    command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("SUCCESS") == len(RULES)


def test_the_alerts_of_the_older_system_stand_to_the_letter() -> None:
    """`HighErrorRate` and `ContextOverflow` have its expression, its duration and its words."""
    found = {rule["alert"]: rule for rule in rules() if "alert" in rule}

    assert [
        (found[name]["expr"], found[name]["for"], found[name]["annotations"]["summary"])
        for name in ("HighErrorRate", "ContextOverflow")
    ] == [
        ("rate(yolo_errors_total[5m]) > 0.1", "5m", "High error rate in YOLO system"),
        ("yolo_context_tokens > 9000", "1m", "Context tokens approaching limit for {{ $labels.agent }}"),
    ]


def _file(path: Path) -> Any:
    """Return a file of rules as a parameter, whose test is the proof of its alerts."""
    names = [name for name, file in FILES.items() if file == path.stem]
    return pytest.param(path, marks=pytest.mark.proves("alert", *names), id=path.stem)


@pytest.mark.parametrize("path", [_file(path) for path in RULES if path.stem in FILES.values()])
def test_all_alerts_at_all_times(path: Path, tmp_path: Path) -> None:
    """In each of the cases exactly the alerts that it names are firing, with their labels and what they say."""
    check(tmp_path, [case.written() for case in CASES if FILES[case.alert] == path.stem], [path])


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_both_cases(name: str) -> None:
    """There is a case in which it fires, and one in which it does not."""
    fires = {bool(case.fires) for case in CASES if case.alert == name}

    assert fires == ({True} if name in ALWAYS else {True, False})


def test_a_wrong_case_would_be_seen(tmp_path: Path) -> None:
    """An alert that says something else fails the test."""
    series = {f'yolo_context_tokens{{{TEAM},agent="coder"}}': "9500x5"}
    case = Case("other words", "ContextOverflow", series, "2m", [Fires({**OF_A, "agent": "coder"}, "Help!")], "Help!")

    with pytest.raises(AssertionError, match="FAILED"):
        check(tmp_path, [case.written()])


@pytest.mark.parametrize("rule", alerts(LIMITS), ids=lambda rule: f"{rule.name} {' '.join(rule.labels.values())}")
def test_an_alert_leads_on(rule: Any) -> None:
    """It has a severity that is routed, says what it saw, and leads to a board that exists."""
    assert rule.severity in ("critical", "warning", "none")
    assert rule.summary
    assert "{{ $value" in rule.description or rule.name in ("CollectorDown", "Watchdog")
    assert f"otel-agents-{rule.board}" in BOARDS


# The oldest names


def _series(name: str, *labels: str) -> str:
    return f"{name}{{{','.join((RUNTIME, *labels))}}}"


OLDER = {
    _series("flex_run_transitions_total", TEAM, 'state="start"'): "7",
    _series("flex_run_transitions_total", TEAM, 'state="resumed"'): "100",
    _series("flex_run_status_total", TEAM, 'status="completed"'): "3",
    _series("flex_run_status_total", TEAM, 'status="failed"'): "2",
    _series("flex_run_status_total", TEAM, 'status="cancelled"'): "1",
    _series("flex_run_status_total", TEAM, 'status="awaiting_hitl"'): "50",
    _series("flex_run_active", TEAM): "4",
    _series("flex_run_duration_seconds_bucket", TEAM, 'status="completed"', 'le="60.0"'): "3",
    _series("flex_run_duration_seconds_bucket", TEAM, 'status="failed"', 'le="60.0"'): "1",
    _series("flex_run_duration_seconds_bucket", TEAM, 'status="awaiting_hitl"', 'le="60.0"'): "50",
    _series("flex_run_duration_seconds_sum", TEAM, 'status="completed"'): "90",
    _series("flex_run_duration_seconds_count", TEAM, 'status="completed"'): "3",
    _series("flex_iteration_duration_seconds_bucket", TEAM, 'outcome="ok"', 'le="60.0"'): "5",
    _series("flex_iteration_duration_seconds_sum", TEAM, 'outcome="ok"'): "50",
    _series("flex_iteration_duration_seconds_count", TEAM, 'outcome="ok"'): "5",
    _series("flex_iteration_duration_seconds_count", TEAM, 'outcome="error"'): "4",
    _series("flex_phase_duration_seconds_bucket", TEAM, 'phase="build"', 'outcome="ok"', 'le="60.0"'): "5",
    _series("flex_phase_duration_seconds_sum", TEAM, 'phase="build"', 'outcome="ok"'): "50",
    _series("flex_phase_duration_seconds_count", TEAM, 'phase="build"', 'outcome="ok"'): "5",
    f'flex_run_active{{runtime="flex",{TEAM}}}': "1000",
}
OLDEST_NAMES = {
    "agentgate_runs_started_total": {"": 7},
    "agentgate_runs_completed_total": {'result="succeeded"': 3, 'result="failed"': 2, 'result="canceled"': 1},
    "agentgate_active_runs": {"": 4},
    "agentgate_iterations_total": {"": 9},
    "agentgate_run_duration_seconds_bucket": {'le="60.0"': 4},
    "agentgate_run_duration_seconds_sum": {"": 90},
    "agentgate_run_duration_seconds_count": {"": 3},
    "agentgate_iteration_duration_seconds_bucket": {'le="60.0"': 5},
    "agentgate_iteration_duration_seconds_sum": {"": 50},
    "agentgate_iteration_duration_seconds_count": {"": 9},
    "agentgate_phase_duration_seconds_bucket": {'le="60.0", phase="build"': 5},
    "agentgate_phase_duration_seconds_sum": {'phase="build"': 50},
    "agentgate_phase_duration_seconds_count": {'phase="build"': 5},
}


def _sample(name: str, labels: str, value: float) -> dict[str, object]:
    own = ", ".join(each for each in ('instance="a:9464"', 'job="team"', labels) if each)
    return {"labels": f"{name}{{{own}}}", "value": value}


def test_the_oldest_names_are_there(tmp_path: Path) -> None:
    """Each has exactly its labels and values, of converging runs only, pauses left out, by job and instance."""
    expected = [
        {
            "expr": name,
            "eval_time": "1m",
            "exp_samples": [_sample(name, labels, value) for labels, value in found.items()],
        }
        for name, found in OLDEST_NAMES.items()
    ]
    inputs = [{"series": name, "values": f"{value}x3"} for name, value in OLDER.items()]
    check(tmp_path, [{"interval": "1m", "input_series": inputs, "promql_expr_test": expected}], OF_OLDER)

    assert {rule["record"] for rule in rules() if "record" in rule and "agentgate" in rule["record"]} == {*OLDEST_NAMES}


def test_the_oldest_names_survive_a_restart(tmp_path: Path) -> None:
    """When one of two processes starts anew, rates of the older names are those of the newer ones."""
    started = "flex_run_transitions_total"
    inputs = [
        {"series": _series(started, TEAM, 'state="start"'), "values": "600+6x10 0+6x10"},
        {"series": _series(started, TEAM_B, 'state="start"'), "values": "1000+6x21"},
    ]
    both, one = f'sum(rate({started}{{state="start"}}[10m]))', "sum(rate(agentgate_runs_started_total[10m]))"
    expected = [
        {"expr": f"{one} - {both}", "eval_time": "15m", "exp_samples": [{"labels": "{}", "value": 0}]},
        {"expr": f"{one} > bool 0.25", "eval_time": "15m", "exp_samples": [{"labels": "{}", "value": 0}]},
        # Summed before the rate, the restart of one would look like a restart of all.
        {
            "expr": "rate(sum(agentgate_runs_started_total)[10m:1m]) > bool 1",
            "eval_time": "15m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        },
    ]
    check(tmp_path, [{"interval": "1m", "input_series": inputs, "promql_expr_test": expected}], OF_OLDER)


def test_averages_are_recorded(tmp_path: Path) -> None:
    """The error rate of an agent and the average time of a workflow and of a run are what they say."""
    inputs = {
        f'yolo_errors_total{{{TEAM},agent="coder",severity="high"}}': "0+6x70",
        f'yolo_errors_total{{{TEAM},agent="coder",severity="low"}}': "0+6x70",
        f'flex_node_duration_seconds_count{{{TEAM},runtime="yolo",kind="agent",outcome="ok"}}': "0+48x70",
        f'yolo_workflow_duration_seconds_sum{{{TEAM},outcome="ok"}}': "0+90x70",
        f'yolo_workflow_duration_seconds_count{{{TEAM},outcome="ok"}}': "0+3x70",
        f'flex_run_duration_seconds_sum{{{TEAM},runtime="flex",status="completed"}}': "0+20x70",
        f'flex_run_duration_seconds_count{{{TEAM},runtime="flex",status="completed"}}': "0+2x70",
    }
    values = {
        'agent:yolo_errors:rate5m{agent="coder", job="team"}': 0.2,
        'job:yolo_errors:ratio_rate5m{job="team"}': 0.25,
        'job:yolo_workflow_duration_seconds:mean1h{job="team"}': 30,
        'job_runtime:flex_run_duration_seconds:mean1h{job="team", runtime="flex"}': 10,
    }
    expected = [
        {"expr": labels.partition("{")[0], "eval_time": "65m", "exp_samples": [{"labels": labels, "value": value}]}
        for labels, value in values.items()
    ]
    series = [{"series": name, "values": each} for name, each in inputs.items()]
    check(tmp_path, [{"interval": "1m", "input_series": series, "promql_expr_test": expected}])


def test_the_budget_is_what_is_left(tmp_path: Path) -> None:
    """With 95 of 100 as objective and 1 of 100 failed, four fifths of the budget are left."""
    inputs = [
        {"series": f'flex_run_status_total{{{TEAM},runtime="flex",status="completed"}}', "values": "0+99x70"},
        {"series": f'flex_run_status_total{{{TEAM},runtime="flex",status="failed"}}', "values": "0+1x70"},
    ]
    labels = 'slo:error_budget_remaining:ratio{job="team", runtime="flex", slo="run_success"}'
    rounded = "round(slo:error_budget_remaining:ratio, 0.001)"
    expected = [
        {"expr": rounded, "eval_time": "60m", "exp_samples": [{"labels": labels.partition("ratio")[2], "value": 0.8}]}
    ]
    check(tmp_path, [{"interval": "1m", "input_series": inputs, "promql_expr_test": expected}])
