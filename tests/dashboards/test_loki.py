"""Every log panel and every LogQL sample over what real runs of the examples say to a real Loki."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dashboards.boards import boards
from dashboards.logs import FIRST, Logs, loki_name
from otel_agents.semconv.agents import FLEX_DURATION_MS
from tests.collector.collectors import CONFIGS
from tests.dashboards.loki import Line
from tests.dashboards.reading import LIMITS, resolved, targets
from tests.dashboards.telling import ALL, WELL, Told, telling
from tests.docs.pages import DOCS, blocks
from tests.need import require_module

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

PANELS = {target.place.removesuffix(" A"): target for target in targets() if target.is_logs}
QUERIES = {
    f"{board.uid}: {panel.title}": line.query
    for board in boards(LIMITS)
    for panel in board.panels()
    for line in panel.lines
    if isinstance(line.query, Logs)
}
SAMPLES = {block.text.strip() for page in DOCS for block in blocks(page) if block.language == "logql"}
SOURCES = yaml.safe_load((CONFIGS / "compose" / "datasources.yaml").read_text())["datasources"]

# How many lines each panel has: of the service in which all goes well, and of the one in which everything happens.
# What is 0 in the first is trouble, or no part of it; nothing is 0 in the second.
SHOWN = {
    "otel-agents-humans: Questions and answers": (4, 11),
    "otel-agents-humans: Policies, blocks and invalid values": (2, 6),
    "otel-agents-iterations: Iterations, gates, deliveries": (14, 33),
    "otel-agents-nodes: Failed attempts": (3, 16),
    "otel-agents-overview: Failed runs": (0, 3),
    "otel-agents-runs: Plans": (4, 12),
    "otel-agents-runs: Starts, ends and cancels": (8, 42),
    "otel-agents-tokens: Refreshed contexts": (0, 5),
    "otel-agents-yolo: Handoffs and decisions": (2, 17),
    "otel-agents-yolo: Errors and blocks": (0, 4),
}
# The same of each sample in the docs, without its service. RUN stands for the run that delivered.
ASKED = {
    'flex_event_type="agent_error" | yolo_agent="coder"': (0, 1),
    'flex_event_type="complete" | flex_run_status="failed"': (0, 3),
    'flex_event_type="context_refreshed" | yolo_agent="coder"': (0, 3),
    'flex_event_type="handoff" | flex_correlation_id="ticket-17"': (0, 5),
    'flex_event_type="handoff" | yolo_from_agent="coder"': (0, 2),
    'flex_event_type="hitl_request"': (2, 6),
    'flex_event_type="hitl_resolved" | flex_hitl_decision="rejected"': (0, 2),
    'flex_event_type="node_retry" | flex_capability_id="researcher"': (1, 3),
    'flex_event_type="plan_rejected"': (0, 1),
    'flex_event_type="safety_block"': (0, 1),
    'flex_event_type="validation_error" | flex_validation_scope="output"': (1, 3),
    'flex_event_type="cancel_requested" or flex_event_type="cancel_acknowledged" or flex_event_type="node_start"': (
        31,
        90,
    ),
    'flex_event_type="handoff" or flex_event_type="context_refreshed"': (2, 19),
    'flex_event_type="start" or flex_event_type="complete"': (8, 38),
    'flex_event_type="start" or flex_event_type="node_start"': (35, 105),
    'flex_run_id="RUN"': (0, 49),
    'runId="RUN"': (0, 6),
    'flex_run_id="RUN" or runId="RUN"': (0, 55),
}
SELECTED = '{service_name="my-agents"} | '
AGENT_ERROR = "otel_agents.runtime.yolo.errors.AgentError"
COUNTED: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    f'sum by (error_type) (count_over_time({SELECTED}flex_event_type="agent_error" [15m]))': (
        {},
        {"ConnectionError": 1, AGENT_ERROR: 2},
    ),
    f'sum by (error_type) (count_over_time({SELECTED}flex_event_type="node_error" [15m]))': (
        {"ConnectionError": 2},
        {"ConnectionError": 7, "acme.engine.Invalid": 1, "acme.team.Flaky": 2, AGENT_ERROR: 1},
    ),
    (
        f'sum by (flex_gate_name) (count_over_time({SELECTED}flex_event_type="gate_checked" | '
        'flex_gate_passed="false" [1h]))'
    ): ({"tests": 2, "docs": 2, "approval": 2}, {"tests": 4, "docs": 4, "approval": 6}),
}
# All that makes a stream of its own; what every run or process has anew is not among it.
LABELS = {"service_name", "deployment_environment_name"}
# What Loki and the Collector put beside the attributes of a record.
BESIDE = {
    "detected_level", "flags", "host_name", "observed_timestamp", "os_type", "scope_name", "scope_version",
    "service_instance_id", "severity_number", "severity_text", "span_id", "telemetry_auto_version",
    "telemetry_sdk_language", "telemetry_sdk_name", "telemetry_sdk_version", "trace_id",
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Both services have said all that they say."""
    require_module("langgraph_swarm", "demo")
    with telling(tmp_path_factory.mktemp("loki")) as known:
        yield known


def _written(value: Any) -> str:
    """Return the value of an attribute as Loki writes it."""
    kind = value.WhichOneof("value")
    plain = getattr(value, kind)
    if kind == "string_value":
        return str(plain)
    if kind == "array_value":
        return json.dumps([_written(each) for each in plain.values])
    return f"{plain:.6f}".rstrip("0").rstrip(".") if kind == "double_value" else json.dumps(plain)


def _sent(record: Any) -> Line:
    """Return a record as the line that it is to become."""
    fields = {each.key.replace(".", "_"): _written(each.value) for each in record.attributes}
    return Line({}, fields, record.time_unix_nano, record.body.string_value)


def _counted(lines: list[Line]) -> Counter[Any]:
    return Counter((at, text, frozenset((n, v) for n, v in of.items() if n not in BESIDE)) for _, of, at, text in lines)


def _run(told: Told) -> str:
    """Return the run that delivered."""
    [line] = told.loki.lines(f'{SELECTED}flex_event_type="delivery_completed"')
    return line.fields["flex_run_id"]


@pytest.mark.parametrize("service", [WELL, ALL])
def test_every_event_is_there_as_it_was_sent(service: str, told: Told) -> None:
    """Each has arrived once, at its moment, with its body and its attributes; no id makes a stream of its own."""
    lines = told.loki.lines(f'{{service_name="{service}"}} | flex_event_type!=""')

    assert _counted(lines) == _counted([_sent(each) for each in told.sent[service].logs if each.event_name])
    assert {frozenset(line.labels) for line in lines} == {frozenset(LABELS)}
    assert all(line.fields["detected_level"] == line.fields["severity_text"].lower() for line in lines)


def test_services_can_be_chosen(told: Told) -> None:
    """The variable of the boards, which asks for the values of a label, offers both."""
    assert told.loki.get("label/service_name/values") == [ALL, WELL]


@pytest.mark.proves("panel", of="place")
@pytest.mark.parametrize("place", PANELS)
def test_every_panel_has_its_lines(place: str, told: Told) -> None:
    """For one service, several and all, as Grafana writes them; what shows trouble is empty where there is none."""
    target = PANELS[place]
    well, everything = SHOWN[place]
    asked = {WELL: well, ALL: everything, f"{ALL}|{WELL}": well + everything, ".+": well + everything}
    most = target.query["maxLines"]
    found = {service: len(told.loki.lines(resolved(target.expr, service=service), most)) for service in asked}

    assert found == asked
    assert everything > 0


@pytest.mark.parametrize("place", PANELS)
def test_a_line_says_what_its_event_is_about(place: str, told: Told) -> None:
    """Behind its name stands each field that it has, and each field of the panel's events is on some line."""
    names = [loki_name(name) for name in QUERIES[place].shown]
    lines = told.loki.lines(resolved(PANELS[place].expr))

    for line in lines:
        said = "".join(f" {name}={line.fields[name]}" for name in names if name in line.fields)
        assert line.text.endswith(said)
        assert re.fullmatch(r"(flex|yolo)_\w+", line.text.removesuffix(said))
    of_all = {loki_name(name) for name in (*FIRST, FLEX_DURATION_MS)}
    assert {name for name in names if all(name not in line.fields for line in lines)} <= of_all


def test_no_sample_is_left_out() -> None:
    """Each LogQL query of the docs has its answer here, and so has each panel."""
    assert {f"{SELECTED}{asked}" for asked in ASKED} | COUNTED.keys() == SAMPLES
    assert SHOWN.keys() == PANELS.keys()


@pytest.mark.parametrize("asked", ASKED)
def test_every_sample_has_its_lines(asked: str, told: Told) -> None:
    """As it stands in the docs, and for the service in which all goes well; ids are those of a run."""
    expr = f"{SELECTED}{asked}".replace("RUN", _run(told))
    well, everything = ASKED[asked]

    assert [len(told.loki.lines(each)) for each in (expr.replace(ALL, WELL), expr)] == [well, everything]
    assert everything > 0


@pytest.mark.parametrize("expr", COUNTED)
def test_every_sample_has_its_numbers(expr: str, told: Told) -> None:
    """A query that counts has exactly the groups that there are."""
    assert (told.loki.numbers(expr.replace(ALL, WELL)), told.loki.numbers(expr)) == COUNTED[expr]


def test_an_expression_finds_more_than_it_says(told: Told) -> None:
    """Why no query of ours matches a field by an expression, and why the docs warn of it; when this fails, it may."""
    asked, found = ("start", "complete", "cancel_requested"), set[str]()
    for line in told.loki.lines(f'{SELECTED}flex_event_type=~"{"|".join(asked)}"'):
        found.add(line.fields["flex_event_type"])

    assert found - {*asked} == {"node_complete", "phase_completed", "iteration_completed", "delivery_completed"}


def test_lines_of_the_program_itself_are_found_by_their_run(told: Told) -> None:
    """What the program logged inside of a run has the run's ids, its place in it, and the trace."""
    lines = told.loki.lines(f'{SELECTED}runId="{_run(told)}"')

    assert [(line.text, line.fields["iteration"], line.fields["phase"]) for line in reversed(lines)] == [
        (text, str(number), phase)
        for number in (1, 2, 3)
        for text, phase in ((f"writing attempt {number}", "build"), (f"{number} of 3 cases are right", "verify"))
    ]
    assert {(line.fields["scope_name"], line.fields["workOrderId"]) for line in lines} == {("slugify", "WO-17")}
    assert {line.fields["correlationId"] for line in lines} == {_run(told)}


def test_every_line_leads_to_its_trace(told: Told) -> None:
    """The derived field of Grafana's data source takes the trace id and nothing else, of the program's lines, too."""
    [field] = next(source["jsonData"]["derivedFields"] for source in SOURCES if source["type"] == "loki")
    pattern = re.compile(field["matcherRegex"].replace("$$", "$"))
    lines = told.loki.lines(f'{SELECTED}trace_id!=""')
    found = [[value for name, value in sorted(line.fields.items()) if pattern.search(name)] for line in lines]

    assert (field["matcherType"], field["url"]) == ("label", "$${__value.raw}")
    assert Counter(value for [value] in found) == Counter(
        record.trace_id.hex() for record in told.sent[ALL].logs if record.trace_id
    )
    assert {value for [value] in found} <= {span.trace_id.hex() for span in told.sent[ALL].spans}


def test_a_trace_leads_to_its_lines(told: Told) -> None:
    """What Grafana's data source of traces asks for has every record of a trace, whatever is in its text."""
    settings = next(source["jsonData"]["tracesToLogsV2"] for source in SOURCES if source["type"] == "tempo")
    records = [record for record in told.sent[ALL].logs if record.trace_id]
    trace = next(record.trace_id for record in records if record.event_name == "flex.delivery_completed")
    [tag] = settings["tags"]
    values = {"$${__tags}": f'{tag["value"]}="{ALL}"', "$${__trace.traceId}": trace.hex()}
    expr = settings["query"]
    for name, value in values.items():
        expr = expr.replace(name, value)

    assert (settings["customQuery"], tag["key"]) == (True, "service.name")
    assert len(told.loki.lines(expr)) == sum(record.trace_id == trace for record in records) > 0
