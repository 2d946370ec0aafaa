"""The TaskEnvelope: what a caller may ask for, read strictly; must not know who plans or executes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from otel_agents.runtime.flex.condition import Condition
from otel_agents.runtime.flex.document import as_whole, read_document
from otel_agents.runtime.flex.problem import Detail, FlexError, pointer
from otel_agents.runtime.flex.schema import Schema

MAX_POLICIES: Final = 50
MAX_SECONDS: Final = 30 * 24 * 3600

Text = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Visible = Annotated[str, StringConstraints(pattern=r"^[!-~][ -~]{0,199}$")]
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]
WHOLE: Final = BeforeValidator(as_whole)
Times = Annotated[int, Field(ge=1, le=100), WHOLE]
TriggerKind = Literal["onStart", "onNodeComplete", "onValidationFail", "onTimeout", "manual"]


class _Part(BaseModel):
    """A part of the envelope: camelCase on the wire, nothing converted, nothing unknown, nothing changed later."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        frozen=True,
        validate_by_alias=True,
        validate_by_name=False,
    )


class Selector(_Part):
    """Which nodes a trigger is about; what is not given fits all."""

    node_id: Id | None = None
    capability_id: Id | None = None
    kind: Literal["agent", "tool", "step"] | None = None


class Trigger(_Part):
    """When a policy is asked."""

    kind: TriggerKind
    selector: Selector | None = None
    condition: dict[str, Any] | bool | None = None


class _Action(_Part):
    max_times: Times = 1


class Replan(_Action):
    """Make another plan; nodes that are done stay done."""

    type: Literal["replan"]


class Hitl(_Action):
    """Ask a human."""

    type: Literal["hitl"]
    prompt: Text | None = None
    expires_in_seconds: Seconds | None = None


class Fail(_Part):
    """End the run as failed."""

    type: Literal["fail"]
    message: Text | None = None
    max_times: Times = 1


class Pause(_Action):
    """Wait until somebody resumes the run."""

    type: Literal["pause"]
    expires_in_seconds: Seconds | None = None


class Goto(_Action):
    """Execute a node, named by id or capability, and all that depends on it again."""

    type: Literal["goto"]
    node: Id


class Emit(_Part):
    """Say something in the stream."""

    type: Literal["emit"]
    message: Text
    max_times: Times = 100


Action = Replan | Hitl | Fail | Pause | Goto | Emit


class Policy(_Part):
    """What is to be done when something happens."""

    id: Id
    trigger: Trigger
    action: Annotated[Action, Field(discriminator="type")]


class PlannerPolicy(_Part):
    """Wishes for the plan."""

    variants: Annotated[int, Field(ge=1, le=10), WHOLE] | None = None
    require: Annotated[tuple[Id, ...], Field(max_length=50, strict=False)] = ()
    forbid: Annotated[tuple[Id, ...], Field(max_length=50, strict=False)] = ()
    max_nodes: Annotated[int, Field(ge=1, le=200), WHOLE] | None = None


class Policies(_Part):
    """The caller's rules: for the planner, and while the run goes on."""

    planner: PlannerPolicy = PlannerPolicy()
    runtime: Annotated[tuple[Policy, ...], Field(max_length=MAX_POLICIES, strict=False)] = ()


class OutputContract(_Part):
    """What the answer must look like."""

    mode: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class Metadata(_Part):
    """Who asks, and under which names the run is found again."""

    correlation_id: Visible | None = None
    client_id: Visible | None = None
    run_label: Visible | None = None


class Constraints(_Part):
    """Limits that the engine keeps; any other key is for the nodes, as the facet `constraints`."""

    model_config = ConfigDict(extra="allow")

    timeout_seconds: Seconds | None = None
    node_timeout_seconds: Seconds | None = None
    max_attempts: Annotated[int, Field(ge=1, le=10), WHOLE] | None = None
    concurrency: Annotated[int, Field(ge=1, le=32), WHOLE] | None = None

    @property
    def free(self) -> Mapping[str, Any]:
        """What is for the nodes."""
        return self.model_extra or {}


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Instructions = Annotated[
    tuple[Text, ...],
    Field(max_length=50, strict=False),
    BeforeValidator(_as_list, json_schema_input_type=Text | tuple[Text, ...]),
]


class TaskEnvelope(_Part):
    """A task: what to do, from what, within which limits and in which shape the answer is wanted."""

    objective: Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")]
    inputs: dict[str, Any] = Field(default_factory=dict)
    constraints: Constraints = Constraints()
    policies: Policies = Policies()
    output_contract: OutputContract | None = None
    special_instructions: Instructions = ()
    metadata: Metadata = Metadata()

    def dump(self) -> dict[str, Any]:
        """Return plain JSON from which `load` makes an equal envelope."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=False, exclude_defaults=True)

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        """Return the envelope that `dump` wrote."""
        return cls.model_validate(stored)


def read_envelope(body: bytes | Mapping[str, Any]) -> TaskEnvelope:
    """Return the envelope that a caller sent.

    Raises:
        FlexError: Whatever is wrong with it, each problem with its place.
    """
    document = read_document(body)
    try:
        envelope = TaskEnvelope.model_validate(document)
    except ValidationError as error:
        raise FlexError("invalid_envelope", "The envelope is not valid", _details(error, document)) from None
    _check_ids(envelope)
    if envelope.output_contract is not None:
        _compile(Schema, envelope.output_contract.schema_, "/outputContract/schema")
    for index, policy in enumerate(envelope.policies.runtime):
        if policy.trigger.condition is not None:
            _compile(Condition, policy.trigger.condition, f"/policies/runtime/{index}/trigger/condition")
    return envelope


def envelope_schema() -> dict[str, Any]:
    """Return the JSON Schema of a TaskEnvelope on the wire."""
    return TaskEnvelope.model_json_schema(by_alias=True)


def _details(error: ValidationError, document: object) -> Iterator[Detail]:
    """Yield what pydantic found, in the caller's places and without values."""
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        told = "is of none of the types that there are" if found["type"] == "union_tag_invalid" else found["msg"]
        yield Detail(pointer(*_place(found["loc"], document)), told)


def _place(location: tuple[int | str, ...], document: object) -> Iterator[int | str]:
    """Yield the keys that are really there, and the last one: pydantic puts names of its own types in between."""
    for position, part in enumerate(location):
        is_there = part in document if isinstance(document, Mapping) else isinstance(part, int)
        if is_there or (position == len(location) - 1 and isinstance(document, Mapping)):
            yield part
            document = _inside(document, part)


def _inside(document: object, part: int | str) -> object:
    if isinstance(document, Mapping):
        return document.get(part)
    return document[part] if isinstance(document, list) and isinstance(part, int) and part < len(document) else None


def _check_ids(envelope: TaskEnvelope) -> None:
    seen: set[str] = set()
    twice = []
    for index, policy in enumerate(envelope.policies.runtime):
        if policy.id in seen:
            twice.append(Detail(f"/policies/runtime/{index}/id", "is the id of another policy too"))
        seen.add(policy.id)
    if twice:
        raise FlexError("invalid_envelope", "The envelope is not valid", twice)


def _compile(compiled: Callable[[Any], object], document: object, at: str) -> None:
    """Raise what the document's own compiler raises, with places in the envelope."""
    try:
        compiled(document)
    except FlexError as error:
        details = [Detail(at + detail.path, detail.message) for detail in error.details]
        raise FlexError(error.code, error.message, details) from None
