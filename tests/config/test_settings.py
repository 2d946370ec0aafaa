"""The table of settings says the same as the page, and as the options of the declarative configuration."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from typing import Any

import pytest

from otel_agents.config import SETTINGS, Config, Options, settings_markdown
from tests.need import require_module


def test_names_are_unique_and_regular() -> None:
    """Names and variables come once, and our own variables are the prefix and the name."""
    names, variables = [each.name for each in SETTINGS], [each.env for each in SETTINGS]
    assert len(set(names)) == len(names)
    assert len(set(variables)) == len(variables)
    ours = {each.name: each.env for each in SETTINGS if each.env.startswith("OTEL_AGENTS_")}
    assert ours == {name: f"OTEL_AGENTS_{name.upper()}" for name in ours}
    assert set(variables) - set(ours.values()) == {
        "JSON_LOGS",
        "LOG_LEVEL",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    }


def test_the_page_has_one_row_for_each_public_setting() -> None:
    """The table of the reference page is made from the rows; the internal one is left out."""
    lines = settings_markdown().splitlines()
    assert lines[:2] == [
        "| environment variable | argument and YAML key | default | what it decides | values |",
        "|---|---|---|---|---|",
    ]
    assert lines[2].startswith("| `OTEL_AGENTS_ENABLED` | `enabled` | `true` | The kill switch")
    assert len(lines) == 2 + sum(setting.is_public for setting in SETTINGS)
    assert "LIVE_FD" not in settings_markdown()
    assert {line.count(" | ") for line in lines[2:]} == {4}


def test_options_are_the_public_settings() -> None:
    """Each public setting and the targets are an option, optional, in the order of the table."""
    public = [each.name for each in SETTINGS if each.is_public]
    assert [each.name for each in fields(Options)] == [*public, "targets", "unknown"]
    assert set(asdict(Options()).values()) == {None}


def test_unknown_options_are_reported_by_our_own_message() -> None:
    """An option that does not exist is carried along and named by the load."""
    options = Options(ring_size=5, ringsize=6)
    config = Config.load(vars(options), {}, strict=False)
    assert config.ring_size == 5
    assert [str(each) for each in config.problems] == [
        "argument ringsize: there is no such setting. Did you mean ring_size?"
    ]


class _Instrumentor:
    """The shape that the declarative configuration starts."""

    configuration = Options
    received: dict[str, Any] = {}  # noqa: RUF012 (one test writes it)

    def instrument(self, **options: Any) -> None:
        type(self).received = options


def test_the_declarative_configuration_passes_options_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenTelemetry's own code builds `Options` from a file's mapping and hands them over as keywords."""
    instrumentation = require_module("opentelemetry.configuration.instrumentation")
    models = require_module("opentelemetry.configuration.models")
    monkeypatch.setattr(instrumentation, "load_entry_point", lambda group, name: _Instrumentor)
    written = {
        "adapters": ["langgraph"],
        "event_log": False,
        "ring_size": 7,
        "ringsize": 8,
        "targets": [{"method": "a"}],
    }
    with caplog.at_level(logging.WARNING):
        instrumentation.configure_instrumentation(models.ExperimentalInstrumentation(python={"otel_agents": written}))
    assert caplog.records == []
    config = Config.load(_Instrumentor.received, {}, strict=False)
    assert (config.ring_size, config.event_log, str(config.adapters)) == (7, "off", "langgraph")
    assert [target.row for target in config.targets] == [{"method": "a"}]
    assert [each.place for each in config.problems] == ["argument ringsize"]
