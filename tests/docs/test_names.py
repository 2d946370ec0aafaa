"""The names in the docs exist: settings, commands, attributes, metrics, events, and everything of the package."""

from __future__ import annotations

import builtins
import dataclasses
import importlib
import inspect
import json
import re
import runpy
import shlex
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import otel_agents
from dashboards.alerting import recordings
from dashboards.alerting.objectives import OBJECTIVES
from dashboards.alerting.older import SCOPE
from dashboards.foreign import FOREIGN
from dashboards.limits import Limits
from dashboards.logs import SERVICE
from dashboards.queries import series_name
from otel_agents import door, serve
from otel_agents.audit.records import ENTRY, RECORDS
from otel_agents.bus.event import Event, next_id
from otel_agents.bus.hub import Hub
from otel_agents.bus.projections import ENDINGS, STARTED
from otel_agents.config import SETTINGS
from otel_agents.door import Reply, entrance
from otel_agents.patching.targets.vocabulary import SHAPES
from otel_agents.recording import fields
from otel_agents.runtime import convergence, gateway, yolo
from otel_agents.runtime.convergence import STRATEGIES
from otel_agents.runtime.flex import capabilities as flex
from otel_agents.runtime.flex.capabilities import configured
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.frames import FRAME_TYPES
from otel_agents.runtime.flex.http.answers import ROUTING
from otel_agents.runtime.flex.http.openapi import openapi
from otel_agents.runtime.flex.http.streams import BROKEN
from otel_agents.runtime.flex.problem import CODES
from otel_agents.runtime.flex.server import create_app
from otel_agents.runtime.flex.settings import Settings, variable
from otel_agents.runtime.flex.store.tables import METADATA
from otel_agents.runtime.gateway.calls import METHODS
from otel_agents.runtime.gateway.rules import REASONS
from otel_agents.scopes import KEYWORDS, Handle
from otel_agents.semconv import export
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.metrics import METRICS
from otel_agents.serve.events import PARAMETERS
from otel_agents.serve.health import Health
from otel_agents.signals.eventlog import fields_of, json_line
from otel_agents.testing import Telemetry, capture
from tests.docs.pages import CODE, DOCS, PAGES, ROOT, blocks, commands, name, prose, read, spans
from tests.need import require_module

VARIABLE = re.compile(r"\bOTEL_[A-Z_]*[A-Z]\b(?![*_])")
FLEX_VARIABLE = re.compile(r"\bFLEX_[A-Z_]*[A-Z]\b(?![*_])")
DOTTED = re.compile(r"(?<![\w./-])(?:flex|yolo|otel_agents)(?:[._][a-z0-9_]+)+(?<!_)(?![\w/])(?!\.py\b)")
SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
CAMEL = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
MISSPELT = "OTEL_AGENTS_RING_SIZ"  # to show our message
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)

# Names of others that the docs mention: LangGraph, LangChain, OpenTelemetry, Python.
THEIRS = {
    "after_model", "astream_events", "before_model", "can_jump_to", "create_agent", "interrupt_after",
    "interrupt_before", "jump_to", "logger_provider", "meter_provider", "run_name", "tracer_provider",
    "wrap_model_call", "wrap_tool_call", "write_todos", "force_flush", "event_name", "metrics_exporter",
    "foreign_keys", "histogram_quantile", "response_format", "terminationGracePeriodSeconds",
    "avg_over_time", "last_over_time", "max_over_time", "predict_linear",
    "after_turn", "conversation_id", "group_id", "needs_approval", "on_approval", "run_streamed", "run_sync",
    "workflow_name",
}  # fmt: skip
# Names of ours that stand in no table of ours: the package, the database table, the logger, the key of metadata.
OTHERS = {"otel_agents", "otel_agents_pauses", "yolo_team", "otel_agents.events", "otel_agents.kind", *SHAPES}


def _code(page: Path) -> Iterator[str]:
    """Yield all that a page sets in code font, inline or in a block."""
    yield from spans(page)
    yield from (block.text for block in blocks(page))


def _written(page: Path) -> str:
    """Return what somebody wrote on a page: its prose without what is generated."""
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", prose(page), flags=re.DOTALL)


def _vocabulary() -> set[str]:
    """Return every name of the vocabulary in every form in which it can be met."""
    found = {row.name for table in (OURS, UPSTREAM, METRICS, EVENTS, KINDS) for row in table}
    found |= {value for row in OURS for value in row.values}
    found |= {row.span for row in KINDS}
    found |= {each for row in METRICS for each in (export.prometheus_name(row), *export.prometheus_series(row))}
    found |= {each for row in EVENTS for each in (row.event_name, row.log_name)}
    return found | _operations() | _collector()


def _collector() -> set[str]:
    """Return the words of the Collector's configurations and of their proofs: components, options, its own metrics."""
    files = (*(ROOT / "collector").rglob("*.yaml"), *(ROOT / "tests" / "collector").glob("*.py"))
    return {word for path in files for word in re.findall(r"\w+", path.read_text())}


def _operations() -> set[str]:
    """Return the names that boards and rules have beside ours: limits, recorded series, those of others, Loki's."""
    rows = [rule.metric for rule in recordings(Limits())]
    found = {each.name for each in dataclasses.fields(Limits)} | {each.name for each in OBJECTIVES}
    found |= {word for row in rows for word in row.name.split(":")} | {series_name(row) for row in FOREIGN}
    found |= {label for row in FOREIGN for label in row.labels} | {"error_severity", SERVICE, *SCOPE}
    return found | {row.name.replace(".", "_") for row in (*OURS, *UPSTREAM)}


def _payloads() -> set[str]:
    """Return the names of fields: of payloads, of the envelope, of log lines; and metric labels."""
    found = {row.field for row in (*OURS, *UPSTREAM)} | {row.label for row in OURS}
    found |= {field for event in EVENTS for field in export.payload(event)}
    found |= {field.name for row in RECORDS for field in (*ENTRY, *row.fields)}
    return found | {*fields_of(_event())} | {*_event().as_dict()} | {*Event._fields}


def _event() -> Event:
    """Return an event of which everything is known."""
    texts = {field: "x" for field in Event._fields if field not in ("withheld", "place")}
    return Event(**{**texts, "id": next_id(), "timestamp_ns": 0, "plan_version": 1, "duration_ms": 1.0,
                    "facet_provenance": {}, "payload": {}})  # type: ignore[arg-type]  # fmt: skip


def _team() -> set[str]:
    """Return the names of the team of agents: members and parameters; and those of the older methods in their table."""
    public = [getattr(yolo, each) for each in yolo.__all__]
    found = {*yolo.__all__, *(each for made in public for each in dir(made)), *yolo.errors.SEVERITIES}
    functions = [each for made in public if isinstance(made, type) for each in (made, *vars(made).values())]
    for function in filter(callable, functions):
        try:
            found |= {*inspect.signature(function).parameters}
        except ValueError:  # of C
            continue
    return found | set(re.findall(r"^\| `(\w+)` \|", read(ROOT / "docs/reference/older-names.md"), re.MULTILINE))


def _iterating() -> set[str]:
    """Return the names of converging runs and of the gateway: members and parameters, strategies, reasons, calls."""
    public = [getattr(module, each) for module in (convergence, gateway) for each in module.__all__]
    found = {*convergence.__all__, *gateway.__all__, *(each for made in public for each in dir(made))}
    found |= {*STRATEGIES, *REASONS, *METHODS, "no_progress", *re.findall(r'GatewayError\("(\w+)"', _source(gateway))}
    found |= {parameter for made in (convergence.Loop, gateway.Gateway, gateway.Rule)
              for parameter in inspect.signature(made).parameters}  # fmt: skip
    found |= {row.name for row in (STARTED, *ENDINGS)} | {*re.findall(r"\w+", OURS["flex.run.metrics"].brief)}
    return found | {"stop_command", "call_later"}


def _source(package: typing.Any) -> str:
    """Return the text of all modules of a package."""
    return "".join(path.read_text() for path in sorted(Path(package.__file__).parent.glob("*.py")))


def _flex() -> set[str]:
    """Return the names of the flex runtime: of fields on the wire, values, codes, parameters, capabilities, facets."""
    document, registry = openapi(), shipped()
    found = {*CODES, *(name for each in FRAME_TYPES.values() for name in (*each.always, *each.sometimes))}
    found |= {each.id for each in registry} | {*registry.facets} | {each.lower() for each in dir(flex)}
    found |= {field for cls in (flex.Capability, flex.Task, Settings) for field in inspect.signature(cls).parameters}
    found |= {*METADATA.tables} | {column for each in METADATA.tables.values() for column in each.c.keys()}  # noqa: SIM118
    found |= _words(configured._File.model_json_schema(by_alias=True))
    found |= {BROKEN, *(code for code, _ in ROUTING.values())}
    refusals = [*vars(entrance).values(), *vars(entrance.Door(None, token=None)).values()]  # type: ignore[arg-type]
    found |= {json.loads(each.body)["error"]["code"] for each in refusals if isinstance(each, Reply)}
    return found | _words(document) | {*inspect.signature(create_app).parameters, "create_app", "lifespan_context"}


def _serving() -> set[str]:
    """Return the names of the live endpoints: parameters, fields of health, codes, reasons; and Prometheus' own."""
    observed = serve.Observation(Hub())
    found = {*PARAMETERS, *_words(Health(observed).report()), *inspect.signature(otel_agents.asgi_app).parameters}
    observed.close()
    found |= {each for package in (serve, door) for each in re.findall(r'"(\w+_\w+)"', _source(package))}
    return found | {"taskSpec", "prometheus_client"}


def _words(document: object) -> set[str]:
    """Return every key of a document, and every text in it that is a word."""
    if isinstance(document, dict):
        return {*document} | {word for each in document.values() for word in _words(each)}
    if isinstance(document, list):
        return {word for each in document for word in _words(each)}
    return {document} if isinstance(document, str) else set()


def _python() -> set[str]:
    """Return the names of the public functions, of their parameters and keywords, and of members."""
    functions = [getattr(otel_agents, each) for each in otel_agents.__all__ if each not in ("record", "__version__")]
    functions += [capture, *(member for cls in (Handle, Telemetry, Event) for member in vars(cls).values())]
    found = {*otel_agents.__all__, "capture", *dir(Handle), *dir(Telemetry), *dir(Event)}
    found |= {
        each for function in filter(inspect.isfunction, functions) for each in inspect.signature(function).parameters
    }
    found |= {each for keywords in KEYWORDS.values() for each in keywords}
    found |= {each for event in EVENTS for each in fields(event)} | {"duration_s", "context_tokens"}
    with capture():
        found |= {*otel_agents.health()}
    return found | {setting.name for setting in SETTINGS} | {*dir(builtins), *dir(typing)}


def _exists(dotted: str) -> bool:
    """Whether a dotted name of the package can be imported or looked up."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[end:]:
                found = getattr(found, part)
        except AttributeError:
            return False
        return True
    return False


def _unknown(names: Iterable[str], *known: set[str]) -> list[str]:
    return sorted({each for each in names if not any(each in some for some in known)})


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_variables_exist(page: Path) -> None:
    """Every variable that a page names is a setting of ours for users, or one of OpenTelemetry's."""
    public = {setting.env for setting in SETTINGS if setting.is_public} | {MISSPELT}
    places = ("environment_variables", "sdk.environment_variables", "instrumentation.environment_variables")
    modules = [importlib.import_module(f"opentelemetry.{place}") for place in places]
    theirs = {each for module in modules for each in dir(module)}

    assert _unknown(VARIABLE.findall(read(page)), public, theirs) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_variables_of_flex_exist(page: Path) -> None:
    """Every FLEX variable that a page names is a setting of the runtime."""
    known = {variable(field) for field in inspect.signature(Settings).parameters}

    assert _unknown(FLEX_VARIABLE.findall(read(page)), known) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_dotted_names_exist(page: Path) -> None:
    """Every name of a page that begins as ours is in the vocabulary, or can be imported."""
    named = (each for code in _code(page) for each in DOTTED.findall(code))

    assert [each for each in _unknown(named, _vocabulary(), _flex(), OTHERS) if not _exists(each)] == []


@pytest.mark.parametrize("page", [page for page in DOCS if page.name != "semconv.md"], ids=name)
def test_single_names_exist(page: Path) -> None:
    """Every word in code font that looks like an event type, a field or a parameter is one, or is known as others'."""
    words = [word for code in CODE.findall(_written(page)) for word in re.split(r"[^\w.]+", code)]
    named = [word for word in words if SNAKE.fullmatch(word) or CAMEL.fullmatch(word)]

    assert (
        _unknown(
            named, _vocabulary(), _payloads(), _python(), _flex(), _team(), _iterating(), _serving(), THEIRS, OTHERS
        )
        == []
    )


def test_an_unknown_name_would_be_seen() -> None:
    """A misspelt name is in no table and in no module."""
    assert _unknown(["flex.run.id", "flex.run.ids"], _vocabulary()) == ["flex.run.ids"]
    assert _exists("otel_agents.record.handoff")
    assert not _exists("otel_agents.record.handof")
    assert not _exists("otel_agents.nowhere")


def _options() -> dict[str, set[str]]:
    """Return the options of each command."""
    typer = require_module("typer", "cli")
    from otel_agents.cli.app import app

    group = typer.main.get_command(app)
    return {
        command: {name for parameter in row.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for command, row in _commands(group)
    }


def _commands(group: typing.Any) -> Iterator[tuple[str, typing.Any]]:
    """Yield the commands by name; those of a group behind the name of the group, which stands alone, too."""
    for command, row in getattr(group, "commands", {}).items():
        yield command, row
        yield from ((f"{command} {inner}", each) for inner, each in _commands(row))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    """Every command of ours that a page tells to type exists, with the options that are given to it."""
    options, wrong = _options(), []
    for line in commands(page):
        found = re.search(r"(?:^|\|\s*|bin/)otel-agents (.*)", line)
        words = shlex.split(found[1].partition("#")[0].partition("|")[0].partition(">")[0]) if found else []
        own = words[: words.index("--")] if "--" in words else words
        own = [" ".join(own[:2]), *own[2:]] if " ".join(own[:2]) in options else own
        flags = {word.partition("=")[0] for word in own[1:] if word.startswith("-")} - {"--help", "-h"}
        if own and own[0] not in ("--help", "--version") and not flags <= options.get(own[0], set()) | {""}:
            wrong.append(line)
        if own and not own[0].startswith("-") and own[0] not in options:
            wrong.append(line)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_of_make_exist(page: Path) -> None:
    """Every `make target` that a page names is a target."""
    files = (ROOT / "Makefile", *ROOT.glob("*/*.mk"))
    targets = {target for file in files for target in TARGET.findall(file.read_text())}
    lines = (line for line in commands(page) if line.startswith("make "))
    named = {next(word for word in shlex.split(line, comments=True)[1:] if "=" not in word) for line in lines}

    assert named - targets == set()


def test_every_field_of_the_envelope_is_explained() -> None:
    """The page of the envelope has one row for each field of an event's JSON form, in order."""
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| (`\w+`(?:, `\w+`)*) \|", prose(ROOT / "docs/reference/events.md"), re.MULTILINE
    )
    named = [each for row, _ in rows for each in re.findall(r"\w+", row)]
    attributes = [each for _, row in rows for each in re.findall(r"\w+", row)]

    assert named == [*_event().as_dict()]
    assert all(hasattr(Event, each) for each in attributes)


def test_every_field_of_a_json_line_is_explained() -> None:
    """The page of logs has one row for each field of a JSON line, in order."""
    section = prose(ROOT / "docs/howto/logs.md").partition("| `level` |")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", (section[1] + section[2]).partition("\n\n")[0], re.MULTILINE)
    line = json_line("INFO", "flex_start", _event(), fields_of(_event()))

    assert [each for row in rows for each in re.findall(r"\w+", row)] == re.findall(r'(?<=[{,])"(\w+)":', line)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_docstrings_name_what_may_be_set(kind: typing.Any) -> None:
    """The function of each kind says which keywords are set inside."""
    keywords = [export.known(each).keyword for each in kind.at_end if each != "flex.run.status"]
    said = getattr(otel_agents, kind.name).__doc__

    assert [each for each in keywords if each and f"``{each}``" not in said] == []


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_a_line_is_a_sentence(page: Path) -> None:
    """Outside tables, lists and code there is one sentence a line, so that changes can be read."""
    lines = [line for line in _written(page).splitlines() if not line.startswith(("|", "- ", "#", "<!--"))]

    assert [line for line in lines if re.search(r"(?<=[a-z`)*])[.!?] [A-Z]", line)] == []


def test_generated_pages_are_current() -> None:
    """What the docs take from the code is as the code is now: else run `make generate`."""
    require_module("typer", "cli")
    stale = runpy.run_path(str(ROOT / "docs" / "generate.py"))["stale"]

    assert [path.relative_to(ROOT).as_posix() for path, _, _ in stale()] == []
