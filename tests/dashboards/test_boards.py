"""The boards by the rules of Grafana's dashboard-linter, and a few of our own."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from dashboards.boards import boards
from dashboards.foreign import FOREIGN
from dashboards.model import Panel
from dashboards.queries import series_name
from otel_agents.semconv.export import prometheus_name
from otel_agents.semconv.metrics import METRICS
from tests.dashboards.reading import BOARDS, LIMITS, SELECTOR, Target, known, metrics, panels, targets
from tests.docs.pages import ROOT
from tests.need import require_module

require_module("grafana_foundation_sdk", "dashboards")

from dashboards.classic import unit  # noqa: E402  # asked for first

BY_TITLE = {f"{board.uid}: {panel.title}": panel for board in boards(LIMITS) for panel in board.panels()}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in panels(board)]
KNOWN = known()
METRIC_TARGETS = [target for target in targets() if not target.is_logs]
# Grafana's words for units that we use, as its linter knows them.
VALID_UNITS = {"short", "cps", "s", "percentunit", "percent", "bytes", "decmbytes"}
LARGEST = 250_000  # bytes
CHOSEN = {
    "job": "Job", "instance": "Instance", "runtime": "Runtime", "service": "Service",
    "collector_job": "Collector job", "collector_instance": "Collector",
}  # fmt: skip
OF_COLLECTOR = '{job=~"$collector_job", instance=~"$collector_instance"'
# Rates would say nothing of these: a moment of a start, and how long a Collector has been running.
NO_RATE = {"otelcol_process_uptime_seconds_total"}
# What is not of the jobs that a board chooses: the Collector's own, Prometheus's alerts, and what is recorded by job.
OTHER_JOBS = {series_name(row) for row in FOREIGN}


def _of(board: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((each for each in board["templating"]["list"] if each["name"] == name), None)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_can_be_imported_anywhere(name: str) -> None:
    """It has a stable address, cannot be edited by accident, and has no id of one Grafana."""
    board = BOARDS[name]

    assert (board["uid"], board["editable"], board["schemaVersion"]) == (name, False, 42)
    assert len(name) <= 40
    assert "id" not in board
    assert board["description"]


@pytest.mark.parametrize("name", BOARDS)
def test_variables(name: str) -> None:
    """Data source, job and instance can be chosen, several or all, anew when the time changes; others where used."""
    board = BOARDS[name]
    source = _of(board, "datasource")
    used = str(board["panels"])

    assert source is not None
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    for variable, label in CHOSEN.items():
        found = _of(board, variable)
        assert (found is not None) == (variable in ("job", "instance") or f"${variable}" in used)
        if found is not None:
            assert (found["label"], found["type"], found["multi"], found["includeAll"], found["allValue"]) == (
                label, "query", True, True, ".+",
            )  # fmt: skip
            assert found["refresh"] == 2
            assert found["datasource"]["uid"] == ("${logs}" if variable == "service" else "${datasource}")
    assert (_of(board, "logs") is not None) == ("${logs}" in used)


@pytest.mark.parametrize("name", BOARDS)
def test_boards_are_linked(name: str) -> None:
    """Each lists all others, with its variables and its time, and links of panels lead to boards that exist."""
    board = BOARDS[name]
    [link] = board["links"]
    urls = [each["url"] for panel in panels(board) for each in panel.get("links", ())]

    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == (
        "dashboards", ["otel-agents"], True, True,
    )  # fmt: skip
    assert board["tags"] == ["otel-agents"]
    assert {url.partition("?")[0].removeprefix("/d/") for url in urls} <= {*BOARDS}
    assert all(url.endswith("?${__url_time_range}&${__all_variables}") for url in urls)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_room(name: str) -> None:
    """No panel overlaps another, none leaves the grid, and each has a number of its own."""
    board = BOARDS[name]
    boxes = [tuple(panel["gridPos"][side] for side in "xywh") for panel in board["panels"]]
    overlapping = [
        (one, two)
        for one, two in combinations(boxes, 2)
        if one[0] < two[0] + two[2]
        and two[0] < one[0] + one[2]
        and one[1] < two[1] + two[3]
        and two[1] < one[1] + one[3]
    ]

    assert overlapping == []
    assert max(x + w for x, _, w, _ in boxes) == 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=lambda each: each if isinstance(each, str) else each["title"])
def test_a_panel_explains_itself(name: str, panel: dict[str, Any]) -> None:
    """It has a title, a description, something to say when it is empty, a data source to choose, and queries."""
    defaults = panel["fieldConfig"]["defaults"]

    assert panel["title"]
    assert panel["description"].endswith((".", "fires.", "recorded."))
    assert defaults["noValue"]
    assert panel["datasource"]["uid"] in ("${datasource}", "${logs}")
    assert panel["targets"]
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert (panel["type"] == "logs") == ("unit" not in defaults)


@pytest.mark.parametrize("place", BY_TITLE)
def test_the_unit_is_that_of_the_metric(place: str) -> None:
    """Every query of a panel has the unit that the panel shows, and Grafana knows that unit."""
    row: Panel = BY_TITLE[place]
    board, _, title = place.partition(": ")
    [shown] = [panel for panel in panels(BOARDS[board]) if panel["title"] == title]
    if row.kind == "logs":
        return
    found = {unit(getattr(line.query, "unit", "")) for line in row.lines}

    assert found == {shown["fieldConfig"]["defaults"]["unit"]}
    assert found <= VALID_UNITS


def test_an_unknown_unit_is_refused() -> None:
    """A unit that Grafana has no word for fails the build."""
    with pytest.raises(KeyError, match="furlong"):
        unit("furlong")


@pytest.mark.parametrize("target", METRIC_TARGETS, ids=lambda target: target.place)
def test_a_query_looks_at_what_was_chosen(target: Target) -> None:
    """It is narrowed by job and instance, and by runtime where the metric has it; rates fit the time that is shown."""
    expr = target.expr
    ours = [name for name in metrics(expr) if name not in OTHER_JOBS]

    for name in ours:
        of_recorded = ":" in name
        assert f'{name}{{job=~"$job"{"" if of_recorded else ", instance=~"}' in expr
    for name in metrics(expr):
        assert not name.startswith("otelcol_") or f"{name}{OF_COLLECTOR}" in expr
    for name, matchers in SELECTOR.findall(expr):
        assert ("runtime=" in matchers) == ("runtime" in KNOWN[name])
    assert "[5m]" not in expr
    if "rate(" in expr:
        assert "[$__rate_interval]" in expr
    for name in metrics(expr):
        if name.endswith(("_total", "_count", "_sum", "_bucket")) and name not in NO_RATE:
            assert f"rate({name}" in expr or f"increase({name}" in expr


@pytest.mark.parametrize("target", METRIC_TARGETS, ids=lambda target: target.place)
def test_quantiles_lead_to_traces(target: Target) -> None:
    """Where buckets are drawn over time, their exemplars are drawn, too, and nowhere else."""
    over_time = target.panel["type"] == "timeseries"

    assert target.query.get("exemplar", False) == (over_time and "_bucket{" in target.expr)
    assert target.query.get("instant", False) == (not over_time)


@pytest.mark.parametrize("target", METRIC_TARGETS, ids=lambda target: target.place)
def test_nothing_is_divided_by_nothing(target: Target) -> None:
    """Of nothing there is no share and no mean: a NaN would keep the panel from saying that it is empty."""
    assert target.expr.count(" / ") == target.expr.count(" > 0)")


def test_colours_are_ours() -> None:
    """Where a number stands alone, the board says what colour it has: Grafana's default is red from 80 on."""
    stats = [panel for board in BOARDS.values() for panel in panels(board) if panel["type"] == "stat"]

    assert stats
    for panel in stats:
        first, *_ = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert first == {"color": "green", "value": None}


def test_the_graph_shows_its_numbers() -> None:
    """Numbers at nodes and edges are text in a field `mainstat`, where Grafana looks for them."""
    [graph] = [panel for board in BOARDS.values() for panel in panels(board) if panel["type"] == "nodeGraph"]

    labels = {target["refId"]: target["expr"].partition("(")[2].partition(", round(")[0] for target in graph["targets"]}
    assert labels == {"nodes": 'id, title) ("mainstat"', "edges": 'id, source, target) ("mainstat"'}


def test_what_may_be_negative_is_seen() -> None:
    """A budget that is overspent is drawn below 0; everything else begins there."""
    lines = [panel for board in BOARDS.values() for panel in panels(board) if panel["type"] == "timeseries"]

    assert [panel["title"] for panel in lines if panel["fieldConfig"]["defaults"].get("min") != 0] == [
        "Error budget left, of 30 days"
    ]


def test_every_metric_stands_on_a_board() -> None:
    """No metric of ours is without a panel."""
    shown = {name for target in METRIC_TARGETS for name in metrics(target.expr)}
    families = {prometheus_name(row): row.name for row in METRICS}

    assert [
        name
        for family, name in families.items()
        if not shown & {family, f"{family}_bucket", f"{family}_count", f"{family}_sum"}
    ] == []


@pytest.mark.parametrize("name", BOARDS)
def test_the_docs_show_every_board(name: str) -> None:
    """Each board has a picture in the docs, small enough for a page; `make pictures` draws it."""
    picture = ROOT / "docs" / "images" / "boards" / f"{name.removeprefix('otel-agents-')}.png"

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < LARGEST


def test_the_older_board_has_its_panels() -> None:
    """The board of the older system has the panels that it had, by name, and the graph of handoffs."""
    board = BOARDS["otel-agents-yolo"]
    titles = {panel["title"]: panel["type"] for panel in panels(board)}

    assert board["title"] == "YOLO System Overview"
    assert {
        name: titles[name]
        for name in ("Agent Activity", "Decision Rate", "Context Token Usage", "Error Rate", "Handoff Duration P95")
    } == dict.fromkeys(
        ("Agent Activity", "Decision Rate", "Context Token Usage", "Error Rate", "Handoff Duration P95"), "timeseries"
    )
    assert titles["Who hands to whom"] == "nodeGraph"
