"""What may be written in a row: each mistake is named with its place and its fix, and costs no other row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from otel_agents.config.values import Target
from otel_agents.patching.targets.checking import check
from otel_agents.patching.targets.schema import json_schema
from otel_agents.patching.targets.vocabulary import DECLARED, FIELDS, OUTCOMES
from otel_agents.semconv.kinds import KINDS
from tests.patching.declaring import load, messages, written

GOOD = "  - {method: acme:Team.run, kind: run}\n"
SCHEMA = jsonschema.Draft202012Validator(json_schema())

# Each row that is wrong, followed by where, and what is said.
WRONG = [
    tuple(pair.split("\n"))
    for pair in (Path(__file__).parent / "wrong_targets.txt").read_text(encoding="utf-8").strip().split("\n\n")
]


@pytest.mark.parametrize(("row", "said"), WRONG, ids=lambda each: each[:60])
def test_a_wrong_row_is_named_with_its_place_and_fix_and_the_others_work(tmp_path: Path, row: str, said: str) -> None:
    """File, line and column, the nearest right name; the row beside it is used."""
    path = written(tmp_path, f"  - {row}\n{GOOD}")

    found = messages(path)
    assert [line for line in found if line.startswith(f"targets.yaml:{said}")] != [], found
    assert all(line.endswith(" The row is not used.") for line in found)
    assert [row.target for row in load(path)[0]] == ["acme:Team.run"]


# What only the package can see: JSON Schema knows no paths, and nothing of other fields.
BEYOND_A_SCHEMA = ("none of its values", "after a dot", "not known here", ", too.", "__main__", " needs ")


@pytest.mark.parametrize(("row", "said"), WRONG, ids=lambda each: each[:60])
def test_the_schema_refuses_what_the_package_refuses(tmp_path: Path, row: str, said: str) -> None:
    """An editor marks the same rows, but for what no schema can tell."""
    document = yaml.safe_load(written(tmp_path, f"  - {row}\n{GOOD}").read_text())
    errors = [error.json_path for error in SCHEMA.iter_errors(document)]

    is_beyond = any(words in said for words in BEYOND_A_SCHEMA)
    assert bool(errors) is not is_beyond
    assert all(path.startswith("$.targets[0]") for path in errors)


def test_the_example_of_the_architecture_is_right(tmp_path: Path) -> None:
    """What the docs show is accepted by the package and by the schema."""
    path = written(
        tmp_path,
        "  - method: acme.planner:Planner.build_plan\n    kind: plan\n    attributes: {flex.plan.phase: arg.phase}\n"
        "    result: {flex.plan.version: result.version, flex.plan.node_count: len(result.nodes)}\n"
        "  - method: acme.team:Team.handoff\n    kind: handoff\n"
        "    attributes: {yolo.from_agent: self.current.name, yolo.to_agent: arg.to.value}\n",
    )

    assert messages(path) == []
    assert list(SCHEMA.iter_errors(yaml.safe_load(path.read_text()))) == []
    assert [(row.declared.name, row.runtime) for row in load(path)[0]] == [("plan", "acme"), ("handoff", "acme")]


def test_every_kind_of_the_contract_can_be_declared() -> None:
    """All operations, and the facts that a method can stand for, each with what it needs alone."""
    assert [kind.name for kind in KINDS if kind.name not in DECLARED] == []
    constants = {"string": "idle", "boolean": True}
    for declared in DECLARED.values():
        needed = dict.fromkeys(declared.needs, constants["string"])
        needed = {name: {"flex.validation.scope": "output", "flex.hitl.decision": "approved"}.get(name, value)
                  for name, value in needed.items()}  # fmt: skip
        row = {"method": "acme:Team.run", "kind": declared.name, "attributes": needed}
        rows, problems = check((Target(row, "argument targets"),))
        assert (len(rows), problems) == (1, []), declared.name
        assert list(SCHEMA.iter_errors({"version": 1, "targets": [row]})) == [], declared.name


def test_attributes_of_ones_own_are_taken(tmp_path: Path) -> None:
    """A name with a dot that is none of the vocabulary's; facts have a fixed payload."""
    assert messages(written(tmp_path, "  - {method: a:b, kind: node, attributes: {acme.order.id: arg.order}}\n")) == []
    [said] = messages(
        written(tmp_path, "  - {method: a:b, kind: mode_changed, attributes: {acme.x: 1, yolo.mode: m}}\n")
    )
    assert "attributes.acme.x: mode_changed has no such attribute" in said


def test_the_same_method_twice_as_the_same_is_a_mistake(tmp_path: Path) -> None:
    """As two kinds it may be declared: it may be both."""
    rows = "  - {method: 'a:b', kind: node}\n  - {method: 'a:b', kind: run}\n  - {method: 'a:b', kind: node}\n"
    path = written(tmp_path, rows)

    [said] = messages(path)
    assert said.startswith("targets.yaml:5:6: method: 'a:b' is declared as node twice, first at targets.yaml:3:6.")
    assert [row.declared.name for row in load(path)[0]] == ["node", "run"]


# Bad files


BOMB = "".join(
    f"{name}: &{name} [{','.join([of] * 10)}]\n" for name, of in zip("abcd", ("x", "*a", "*b", "*c"), strict=True)
)
BAD_FILES = [
    ("- a\n- b\n", "is no mapping"),
    ("version: 1\ntargets: {a: b}\n", "targets is no list"),
    (f"version: 1\ntargets:\n  - [a]\n{GOOD}", "the target is no mapping"),
    ("version: 1\ntargets:\n  - &a {method: a:b, kind: run, attributes: *a}\n", "holds more than 32 levels"),
    ("version: 1\ntargets: &t\n  - *t\n", "holds more than"),
    ("version: 1\ntargets:\n  - {method: a:b, method: a:c, kind: run}\n", "is given twice, first in line 3"),
    ("version: 1\ntargets:\n  - !!python/object/apply:os.system ['x']\n", "is not supported"),
    (f"version: 1\n{BOMB}targets: [*d,*d,*d,*d]\n", "holds more than 10000 values"),
    ("version: 1\ntargets:\n  - {method: 'a:b', kind: node\n", "is no valid YAML"),
    ("", "is empty"),
]


@pytest.mark.parametrize(("text", "said"), BAD_FILES, ids=lambda each: repr(each)[:40])
def test_a_bad_file_is_one_message(tmp_path: Path, text: str, said: str) -> None:
    """A list, a bomb of anchors, a cycle, a key that comes twice: said with its place, and nothing else happens."""
    path = tmp_path / "targets.yaml"
    path.write_text(text, encoding="utf-8")

    found = messages(path)
    assert [line for line in found if said in line and line.startswith("targets.yaml")] != [], found
    assert len(found) <= 2


@pytest.mark.parametrize("rows", [[{1: 2}], [{"method": None, "kind": None}], [{}], [{"method": "a:b", "kind": {}}],
                                  [{"method": "a:b", "kind": "node", "attributes": {1: 2}}],
                                  [{"method": "a:" + "b" * 999, "kind": "node"}]])  # fmt: skip
def test_rows_that_come_as_an_argument_may_be_anything(rows: list[Any]) -> None:
    """A program that passes rows by itself gets messages too, and no exception."""
    found, problems = check(tuple(Target(row, "argument targets") for row in rows))

    assert found == []
    assert all(str(problem).startswith("argument targets: ") for problem in problems)
    assert problems


def test_the_schema_is_one_and_describes_every_field() -> None:
    """It is valid, and each field and outcome has its sentence."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    target = schema["$defs"]["target"]

    assert list(target["properties"]) == list(FIELDS)
    assert list(target["properties"]["outcome"]["properties"]) == list(OUTCOMES)
    assert json.loads(json.dumps(schema)) == schema
