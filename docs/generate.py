"""Write what the docs take from the code: reference tables, and the types of `otel_agents.record`.

python docs/generate.py           # write
python docs/generate.py --check   # fail, with the difference, when something is stale
"""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import otel_agents
from otel_agents import adapters, recording, testing
from otel_agents.audit.records import records_markdown
from otel_agents.cli.app import PLACES, load
from otel_agents.config import Selection, settings_markdown
from otel_agents.patching.table import Adapter, Patch
from otel_agents.patching.targets import describing, schema
from otel_agents.runtime.flex.http import openapi
from otel_agents.runtime.flex.http.operations import OPERATIONS
from otel_agents.runtime.flex.http.schemas import DOCUMENTS
from otel_agents.runtime.flex.problem import CODES
from otel_agents.runtime.flex.settings import Settings, settings_table, variable
from otel_agents.scopes import Handle, Scope
from otel_agents.semconv import export
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.model import EventType

ROOT: Final = Path(__file__).parents[1]
BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
TYPES: Final[Mapping[str, str]] = {
    "string": "str",
    "int": "int",
    "double": "float",
    "boolean": "bool",
    "string[]": "Sequence[str]",
    "json": "object",
}
INDENT: Final = "    "
WIDTH: Final = 100
SERVER_ERROR: Final = 500


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n" for cells in lines)


def sentences(text: str) -> str:
    """Return a docstring's text as Markdown, one sentence a line."""
    paragraphs = [" ".join(part.split()).replace("``", "`") for part in inspect.cleandoc(text).split("\n\n")]
    return "\n\n".join(re.sub(r"(?<=[.!?]) (?=[A-Z`])", "\n", part) for part in paragraphs)


# Command line


def commands() -> str:
    """Describe every command: what it does, its options, its exit codes."""
    return "\n".join(_command(name, function) for command in PLACES for name, function in _registered(load(command)))


def _registered(group: Any) -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield the commands by name, those of groups behind the name of their group."""
    yield from ((each.name or each.callback.__name__, each.callback) for each in group.registered_commands)
    for inner in group.registered_groups:
        yield from ((f"{inner.name} {name}", function) for name, function in _registered(inner.typer_instance))


def _command(name: str, function: Callable[..., object]) -> str:
    rows = list(_parameters(function))
    options = table(("option", "default", "meaning"), rows) if rows else "It has no options.\n"
    return f"## otel-agents {name}\n\n{sentences(function.__doc__ or '')}\n\n{options}"


def _parameters(function: Callable[..., object]) -> Iterator[tuple[str, str, str]]:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        type_, info = get_args(hints[parameter.name])
        metavar = info.metavar or _values(type_)
        if parameter.default is inspect.Parameter.empty:
            yield f"`{metavar}`", "", info.help
        else:
            default = getattr(parameter.default, "value", parameter.default)
            shown = "" if default in (None, False) else f"`{default}`"
            yield (
                ", ".join(f"`{f'{each} {metavar}'.strip()}`" for each in _names(parameter.name, info)),
                shown,
                info.help,
            )


def _names(name: str, info: Any) -> list[str]:
    """Return the names of an option; Typer keeps the first that is given as if it were the default."""
    given = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
    return given or [f"--{name.replace('_', '-')}"]


def _values(type_: Any) -> str:
    """Return what may be written for an option whose type is a closed set, "" for flags."""
    choices = [each for each in (type_, *get_args(type_)) if isinstance(each, type) and issubclass(each, Enum)]
    return "|".join(str(value.value) for value in choices[0]) if choices else ""


# Python


def scopes() -> str:
    """Describe every kind of the manual API."""
    return "\n".join(_function(kind.name, getattr(otel_agents, kind.name)) for kind in KINDS)


def _function(name: str, function: Callable[..., object]) -> str:
    return f"### {name}\n\n```text\n{signature(name, function)}\n```\n\n{sentences(function.__doc__ or '')}\n"


def signature(name: str, function: Callable[..., object], *, width: int = WIDTH) -> str:
    """Return a signature as a person reads it: without quotes and modules; beyond the width, with a line each."""
    shown = inspect.signature(function)
    parameters = [_parameter(each) for each in shown.parameters.values() if each.name != "self"]
    named = [index for index, each in enumerate(shown.parameters.values()) if each.kind is each.KEYWORD_ONLY]
    if named:
        parameters.insert(named[0] - (len(shown.parameters) - len(parameters)), "*")
    end = f") -> {_type(shown.return_annotation)}"
    line = f"{name}({', '.join(parameters)}{end}"
    return line if len(line) <= width else "\n".join([f"{name}(", *(f"{INDENT}{each}," for each in parameters), end])


def _parameter(each: inspect.Parameter) -> str:
    text = f"{'**' if each.kind is each.VAR_KEYWORD else ''}{each.name}: {_type(each.annotation)}"
    if each.default is each.empty:
        return text
    return f"{text} = {each.default!r}" if isinstance(each.default, str | int | float | None) else f"{text} = ..."


def _type(annotation: object) -> str:
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", str(annotation))


def others() -> str:
    """Describe what else the package offers."""
    names = ("subscribe", "log_context", "health", "asgi_app")
    return "\n".join(_function(name, getattr(otel_agents, name)) for name in names)


def handles() -> str:
    """Describe what a block gets."""
    return _members(Handle) + "\n" + f"{sentences(Scope.__doc__ or '')}\n"


def telemetry() -> str:
    """Describe the test kit."""
    return _function("capture", testing.capture) + "\n" + _members(testing.Telemetry)


def _members(cls: type) -> str:
    rows = []
    for name, member in vars(cls).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        shown = signature(name, member, width=WIDTH * 2) if inspect.isfunction(member) else name
        rows.append((f"`{shown}`", " ".join(sentences(member.__doc__ or "").split())))
    return f"`{cls.__name__}`: {sentences(cls.__doc__ or '')}\n\n" + table(("member", "meaning"), rows)


def recorders() -> str:
    """List every event type with its arguments."""
    rows = ((f"`{row.name}`", ", ".join(f"`{each}`" for each in recording.fields(row)), row.brief) for row in EVENTS)
    return table(("record.", "arguments", "meaning"), rows)


# Patches


def patches() -> str:
    """Describe every patch row of every adapter."""
    return "\n".join(_adapter(adapter) for adapter in adapters.load(Selection()))


def _adapter(adapter: Adapter) -> str:
    oldest, newest = adapter.tested
    watched = f"`{adapter.distribution}`" if adapter.distribution else "Python's standard library"
    head = f"## {adapter.name}\n\nWatches {watched}; tested with {oldest} to {newest}.\n"
    rows = ((f"`{row.target}`", row.kind.name if row.kind else "tap", _why(row)) for row in adapter.patches)
    return f"{head}\n{table(('target', 'kind', 'why'), rows)}"


def _why(row: Patch) -> str:
    bounds = (("from", row.absent_before), ("before", row.absent_from))
    versions = " ".join(f"{word} {version}" for word, version in bounds if version)
    return f"{row.why} Only {versions}: {row.absent_note}" if versions else row.why


# Flex


def endpoints() -> str:
    """List every endpoint with what it is for."""
    rows = ((f"`{each.method} {each.path}`", each.summary, _answers(each.returns)) for each in OPERATIONS)
    return table(("endpoint", "what it is for", "answer"), rows)


def _answers(returns: Iterable[tuple[int, str]]) -> str:
    words = {"": "", "FlexEvent": "a stream of frames"}
    return ", ".join(f"{status} {words.get(schema, 'JSON')}".strip() for status, schema in returns)


def errors() -> str:
    """List the codes of errors by status; those of the last group reach clients in frames."""
    by_status: dict[int, list[str]] = {}
    for code, status in CODES.items():
        by_status.setdefault(status, []).append(f"`{code}`")
    rows = (
        (f"{status}" if status != SERVER_ERROR else "in frames", ", ".join(codes))
        for status, codes in by_status.items()
    )
    return table(("status", "codes"), rows)


def flex_settings() -> str:
    """List the variables of the runtime."""
    told = {variable(name): text for name, text in re.findall(r"^ +(\w+): (.+)$", Settings.__doc__ or "", re.MULTILINE)}
    rows = ((f"`{name}`", f"`{default}`", told[name], accepted) for name, default, accepted in settings_table())
    return table(("environment variable", "default", "what it decides", "values"), rows)


def as_file(document: Any) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def schema_files() -> dict[str, Callable[[], str]]:
    """Return the published JSON Schemas by file."""
    files: dict[str, Callable[[], str]] = {}
    for name, make in DOCUMENTS.items():
        hyphenated = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
        files[f"docs/reference/schemas/{hyphenated}.schema.json"] = partial(_made, make)
    return files


def _made(make: Callable[[], Any]) -> str:
    return as_file(make())


# The house


def house() -> str:
    """List the modules from the top floor down, each with what its docstring says that it is for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [floors] = [each["layers"] for each in settings["tool"]["importlinter"]["contracts"] if "layers" in each]
    rows = []
    for number, floor in enumerate(reversed(floors)):
        names = [name.strip(" ()") for name in floor.split("|")]
        rows += [(f"{number}", f"`{name}`", told) for name in names if (told := _purpose(name))]
    return table(("floor", "module", "what it is for"), reversed(rows))


def _purpose(module: str) -> str:
    places = (ROOT / "otel_agents" / f"{module}.py", ROOT / "otel_agents" / module / "__init__.py")
    path = next((place for place in places if place.exists()), None)
    if path is None:  # not built yet
        return ""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].replace("``", "`")


# Types

STUB: Final = """\
# The types of record.py, written by docs/generate.py from the vocabulary: change that instead.

from collections.abc import Sequence

"""


def stub() -> str:
    """Return the types of `otel_agents.record`, whose functions are made from the vocabulary."""
    names = [*(row.name for row in EVENTS), "context_tokens"]
    listed = "".join(f'{INDENT}"{name}",\n' for name in sorted(names))
    made = "".join(map(_typed, EVENTS))
    return f"{STUB}__all__ = [\n{listed}]\n\n{made}def context_tokens(agent: str, tokens: int) -> None: ...\n"


def _typed(event: EventType) -> str:
    fields = {name: TYPES[export.known(attribute).type] for name, attribute in recording.fields(event).items()}
    given = [f"{name}: {type_} | None = None" for name, type_ in {**fields, "duration_s": "float"}.items()]
    lines = "".join(f"{INDENT}{each},\n" for each in [*given, "*", 'outcome: str = "ok"'])
    return f"def {event.name}(\n{lines}) -> None: ...\n"


# Files

BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "audit": records_markdown,
    "commands": commands,
    "endpoints": endpoints,
    "errors": errors,
    "flex": flex_settings,
    "handles": handles,
    "house": house,
    "others": others,
    "patches": patches,
    "recorders": recorders,
    "scopes": scopes,
    "settings": settings_markdown,
    "target_fields": describing.fields_markdown,
    "target_kinds": describing.kinds_markdown,
    "telemetry": telemetry,
}
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/reference/semconv.md": export.to_markdown,
    "otel_agents/record.pyi": stub,
    "docs/reference/openapi.json": partial(_made, openapi.openapi),
    "docs/reference/targets.schema.json": partial(_made, schema.json_schema),
    **schema_files(),
}


def filled(page: str) -> str:
    """Return a page with its generated blocks as they should be.

    Raises:
        KeyError: It names a block that nobody makes.
    """
    return BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n{found[3]}", page)


def wanted() -> Iterator[tuple[Path, str]]:
    """Yield every file that is generated, or has generated blocks, with the text that it should have."""
    for name, make in FILES.items():
        yield ROOT / name, make()
    for path in sorted((ROOT / "docs").rglob("*.md")):
        page = path.read_text(encoding="utf-8")
        if BLOCK.search(page):
            yield path, filled(page)


def stale() -> Iterator[tuple[Path, str, str]]:
    """Yield the files that are not as they should be: path, text there, text wanted."""
    for path, text in wanted():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there != text:
            yield path, there, text


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; returns the exit status."""
    found = list(stale())
    for path, there, text in found:
        name = path.relative_to(ROOT).as_posix()
        if "--check" in arguments:
            sys.stdout.writelines(
                difflib.unified_diff(there.splitlines(keepends=True), text.splitlines(keepends=True), name, "generated")
            )
            print(f"{name} is stale: run 'make generate' and commit what it writes", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
