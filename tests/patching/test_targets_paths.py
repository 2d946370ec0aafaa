"""The language of paths: what it says, what it refuses, and that nothing in it can hurt."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agents import guard
from otel_agents.patching.table import Call, Parameters
from otel_agents.patching.targets.grammar import MAX_STEPS, PathError, parse
from otel_agents.patching.targets.paths import CALLS, ROOTS, Absent, Refused, Scope, Value
from otel_agents.patching.targets.values import Reader
from tests.patching.acme import Result, Team


class Job:
    """An argument."""

    def __init__(self) -> None:
        self.id = "j-1"
        self.none = None
        self.tags = {"a": {"b": 7}, "it's": "quoted"}
        self.list = [1, 2, 3]


def scope(**more: Any) -> Scope:
    """Return what a method sees that was called with a job and nothing for its second parameter."""
    call = Call((Team(), Job()), {"extra": "kw"}, Parameters({"self": 0, "job": 1, "count": 2}, True, {"count": 2}))
    return Scope(call, **more)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("arg.job.id", "j-1"),
        ("arg[0].id", "j-1"),
        ("arg['job'].id", "j-1"),
        ("arg.count", 2),
        ("arg[1]", 2),
        ("arg.extra", "kw"),
        ("arg.job.tags['a'][\"b\"]", 7),
        ('arg.job.tags["it\'s"]', "quoted"),
        ("arg.job.list[0]", 1),
        ("arg.job.list[-1]", 3),
        ("len(arg.job.list)", 3),
        ("len( arg.job . tags )", 2),
        ("type(arg.job.list)", "list"),
        ("len(type(arg.job.list))", 4),
        ("self.current.value", "writer"),
        ("self.names['boss']", "anna"),
        ("result.version", 3),
        ("type(error)", "ValueError"),
        ("arg.job.none.anything.at.all", None),
        ("len(arg.job.none)", None),
        ("arg.job.none | arg.job.id", "j-1"),
        ("arg.nothing | self.nothing | 'x'", "x"),
        ("arg.nothing | -3", -3),
        ("arg.nothing | true", True),
        ("'a.b'", "a.b"),
        ("research", "research"),
        ("in two words", "in two words"),
        (7, 7),
        (0.5, 0.5),
        (False, False),
    ],
)
def test_what_a_path_reads(text: object, value: object) -> None:
    """Attributes, items, positions, len, type, defaults and constants."""
    found = parse(text).read(scope(result=Result(), error=ValueError()))

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("reslt.version", "begins with 'reslt', which is no root", "Did you mean result?"),
        ("deploy.prod", "begins with 'deploy', which is no root", "or put a constant in quotes."),
        ("open('/etc/passwd')", "calls 'open'", "Only len() and type() are known"),
        ("self.method()", "goes on with '('", "Separate alternatives"),
        ("self.__class__.__mro__", "reads '__class__', which is private", "Only public names can be read."),
        ("self._secret", "reads '_secret', which is private", "Only public names"),
        ("arg._x", "reads '_x', which is private", "Only public names"),
        ("result.gi_frame.f_locals", "reads 'gi_frame', which is private", "Only public names"),
        ("arg.f_locals", "reads 'f_locals', which is private", "Only public names"),
        ("arg", "names no parameter", "Write `arg.name`"),
        ("len(arg)", "names no parameter", "Write `arg.name`"),
        ("len(3)", "len() has no path", "Write a path"),
        ("arg.a[b]", "has no position or key in brackets", "Write `[0]` or `['key']`."),
        ("arg.a[1:2]", "has ':', which no path has", "Write a path"),
        ("arg.a + 1", "has '+', which no path has", "Write a path"),
        ("arg.", "has no name after a dot", "Write a path"),
        ("arg.a |", "ends too early", "Write a path"),
        ("len(arg.a", "has no ')'", "Write a path"),
        ("arg.a arg.b", "goes on with 'arg'", "Separate alternatives by `|`."),
        ("", "is empty or longer than 256 characters", "Write a path"),
        ("arg." + "a" * 300, "is empty or longer than 256 characters", "Write a path"),
        ("arg.a" + ".b" * MAX_STEPS, f"has more than {MAX_STEPS} steps", "Write fewer."),
        ("arg.a" + "|arg.a" * 8, "has more than 8 alternatives", "Write fewer."),
        (None, "is no text, number or flag", "Write a path"),
        (["arg.a"], "is no text, number or flag", "Write a path"),
    ],
)
def test_what_is_no_path_is_said_with_its_fix(text: object, what: str, fix: str) -> None:
    """Nothing but attributes, items, len and type; nothing private; nothing long."""
    with pytest.raises(PathError) as caught:
        parse(text)

    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize("text", ["arg.nothing", "arg.job.nothing", "arg.job.tags['z']", "arg.job.list[9]", "arg[9]",
                                  "arg.job.id['x']", "len(arg.job)"])  # fmt: skip
def test_a_path_that_leads_nowhere_is_absent(text: str) -> None:
    """It is told apart from a value that is None."""
    with pytest.raises(Absent):
        parse(text).read(scope())


@pytest.mark.parametrize(("name", "error"), [("loud", "ValueError"), ("exits", "SystemExit"), ("endless", "Recursion")])
def test_what_a_property_raises_is_counted_and_does_not_come_out(name: str, error: str) -> None:
    """Not even an exit; the count stands under the row's own place."""
    path = parse(f"result.{name}")
    with pytest.raises(Refused, match=error):
        path.read(scope(result=Result()))

    assert Reader("t.yaml:3:5").one(path, scope(result=Result())) is None
    assert guard.errors() == {"target t.yaml:3:5": 1}


def test_control_c_is_the_users_own() -> None:
    """An interrupt that arrives while a path is read is not kept from the program."""

    class Slow:
        @property
        def value(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parse("result.value").read(scope(result=Slow()))


def test_reading_changes_nothing() -> None:
    """A defaultdict does not grow, and an iterator is not used up."""
    counts: defaultdict[str, int] = defaultdict(int)
    stream = iter([1, 2])
    with pytest.raises(Absent):
        parse("result['a']").read(scope(result=counts))
    with pytest.raises(Absent):
        parse("result[0]").read(scope(result=stream))

    assert (counts, list(stream)) == ({}, [1, 2])


# Properties

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
STEPS = st.one_of(
    NAMES.map(".{}".format), st.integers(-9, 99).map("[{}]".format), NAMES.map("['{}']".format),
)  # fmt: skip
PATHS = st.builds(
    lambda root, first, steps, calls: "".join(f"{call}(" for call in calls) + root
    + (first if root == "arg" else "") + "".join(steps) + ")" * len(calls),
    st.sampled_from(ROOTS[:4]), STEPS, st.lists(STEPS, max_size=6), st.lists(st.sampled_from(CALLS), max_size=3),
)  # fmt: skip
CHOICES = st.lists(PATHS, min_size=1, max_size=4).map(" | ".join)


def parsed(text: str) -> Value | PathError:
    """Return what a text means, or what is wrong with it."""
    try:
        return parse(text)
    except PathError as error:
        return error


class Hostile:
    """An object all of whose special methods raise, each something else."""

    def __getattr__(self, name: str) -> Any:
        raise (SystemExit, GeneratorExit, RuntimeError, MemoryError, RecursionError)[len(name) % 5]

    def __getitem__(self, key: object) -> Any:
        raise BaseException(key)

    def __len__(self) -> int:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise SystemExit


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.builds(Hostile), st.builds(Result)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@given(CHOICES)
def test_every_text_of_the_grammar_is_a_path(text: str) -> None:
    """What is written by the rules is read by the rules, unless it names what is inside the interpreter."""
    found = parsed(text)

    assert found.text == text if isinstance(found, Value) else "private" in found.what


@given(st.text(max_size=300))
def test_any_text_is_a_path_or_a_mistake_with_a_fix(text: str) -> None:
    """Nothing else is raised, whatever is written."""
    found = parsed(text)

    assert isinstance(found, Value) or (found.what and found.fix.endswith((".", "?")))


@settings(deadline=None)
@given(CHOICES, VALUES, VALUES)
def test_reading_never_hurts_whatever_the_host_is_made_of(text: str, argument: object, result: object) -> None:
    """A value, Absent or Refused; attributes of the host never raise into it."""
    call = Call((argument,), {}, Parameters({"a": 0}))
    try:
        parse(text).read(Scope(call, result, ValueError("x")))
    except (Absent, Refused, PathError):
        pass


@given(st.text(alphabet="abcdefgl_.()[]'\"|0123456789 einoprstu", max_size=60))
def test_nothing_is_ever_evaluated(text: str) -> None:
    """No text imports, compiles or calls anything of Python."""
    events: list[str] = []
    hooks.append(events)
    try:
        parse(text).read(Scope(Call(("x",), {}, Parameters({"a": 0})), Result(), ValueError()))
    except (Absent, Refused, PathError):
        pass
    finally:
        hooks.remove(events)

    assert [event for event in events if event in ("exec", "compile", "import", "open")] == []


hooks: list[list[str]] = []


def _audit(event: str, _: object) -> None:
    for events in hooks:
        events.append(event)


sys.addaudithook(_audit)
