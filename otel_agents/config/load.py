"""Read all settings, each from its strongest source, into one frozen record; must not know who acts on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from otel_agents.config.problem import ConfigError, Problem, shown, suggestion
from otel_agents.config.settings import SETTINGS, Setting
from otel_agents.config.values import Address, Selection, Target
from otel_agents.content import Capture

PREFIX = "OTEL_AGENTS_"
DEFAULT = "default"
UNKNOWN = "unknown"
TARGETS = "targets"

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_PUBLIC = tuple(setting.name for setting in SETTINGS if setting.is_public)
_IN_FILE = tuple(setting.name for setting in SETTINGS if setting.in_file)
_VARIABLES = tuple(setting.env for setting in SETTINGS)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, read and checked; see the reference page on settings for what each decides.

    Attributes:
        problems: What could not be used, when loaded with `strict=False`; defaults stand in their places.
        sources: Where each setting that is not a default comes from.
    """

    enabled: bool = True
    adapters: Selection = field(default_factory=Selection)
    signals: tuple[str, ...] = ("spans", "metrics", "logs", "feed")
    config: str | None = None
    serve: Address | None = None
    token: str | None = field(default=None, repr=False)
    event_log: str = "off"
    json_logs: bool = False
    log_level: int = 20
    audit_file: str | None = None
    audit_key: str | None = field(default=None, repr=False)
    audit_clear: bool = False
    audit_fsync: bool = False
    pause_store: str = field(default="memory", repr=False)  # a database URL may hold a password
    ring_size: int = 1000
    queue_size: int = 1000
    metric_sets: int = 500
    content_length: int = 4096
    propagate_run: bool = False
    capture: Capture = field(default_factory=Capture)
    live_fd: int | None = None
    live_path: str | None = None
    profile: str | None = None
    targets: tuple[Target, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(
        cls,
        arguments: Mapping[str, object] | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        strict: bool = True,
    ) -> Config:
        """Read the settings; per setting an argument goes before the environment, that before the YAML file.

        Args:
            arguments: By setting name, beside them `targets`, a list of rows; None counts as not given.
            environ: The environment; an empty variable counts as not set.
            strict: Whether a problem raises. Otherwise the default takes its place and it is kept in `problems`.

        Raises:
            ConfigError: With all problems, when strict.
        """
        reading = _Reading(arguments or {}, environ)
        values = reading.values()
        if strict and reading.problems:
            raise ConfigError(reading.problems)
        return cls(**values, problems=tuple(reading.problems), sources=reading.sources)

    def source_of(self, name: str) -> str:
        """Return where the setting comes from, such as `argument ring_size`, `agents.yaml:3:12` or `default`.

        Raises:
            KeyError: There is no such setting.
        """
        if name != TARGETS and name not in _BY_NAME:
            raise KeyError(name)
        return self.sources.get(name, DEFAULT)


@dataclass(init=False)
class Options:
    """The settings as plain optional values, for OpenTelemetry's declarative configuration.

    That builds an instance from the options in its file and passes the fields on as keyword arguments. An unknown
    option is kept in `unknown` instead of raising, so that our own message names it.
    """

    enabled: bool | None = None
    adapters: str | list[str] | None = None
    signals: str | list[str] | None = None
    config: str | None = None
    serve: str | bool | int | None = None
    token: str | None = None
    event_log: str | bool | None = None
    json_logs: bool | None = None
    log_level: str | int | None = None
    audit_file: str | bool | None = None
    audit_key: str | None = None
    audit_clear: bool | None = None
    audit_fsync: bool | None = None
    pause_store: str | None = None
    ring_size: int | None = None
    queue_size: int | None = None
    metric_sets: int | None = None
    content_length: int | None = None
    propagate_run: bool | None = None
    capture: str | None = None
    targets: list[dict[str, Any]] | None = None
    unknown: dict[str, Any] | None = None

    def __init__(self, **options: Any) -> None:
        names = {each.name for each in fields(self)} - {UNKNOWN}
        for name in names:
            setattr(self, name, options.pop(name, None))
        self.unknown = options or None


class _Given(NamedTuple):
    """A value that was found, before it is read."""

    source: str
    value: object


class _Reading:
    """One reading of all sources: what was found, where, and what is wrong with it."""

    def __init__(self, arguments: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self.arguments = {name: value for name, value in arguments.items() if value is not None}
        extra = self.arguments.pop(UNKNOWN, None)
        self.unknown = dict(extra) if isinstance(extra, Mapping) else {}
        self.environ = environ
        self.problems: list[Problem] = []
        self.sources: dict[str, str] = {}
        self.file: dict[str, tuple[str, object]] = {}

    def values(self) -> dict[str, Any]:
        """Return the value of each field of `Config` that is a setting."""
        self._check_names()
        path = self._value(_BY_NAME["config"])
        targets = self._open(path) if isinstance(path, str) else ()
        values = {setting.name: self._value(setting) for setting in SETTINGS if setting.name != "config"}
        values |= {"config": path, TARGETS: self._targets(targets)}
        values["capture"] = Capture.of(str(values["capture"]), values["content_length"])
        self._check_serving(values)
        self._forgive_shared(values)
        return values

    def _check_names(self) -> None:
        known = (*_PUBLIC, TARGETS)
        for name in (*self.arguments, *self.unknown):
            if name not in known:
                fix = suggestion(str(name), known, otherwise=f"Known are {', '.join(known)}.")
                self.problems.append(Problem("", f"argument {str(name)[:80]}", "there is no such setting", fix))
        for name in sorted(self.environ):
            if name.startswith(PREFIX) and name not in _VARIABLES:
                fix = suggestion(name, _VARIABLES, otherwise="Unset it.")
                self.problems.append(Problem("", f"environment variable {name}", "there is no such setting", fix))

    def _open(self, path: str) -> tuple[Target, ...]:
        # Here, because most programs have no file and should not wait for the import.
        from otel_agents.config.document import read_document

        expanded = os.path.expanduser(path)  # noqa: PTH111 (the file is named as it was given)
        document = read_document(expanded, _IN_FILE)
        origin = f"{path} ({self.sources['config']})"
        for each in document.problems:  # a place inside the file speaks for itself
            self.problems.append(replace(each, place=origin) if each.place == expanded else each)
        self.file = document.values
        return document.targets

    def _given(self, setting: Setting) -> _Given | None:
        if setting.is_public and setting.name in self.arguments:
            return _Given(f"argument {setting.name}", self.arguments[setting.name])
        if self.environ.get(setting.env, "").strip():
            return _Given(f"environment variable {setting.env}", self.environ[setting.env])
        if setting.name in self.file:
            return _Given(*self.file[setting.name])
        return None

    def _value(self, setting: Setting) -> Any:
        given = self._given(setting)
        if given is None:
            return setting.default
        try:
            value = setting.read(_text(given.value, setting))
        except ValueError as error:
            self._refuse(setting, given, str(error))
            return setting.default
        self.sources[setting.name] = given.source
        return value

    def _refuse(self, setting: Setting, given: _Given, reason: str) -> None:
        value = "the value (not shown)" if setting.is_secret else shown(given.value)
        fix = f"Use {setting.accepts}; the default is {setting.shown}."
        self.problems.append(Problem(setting.name, given.source, f"{value} {reason}", fix))

    def _targets(self, from_file: tuple[Target, ...]) -> tuple[Target, ...]:
        rows = self.arguments.get(TARGETS)
        if rows is None:
            self.sources |= {TARGETS: from_file[0].source} if from_file else {}
            return from_file
        source = f"argument {TARGETS}"
        if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
            self.sources[TARGETS] = source
            return tuple(Target(row, source) for row in rows)
        self.problems.append(Problem(TARGETS, source, "is no list of mappings", "Give one mapping per target."))
        return ()

    def _check_serving(self, values: dict[str, Any]) -> None:
        address = values["serve"]
        if address is not None and not address.is_loopback and values["token"] is None:
            what = f"{shown(str(address))} can be reached from other machines, and there is no token"
            fix = "Set OTEL_AGENTS_TOKEN, or serve on 127.0.0.1. Nothing is served."
            self.problems.append(Problem("serve", self.sources.pop("serve"), what, fix))
            values["serve"] = None

    def _forgive_shared(self, values: dict[str, Any]) -> None:
        """Leave variables that the host reads, too, to the host as long as nobody asked for our lines."""
        if values["event_log"] == "off":
            shared = {f"environment variable {each.env}" for each in SETTINGS if each.is_shared}
            self.problems = [each for each in self.problems if each.place not in shared]


def _text(value: object, setting: Setting) -> str:
    """Return what was given as the text that the environment would hold."""
    if setting.is_list and isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ",".join(value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str | int):
        raise ValueError("is of the wrong type")  # noqa: TRY004 (it is a problem of the setting like any other)
    text = str(value).strip()
    if not text:
        raise ValueError("is empty")
    return text
