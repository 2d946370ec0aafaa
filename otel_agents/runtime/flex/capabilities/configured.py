"""Capabilities and facets from a file, strictly read; must not know how a capability is served."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from otel_agents.runtime.flex.capabilities.registry import Registry
from otel_agents.runtime.flex.capabilities.remote import TIMEOUT_S, Endpoint, remote
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.settings import SettingsError

_Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
_Names = Annotated[tuple[_Text, ...], Field(strict=False)]


class _Row(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        frozen=True,
        validate_by_alias=True,
        validate_by_name=False,
    )


class _Facet(_Row):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    title: _Text
    schema_: dict[str, Any] = Field(alias="schema")
    gathers: str | None = None


class _Capability(_Row):
    id: _Text
    label: str = ""
    kind: Literal["agent", "tool", "step"] = "agent"
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
    model: _Text
    system: _Text
    key_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    input: _Names
    optional_input: _Names = ()
    output: _Names
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = TIMEOUT_S
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None


class _File(_Row):
    version: Literal[1]
    facets: Annotated[tuple[_Facet, ...], Field(strict=False)] = ()
    capabilities: Annotated[tuple[_Capability, ...], Field(strict=False)] = ()


def from_config(path: str | Path, registry: Registry) -> Registry:
    """Add the facets and capabilities of a YAML or JSON file to a registry, and return it.

    Raises:
        SettingsError: The file cannot be used; says where and why.
    """
    rows = _read(Path(path))
    try:
        for each in rows.facets:
            registry.add_facet(Facet(each.name, each.title, each.schema_, each.gathers))
        for row in rows.capabilities:
            _add(row, registry)
    except (ValueError, FlexError) as error:
        raise SettingsError(f"{path}: {error}") from None
    return registry


def _add(row: _Capability, registry: Registry) -> None:
    if row.key_env and not os.environ.get(row.key_env):
        raise ValueError(f"capability {row.id!r} has its key in {row.key_env}, which is not set; set it")
    for name in row.output:
        if name not in registry.facets:
            raise ValueError(f"capability {row.id!r} names facet {name!r}; add it to `facets`")
    endpoint = Endpoint(
        url=row.url, model=row.model, system=row.system, key_env=row.key_env, timeout_s=row.timeout_seconds
    )
    registry.add(
        remote(
            row.id,
            endpoint,
            facets=registry.facets,
            input=row.input,
            optional_input=row.optional_input,
            output=row.output,
            label=row.label,
            kind=row.kind,
            attempts=row.attempts,
        )
    )


def _read(path: Path) -> _File:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(document)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}). Name a file that is there.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise SettingsError(f"{path}: is neither YAML nor JSON. See the page on capabilities.") from None
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in error.errors()]
        raise SettingsError("\n".join(f"{path}: {each}" for each in told)) from None
