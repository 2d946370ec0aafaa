"""Each setting comes from its strongest source, and what cannot be used is said once with place and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from otel_agents.config import SETTINGS, Address, Config, ConfigError, Selection
from otel_agents.content import Capture

SECRET = "s3cret-7f3a9c"


def _load(arguments: Mapping[str, object] | None = None, /, **environ: str) -> Config:
    return Config.load(arguments, environ, strict=False)


def _said(config: Config) -> list[str]:
    return [str(problem) for problem in config.problems]


def test_without_any_source_everything_is_default() -> None:
    """An empty environment gives the record that `Config()` gives, with no problem."""
    config = Config.load(None, {})
    assert config == Config()
    assert config.problems == ()
    assert {config.source_of(setting.name) for setting in SETTINGS} == {"default"}


def test_the_record_and_the_table_have_the_same_defaults() -> None:
    """Each row of the table is a field with the same default, and each other field is no setting."""
    blank = Config()
    defaults = {setting.name: setting.default for setting in SETTINGS} | {"capture": Capture()}
    assert {name: getattr(blank, name) for name in defaults} == defaults
    assert {each.name for each in fields(Config)} - set(defaults) == {"targets", "problems", "sources"}


def test_every_variable_is_read() -> None:
    """All variables together give all values."""
    config = Config.load(
        None,
        {
            "OTEL_AGENTS_ENABLED": "no",
            "OTEL_AGENTS_ADAPTERS": "langgraph, flex",
            "OTEL_AGENTS_SIGNALS": "feed,spans",
            "OTEL_AGENTS_SERVE": "0.0.0.0:8080",
            "OTEL_AGENTS_TOKEN": SECRET,
            "OTEL_AGENTS_EVENT_LOG": "stderr",
            "JSON_LOGS": "yes",
            "LOG_LEVEL": "Debug",
            "OTEL_AGENTS_AUDIT_FILE": "/tmp/audit.jsonl",
            "OTEL_AGENTS_AUDIT_KEY": SECRET * 2,
            "OTEL_AGENTS_AUDIT_CLEAR": "yes",
            "OTEL_AGENTS_AUDIT_FSYNC": "1",
            "OTEL_AGENTS_PAUSE_STORE": "sqlite:///pauses.db",
            "OTEL_AGENTS_RING_SIZE": "1",
            "OTEL_AGENTS_QUEUE_SIZE": "2",
            "OTEL_AGENTS_METRIC_SETS": "3",
            "OTEL_AGENTS_CONTENT_LENGTH": "4",
            "OTEL_AGENTS_PROPAGATE_RUN": "on",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
            "OTEL_AGENTS_LIVE_FD": "7",
            "OTEL_AGENTS_LIVE_PATH": "/tmp/live",
            "OTEL_AGENTS_PROFILE": "/tmp/profile.html",
        },
    )
    assert config == Config(
        enabled=False,
        adapters=Selection(only=frozenset({"langgraph", "flex"})),
        signals=("spans", "feed"),
        serve=Address("0.0.0.0", 8080),
        token=SECRET,
        event_log="stderr",
        json_logs=True,
        log_level=10,
        audit_file="/tmp/audit.jsonl",
        audit_key=SECRET * 2,
        audit_clear=True,
        audit_fsync=True,
        pause_store="sqlite:///pauses.db",
        ring_size=1,
        queue_size=2,
        metric_sets=3,
        content_length=4,
        propagate_run=True,
        capture=Capture(spans=True, events=False, length=4),
        live_fd=7,
        live_path="/tmp/live",
        profile="/tmp/profile.html",
    )


def test_precedence_is_decided_per_setting(tmp_path: Path) -> None:
    """Argument before environment before file before default, each setting for itself, and the source is known."""
    file = tmp_path / "agents.yaml"
    file.write_text("version: 1\nring_size: 1\nqueue_size: 2\nmetric_sets: 3\n", encoding="utf-8")
    config = Config.load(
        {"ring_size": 10, "queue_size": None},
        {"OTEL_AGENTS_CONFIG": str(file), "OTEL_AGENTS_RING_SIZE": "20", "OTEL_AGENTS_QUEUE_SIZE": "21"},
    )
    assert (config.ring_size, config.queue_size, config.metric_sets, config.content_length) == (10, 21, 3, 4096)
    assert [config.source_of(name) for name in ("ring_size", "queue_size", "metric_sets", "content_length")] == [
        "argument ring_size",
        "environment variable OTEL_AGENTS_QUEUE_SIZE",
        f"{file}:4:14",
        "default",
    ]


def test_the_source_of_no_setting_is_an_error() -> None:
    """Asking for an unknown setting raises."""
    with pytest.raises(KeyError):
        Config().source_of("ring")


def test_an_empty_variable_is_not_set() -> None:
    """An empty or blank variable leaves the default, without a word."""
    config = _load(OTEL_AGENTS_RING_SIZE="", OTEL_AGENTS_SERVE="  ")
    assert (config.ring_size, config.serve, config.problems) == (1000, None, ())


def test_a_bad_value_names_value_place_and_fix() -> None:
    """The message says what is wrong, where, and what to write; the default stands."""
    config = _load(OTEL_AGENTS_RING_SIZE="many")
    assert config.ring_size == 1000
    assert _said(config) == [
        (
            "environment variable OTEL_AGENTS_RING_SIZE: 'many' is no whole number from 1 to 1000000. "
            "Use a whole number from 1 to 1000000; the default is 1000."
        ),
    ]
    assert config.problems[0].setting == "ring_size"
    assert config.source_of("ring_size") == "default"


def test_strict_raises_all_problems_at_once() -> None:
    """The one exception lists every problem, one a line."""
    with pytest.raises(ConfigError) as caught:
        Config.load({"queue_size": 0, "nonsense": 1}, {"OTEL_AGENTS_ENABLED": "maybe", "OTEL_AGENTS_RING": "5"})
    assert [(problem.setting, problem.place) for problem in caught.value.problems] == [
        ("", "argument nonsense"),
        ("", "environment variable OTEL_AGENTS_RING"),
        ("enabled", "environment variable OTEL_AGENTS_ENABLED"),
        ("queue_size", "argument queue_size"),
    ]
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("OTEL_AGENTS_RING_SIZ", "Did you mean OTEL_AGENTS_RING_SIZE?"),
        ("OTEL_AGENTS_ADAPTER", "Did you mean OTEL_AGENTS_ADAPTERS?"),
        ("OTEL_AGENTS_QQQQQQQQQQQQQQQQ", "Unset it."),
    ],
)
def test_an_unknown_variable_gets_the_nearest_name(name: str, fix: str) -> None:
    """A misspelt variable is reported with the name that was probably meant, and never with its value."""
    assert _said(_load(**{name: SECRET})) == [f"environment variable {name}: there is no such setting. {fix}"]


def test_other_variables_are_not_ours() -> None:
    """Variables without our prefix are not looked at."""
    assert _load(OTEL_SERVICE_NAME="x", OTEL_AGENT="y", MY_OTEL_AGENTS_X="z").problems == ()


def test_an_unknown_argument_gets_the_nearest_name() -> None:
    """A misspelt keyword is reported like a misspelt variable."""
    assert _said(_load({"ringsize": 5})) == ["argument ringsize: there is no such setting. Did you mean ring_size?"]
    assert _said(_load({"live_fd": 5}))[0].startswith("argument live_fd: there is no such setting.")


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ({"enabled": False}, "enabled", False),
        ({"enabled": 1}, "enabled", True),
        ({"adapters": ["-crewai", "-flex"]}, "adapters", Selection(without=frozenset({"crewai", "flex"}))),
        ({"signals": ("logs",)}, "signals", ("logs",)),
        ({"signals": []}, "signals", ()),
        ({"serve": True}, "serve", Address()),
        ({"serve": 8080}, "serve", Address(port=8080)),
        ({"event_log": False}, "event_log", "off"),
        ({"audit_file": Path("/tmp/a.jsonl")}, "audit_file", "/tmp/a.jsonl"),
        ({"log_level": 30}, "log_level", 30),
        ({"ring_size": "77"}, "ring_size", 77),
    ],
)
def test_arguments_may_be_native_values(arguments: dict[str, object], name: str, expected: object) -> None:
    """Flags, numbers, lists and paths are taken as they are, text as in the environment."""
    assert getattr(Config.load(arguments, {}), name) == expected


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({"ring_size": True}, "True"),
        ({"ring_size": 2.5}, "2.5"),
        ({"ring_size": -1}, "-1"),
        ({"enabled": {"a": SECRET}}, "a dict"),
        ({"serve": ["a"]}, "a list"),
        ({"adapters": ["a", 1]}, "a list"),
        ({"pause_store": object()}, "a object"),
        ({"event_log": ""}, "''"),
    ],
)
def test_arguments_of_wrong_types_are_refused(arguments: dict[str, object], value: str) -> None:
    """A value of another type is a problem like any other, and its content is not shown."""
    (problem,) = _load(arguments).problems
    assert problem.place == f"argument {next(iter(arguments))}"
    assert problem.what.startswith(f"{value} is ")


def test_a_token_is_never_shown() -> None:
    """Neither the record, nor a message about a bad token, nor an exception has it."""
    assert SECRET not in repr(Config.load({"token": SECRET}, {}))
    bad = _load(OTEL_AGENTS_TOKEN=f"{SECRET} with spaces")
    assert bad.token is None
    assert _said(bad) == [
        (
            "environment variable OTEL_AGENTS_TOKEN: the value (not shown) is not 1 to 1024 visible ASCII characters "
            "without spaces. Use 1 to 1024 visible ASCII characters without spaces; the default is none."
        ),
    ]


@pytest.mark.parametrize(
    "url", [f"postgresql:u:{SECRET}@db/x", f"bad url://u:p/{SECRET}@db", f"x y://h?password={SECRET}"]
)
def test_a_password_in_a_database_url_is_never_shown(url: str) -> None:
    """A URL that cannot be used is shown without its user."""
    (message,) = _said(_load({"pause_store": url}))
    assert SECRET not in message
    assert SECRET not in repr(Config.load({"pause_store": f"postgresql://u:{SECRET}@db/x"}, {}))


def test_long_values_are_cut_in_messages() -> None:
    """A message stays readable whatever was pasted."""
    (message,) = _said(_load(OTEL_AGENTS_SIGNALS="x" * 100_000))
    assert len(message) < 100_500
    assert _load(OTEL_AGENTS_RING_SIZE="9" * 5000).problems[0].what.startswith("'" + "9" * 80 + "…' is no")


@pytest.mark.parametrize(("name", "value"), [("JSON_LOGS", "pretty"), ("LOG_LEVEL", "chatty")])
def test_odd_values_of_the_hosts_own_variables_are_silent_unless_asked_for(name: str, value: str) -> None:
    """LOG_LEVEL and JSON_LOGS belong to the host, too: only with an event log is an odd value worth a word."""
    assert _load(**{name: value}).problems == ()
    (problem,) = _load(**{name: value, "OTEL_AGENTS_EVENT_LOG": "stderr"}).problems
    assert problem.place == f"environment variable {name}"


def test_an_odd_log_level_as_argument_is_always_a_problem() -> None:
    """Whoever passes it to us means us."""
    assert [problem.place for problem in _load({"log_level": "chatty"}).problems] == ["argument log_level"]


def test_serving_to_other_machines_needs_a_token() -> None:
    """Without a token nothing is served but on loopback."""
    config = _load(OTEL_AGENTS_SERVE="0.0.0.0:9465")
    assert config.serve is None
    assert _said(config) == [
        (
            "environment variable OTEL_AGENTS_SERVE: '0.0.0.0:9465' can be reached from other machines, and there is "
            "no token. Set OTEL_AGENTS_TOKEN, or serve on 127.0.0.1. Nothing is served."
        ),
    ]
    assert _load(OTEL_AGENTS_SERVE="0.0.0.0:9465", OTEL_AGENTS_TOKEN="t").serve == Address("0.0.0.0", 9465)
    assert _load(OTEL_AGENTS_SERVE="[::1]:9465").serve == Address("::1", 9465)


def test_capture_takes_its_length_from_the_settings() -> None:
    """The policy on content has both the mode and the length."""
    config = Config.load({"capture": "event_only", "content_length": 10}, {})
    assert config.capture == Capture(spans=False, events=True, length=10)


def test_targets_may_be_arguments() -> None:
    """Rows given as mappings become targets whose place is the argument."""
    (target,) = Config.load({"targets": [{"method": "a:B.c"}]}, {}).targets
    assert (target.row, target.place("method")) == ({"method": "a:B.c"}, "argument targets")
    assert _said(_load({"targets": ["a:B.c"]})) == [
        "argument targets: is no list of mappings. Give one mapping per target."
    ]


def test_the_environment_is_read_when_asked() -> None:
    """The default environment is the process's own, as it is at the call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_AGENTS_RING_SIZE", "123")
        assert Config.load().ring_size == 123
    assert Config.load().ring_size == 1000
