"""Settings from FLEX_* variables."""

from __future__ import annotations

import pytest

from otel_agents.runtime.flex.settings import Settings, SettingsError, settings_table


def test_without_variables_there_are_defaults() -> None:
    """Nothing has to be set."""
    settings = Settings.from_env({})

    assert settings == Settings()
    assert (settings.runs_enabled, settings.legacy_url, settings.database_url) == (True, None, "sqlite:///flex.db")


def test_variables_are_read_by_type() -> None:
    """Flags, numbers, seconds, addresses and paths."""
    settings = Settings.from_env(
        {
            "FLEX_RUNS_ENABLED": "off",
            "FLEX_LEGACY_URL": "https://old.example.org/run",
            "FLEX_DATABASE_URL": "postgresql://flex@db/flex",
            "FLEX_MAX_RUNS": "7",
            "FLEX_LEASE_S": "2.5",
            "FLEX_CAPABILITIES": "capabilities.yaml",
            "FLEX_CANCEL_ON_DISCONNECT": "yes",
            "FLEX_GRACE_S": "",
        }
    )

    assert settings == Settings(
        runs_enabled=False,
        legacy_url="https://old.example.org/run",
        database_url="postgresql://flex@db/flex",
        max_runs=7,
        lease_s=2.5,
        capabilities="capabilities.yaml",
        cancel_on_disconnect=True,
    )


def test_all_bad_values_are_told_at_once_with_their_fix() -> None:
    """Each with its name and value, but for one that may hold a password."""
    env = {
        "FLEX_RUNS_ENABLED": "maybe",
        "FLEX_MAX_RUNS": "many",
        "FLEX_LEASE_S": "nan",
        "FLEX_LEGACY_URL": "ftp://x",
        "FLEX_DATABASE_URL": "mysql://root:s3cret@db",
    }

    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env)

    assert str(caught.value).splitlines() == [
        "FLEX_RUNS_ENABLED: 'maybe' cannot be used. Write `true` or `false`.",
        "FLEX_LEGACY_URL: 'ftp://x' cannot be used. Write an http(s) URL.",
        "FLEX_DATABASE_URL: *** cannot be used. Write `sqlite:///path` or `postgresql://user@host/name`.",
        "FLEX_MAX_RUNS: 'many' cannot be used. Write a whole number from 1 to 10000.",
        "FLEX_LEASE_S: 'nan' cannot be used. Write seconds from 0.5 to 3600.",
    ]


def test_the_table_for_help_and_docs_is_made_of_the_settings() -> None:
    """Variable, default, what may be written."""
    assert ("FLEX_RUNS_ENABLED", "true", "`true` or `false`") in settings_table()
    assert ("FLEX_LEGACY_URL", "none", "an http(s) URL") in settings_table()
