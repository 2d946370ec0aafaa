"""Boards as Grafana's classic JSON, which every Grafana from 10 on imports; must not know what a board shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import common as c
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import logs, loki, nodegraph, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import loki as lm
from grafana_foundation_sdk.models import prometheus as pm

from dashboards.logs import SERVICE, Logs
from dashboards.model import Board, Line, Panel
from dashboards.queries import Query, series_name

TAG: Final = "otel-agents"
METRICS: Final = cm.DataSourceRef(type_val="prometheus", uid="${datasource}")
LOGS: Final = cm.DataSourceRef(type_val="loki", uid="${logs}")
ALL: Final = dm.VariableOption(selected=True, text=["All"], value=["$__all"])
WIDE: Final = 12  # columns of the grid from which on a legend has room beside the lines
NUMBER: Final = 80  # pixels of a column of numbers, so that names have the rest
NARROWEST: Final = 60  # pixels of a column: Grafana's own 150 cut off the last one
HEIGHTS: Final = {"stat": 4, "series": 8, "table": 8, "graph": 8, "logs": 8}

# Grafana's word for a unit of OpenTelemetry; a unit in braces is a number of things.
UNITS: Final[Mapping[str, str]] = {
    "1": "percentunit",
    "s": "s",
    "s/s": "percentunit",
    "By": "bytes",
    "%": "percent",
    "{megabyte}": "decmbytes",
    "": "",
}


def unit(of: str) -> str:
    """Return Grafana's word for a unit.

    Raises:
        KeyError: There is none.
    """
    if of not in UNITS and of.startswith("{"):
        return "cps" if of.endswith("/s") else "short"
    return UNITS[of]


def to_json(board: Board) -> str:
    """Return a board as indented JSON with a line break at its end."""
    return json.dumps(_dashboard(board).build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _dashboard(board: Board) -> d.Dashboard:
    made = (
        d.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(dm.DashboardCursorSync.CROSSHAIR)
        .variables(list(_variables(board)))
        .link(
            d.DashboardLink("Agents")
            .type(dm.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    number = 0
    for row in board.rows:
        made.with_row(d.Row(row.title).id(number := number + 1))
        height = max(HEIGHTS[panel.kind] for panel in row.panels)
        for panel in row.panels:
            made.with_panel(_panel(panel).height(height).id(number := number + 1))
    return made


# Variables


def _variables(board: Board) -> Iterator[Any]:
    queries = [line.query for panel in board.panels() for line in panel.lines]
    source = series_name(board.source)
    yield d.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield _labels("job", "Job", source)
    yield _labels("instance", "Instance", f'{source}{{job=~"$job"}}')
    if any("$runtime" in str(query) for query in queries):
        yield _labels("runtime", "Runtime", 'flex_run_active{job=~"$job"}')
    if board.collectors is not None:
        of = series_name(board.collectors)
        yield _labels("collector_job", "Collector job", of, "job")
        yield _labels("collector_instance", "Collector", f'{of}{{job=~"$collector_job"}}', "instance")
    if any(isinstance(query, Logs) for query in queries):
        yield d.DatasourceVariable("logs").label("Logs").type("loki")
        asked: dict[str, object] = {"label": SERVICE, "refId": "service", "stream": "", "type": 1}
        yield _choice("service", "Service").query(asked).datasource(LOGS)


def _labels(name: str, title: str, of: str, label: str = "") -> d.QueryVariable:
    definition = f"label_values({of}, {label or name})"
    asked: dict[str, object] = {"qryType": 1, "query": definition, "refId": name}
    return _choice(name, title).query(asked).definition(definition).datasource(METRICS)


def _choice(name: str, title: str) -> d.QueryVariable:
    return (
        d.QueryVariable(name)
        .label(title)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(ALL)
        .refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dm.VariableSort.ALPHABETICAL_ASC)
    )


# Panels


def _panel(panel: Panel) -> Any:
    made = MAKERS[panel.kind](panel)
    made.title(panel.title).description(panel.description).span(panel.width)
    made.no_value(panel.empty).datasource(LOGS if panel.kind == "logs" else METRICS)
    if panel.unit:
        made.unit(unit(panel.unit))
    if panel.board:
        url = f"/d/{TAG}-{panel.board}?${{__url_time_range}}&${{__all_variables}}"
        made.links([d.DashboardLink("More").type(dm.DashboardLinkType.LINK).url(url)])
    if panel.limits or panel.kind == "stat":  # else Grafana paints every number from 80 on red
        made.thresholds(_thresholds(panel))
    for number, line in enumerate(panel.lines):
        made.with_target(_target(panel, line, chr(ord("A") + number)))
    return made


def _thresholds(panel: Panel) -> d.ThresholdsConfig:
    steps = [dm.Threshold(value=None, color="green"), *(dm.Threshold(value, color) for value, color in panel.limits)]
    return d.ThresholdsConfig().mode(dm.ThresholdsMode.ABSOLUTE).steps(steps)


def _series(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(10)
        .show_points(cm.VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(_legend(panel))
        .tooltip(c.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI).sort(cm.SortOrder.DESCENDING))
    )
    if panel.lowest is not None:
        made.min(panel.lowest)
    if panel.highest is not None:
        made.max(panel.highest)
    if panel.limits:
        made.thresholds_style(c.GraphThresholdsStyleConfig().mode(cm.GraphThresholdsStyleMode.DASHED))
    if panel.stacked:
        made.stacking(c.StackingConfig().mode(cm.StackingMode.NORMAL))
    return made


def _legend(panel: Panel) -> c.VizLegendOptions:
    """Return a legend that shows as many lines as possible: beside them with values, or below them as names only."""
    made = c.VizLegendOptions().show_legend(True)
    if panel.width < WIDE:
        return made.display_mode(cm.LegendDisplayMode.LIST).placement(cm.LegendPlacement.BOTTOM)
    shown = made.display_mode(cm.LegendDisplayMode.TABLE).placement(cm.LegendPlacement.RIGHT)
    return shown.calcs(["lastNotNull", "max"])


def _stat(panel: Panel) -> stat.Panel:
    made = stat.Panel().graph_mode(cm.BigValueGraphMode.NONE).color_mode(cm.BigValueColorMode.VALUE)
    return made.reduce_options(c.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def _table(panel: Panel) -> table.Panel:
    letters = (chr(ord("A") + number) for number in range(len(panel.lines)))
    names = {f"Value #{letter}": line.name for letter, line in zip(letters, panel.lines, strict=True)}
    first = panel.lines[0].name
    tidy = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {"Value": first, **names}}
    made = table.Panel().min_width(NARROWEST).sort_by([c.TableSortByFieldState().display_name(first).desc(True)])
    query = panel.lines[0].query
    if isinstance(query, Query) and query.labels:
        for name in names.values():
            made.override_by_name(name, [dm.DynamicConfigValue(id_val="custom.width", value=NUMBER)])
    if len(panel.lines) > 1:
        made.with_transformation(dm.DataTransformerConfig(id_val="merge", options={}))
    return made.with_transformation(dm.DataTransformerConfig(id_val="organize", options=tidy))


def _graph(panel: Panel) -> nodegraph.Panel:
    return nodegraph.Panel()


def _logs(panel: Panel) -> logs.Panel:
    made = logs.Panel().show_time(True).wrap_log_message(True).enable_log_details(True)
    return made.sort_order(cm.LogsSortOrder.DESCENDING).dedup_strategy(cm.LogsDedupStrategy.NONE)


MAKERS: Final[Mapping[str, Callable[[Panel], Any]]] = {
    "series": _series,
    "stat": _stat,
    "table": _table,
    "graph": _graph,
    "logs": _logs,
}


# Queries


def _target(panel: Panel, line: Line, letter: str) -> Any:
    if isinstance(line.query, Logs):
        asked = loki.Dataquery().expr(str(line.query)).query_type("range").max_lines(200)
        return asked.direction(lm.LokiQueryDirection.BACKWARD).datasource(LOGS).ref_id(letter)
    made = prometheus.Dataquery().expr(str(line.query)).datasource(METRICS).ref_id(letter)
    made.editor_mode(pm.QueryEditorMode.CODE)
    if panel.kind != "series":
        tabular = panel.kind in ("table", "graph")
        form = pm.PromQueryFormat.TABLE if tabular else pm.PromQueryFormat.TIME_SERIES
        made.instant().format(form)
        return made.ref_id(line.name) if panel.kind == "graph" else made
    return made.range().legend_format(line.name or _name(line.query)).exemplar(line.query.has_exemplars)


def _name(query: Query) -> str:
    return " ".join(f"{{{{{name}}}}}" for name in query.labels) or "all"
