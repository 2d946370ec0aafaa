"""The YAML file: every value with its place, and nothing in it can hurt."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_agents.config import Config, Selection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agents.yaml"


def _load(file: Path, text: str | bytes) -> Config:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return Config.load({"config": file}, {}, strict=False)


def _said(file: Path, text: str | bytes) -> list[str]:
    return [str(problem).replace(str(file), "FILE") for problem in _load(file, text).problems]


def test_settings_are_read_as_they_are_written(file: Path) -> None:
    """Scalars are read by our own rules, so that YAML's reading of `off` or `8080` does not come between."""
    config = _load(
        file,
        """\ufeffversion: 1
enabled: yes
adapters: [langgraph, flex]
signals: spans,logs
serve: 8080
token: 0123
event_log: off
audit_file: "audit.jsonl"
pause_store: ~
capture: SPAN_ONLY
""",
    )
    assert config.problems == ()
    assert config.adapters == Selection(only=frozenset({"langgraph", "flex"}))
    assert (config.signals, config.token, config.event_log) == (("spans", "logs"), "0123", "off")
    assert (str(config.serve), config.audit_file, config.pause_store) == ("127.0.0.1:8080", "audit.jsonl", "memory")
    assert (config.capture.spans, config.capture.events) == (True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version: 1\nring_size: many\n",
            (
                "FILE:2:12: 'many' is no whole number from 1 to 1000000. "
                "Use a whole number from 1 to 1000000; the default is 1000."
            ),
        ),
        (
            "version: 1\nsignals: {a: b}\n",
            (
                "FILE:2:10: a dict is of the wrong type. Use some of `spans,metrics,logs,feed`, or `none`; "
                "the default is spans,metrics,logs,feed."
            ),
        ),
        ("version: 1\nringsize: 5\n", "FILE:2:1: 'ringsize' is no setting of the file. Did you mean ring_size?"),
        ("version: 1\nconfig: other.yaml\n", "FILE:2:1: 'config' is no setting of the file. Remove it."),
        (
            "version: 1\nring_size: 5\nring_size: 6\n",
            "FILE:3:1: 'ring_size' is given twice, first in line 2. Remove one of the two; the first is used.",
        ),
        ("version: 1\n[a]: 5\n", "FILE:2:1: the key is a list or mapping. Write a name there."),
        ("version: 1\ntargets: 5\n", "FILE:2:10: targets is no list. Write one `- method: ...` row per target."),
        ("version: 1\ntargets: [5]\n", "FILE:2:11: the target is no mapping. Begin the row with `- method: ...`."),
    ],
)
def test_one_bad_value_costs_only_itself(file: Path, text: str, said: str) -> None:
    """The message names line and column; the rest of the file is used."""
    assert _said(file, text + "queue_size: 7\n") == [said]
    assert _load(file, text + "queue_size: 7\n").queue_size == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue_size: 7\n", "FILE:1:1: has no version. Write `version: 1`."),
        ("version: 2\nqueue_size: 7\n", "FILE:1:10: the version is '2', and only 1 is known. Write `version: 1`."),
        ("version: [1]\n", "FILE:1:10: the version is a list or mapping, and only 1 is known. Write `version: 1`."),
        ("", "FILE (argument config): is empty. Write a mapping that begins with `version: 1`."),
        ("- a\n- b\n", "FILE (argument config): is no mapping. Write a mapping that begins with `version: 1`."),
        (
            "version: 1\nqueue_size: [7\n",
            (
                "FILE:3:1: is no valid YAML: expected ',' or ']', but got '<stream end>'. "
                "Write a mapping that begins with `version: 1`."
            ),
        ),
        (
            "version: 1\n---\nversion: 1\n",
            "FILE:2:1: is no valid YAML: but found another document. Write a mapping that begins with `version: 1`.",
        ),
        (
            "version: 1\nqueue_size: *gone\n",
            "FILE:2:13: is no valid YAML: found undefined alias 'gone'. Write a mapping that begins with `version: 1`.",
        ),
        (
            "version: 1\nadapters: !!python/object/apply:os.system [exit 1]\n",
            (
                "FILE:2:11: uses 'tag:yaml.org,2002:python/object/apply:os.system', which is not supported. "
                "Write it out plainly."
            ),
        ),
        ("version: 1\nqueue_size: !mine 7\n", "FILE:2:13: uses '!mine', which is not supported. Write it out plainly."),
        (
            "version: 1\n<<: {queue_size: 7}\n",
            "FILE:2:1: uses '<<', which is not supported. Write it out plainly.",
        ),
        (
            "version: 1\nsignals: \x01\n",
            (
                "FILE (argument config): is no valid YAML: it has characters that YAML does not allow. "
                "Write a mapping that begins with `version: 1`."
            ),
        ),
        (b"version: 1\n\xff\xfe", "FILE (argument config): is no UTF-8 text. Name a readable YAML file."),
        (
            b"version: 1\n" + b"#" * 300_000,
            "FILE (argument config): is larger than 262144 bytes. Name a readable YAML file.",
        ),
        (
            "version: 1\nsignals: " + "[" * 20_000,
            "FILE (argument config): is nested too deeply. Write a mapping that begins with `version: 1`.",
        ),
    ],
    ids=range(15),
)
def test_a_file_that_cannot_be_trusted_is_not_used(file: Path, text: str | bytes, said: str) -> None:
    """Broken, foreign or unversioned files are left aside with one message."""
    assert _said(file, text) == [f"{said} The file is not used."]
    assert _load(file, text).queue_size == 1000


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    """A missing file, a directory and a pipe are named with the setting that names them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reasons = {
        tmp_path / "gone.yaml": "cannot be read: No such file or directory",
        tmp_path: "cannot be read: not a regular file",
        pipe: "cannot be read: not a regular file",
    }
    for path, reason in reasons.items():
        config = Config.load({}, {"OTEL_AGENTS_CONFIG": str(path)}, strict=False)
        assert [str(problem) for problem in config.problems] == [
            (
                f"{path} (environment variable OTEL_AGENTS_CONFIG): {reason}. "
                "Name a readable YAML file. The file is not used."
            ),
        ]


def test_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with `~`."""
    (tmp_path / "a.yaml").write_text("version: 1\nring_size: 5\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Config.load({"config": "~/a.yaml"}, {}).ring_size == 5


def test_an_alias_bomb_is_refused_quickly(file: Path) -> None:
    """Aliases that multiply are counted, not followed to the end; one that contains itself, too."""
    levels = "\n".join(f"  - &l{n + 1} [{', '.join([f'*l{n}'] * 9)}]" for n in range(9))
    began_s = time.process_time()
    (said,) = _said(file, f"version: 1\ntargets:\n  - &l0 {{method: x}}\n{levels}\n")
    assert "holds more than 10000 values, aliases followed. Write it out plainly. The file is not used." in said
    (said,) = _said(file, "version: 1\nsignals: &a [*a]\n")
    assert "holds more than 32 levels, aliases followed" in said
    assert time.process_time() - began_s < 5


def test_a_few_aliases_are_fine(file: Path) -> None:
    """An alias is a value like any other."""
    config = _load(file, "version: 1\nring_size: &n 5\nqueue_size: *n\n")
    assert (config.ring_size, config.queue_size, config.problems) == (5, 5, ())


def test_targets_keep_the_place_of_every_key(file: Path) -> None:
    """Rows arrive raw, in order, with line and column of each part."""
    first, second = _load(
        file,
        """version: 1
targets:
  - method: acme.planner:Planner.build_plan
    kind: plan
    attributes: {flex.plan.phase: arg.phase, on: 5}
    outcome:
      paused: [acme.Pause, 2026-01-02]
  - {method: b, flag: true, none: null, ratio: 0.5}
""",
    ).targets
    assert first.row == {
        "method": "acme.planner:Planner.build_plan",
        "kind": "plan",
        "attributes": {"flex.plan.phase": "arg.phase", "on": 5},
        "outcome": {"paused": ["acme.Pause", "2026-01-02"]},
    }
    assert second.row == {"method": "b", "flag": True, "none": None, "ratio": 0.5}
    places = [
        first.place(),
        first.place("kind"),
        first.place("attributes", "on"),
        first.place("attributes", "gone"),
        first.place("outcome", "paused", 1),
        first.place("gone"),
        second.place("flag"),
    ]
    assert [place.removeprefix(str(file)) for place in places] == [
        ":3:5",
        ":4:5",
        ":5:46",
        ":5:5",
        ":7:28",
        ":3:5",
        ":8:17",
    ]


def test_numbers_that_are_none_stay_text(file: Path) -> None:
    """What YAML takes for a number and cannot read is the text that was written."""
    (target,) = _load(file, "version: 1\ntargets: [{a: 0x_, b: 0b1, c: 1e3}]\n").targets
    assert target.row == {"a": "0x_", "b": 1, "c": "1e3"}


_LINES = st.sampled_from(
    [
        "version: 1",
        "ring_size: 5",
        "targets:",
        "  - method: a",
        "signals: [a",
        "&a",
        "*a",
        "{",
        "? x",
        "- ",
        "|",
        "%",
        "'",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.lists(_LINES, max_size=8).map("\n".join) | st.text(max_size=80))
def test_any_text_is_read_or_reported(file: Path, text: str) -> None:
    """No file makes loading raise."""
    config = _load(file, text.encode("utf-8", "surrogatepass"))
    assert config.problems or "version: 1" in text
