"""What requests hold beside the envelope: bodies and query parameters, read strictly; must not know what they cause."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from otel_agents.runtime.flex.document import as_whole

MAX_INT: Final = 2**31 - 1  # what every database can hold

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
Name = Annotated[str, StringConstraints(pattern=r"^[!-~][ -~]{0,199}$")]
Version = Annotated[int, Field(ge=1, le=MAX_INT), BeforeValidator(as_whole)]
Decision = Literal["approved", "edited", "rejected", "responded"]
Status = Literal["queued", "running", "awaiting_hitl", "completed", "failed", "cancelled"]


class _Sent(BaseModel):
    """What a client sends: camelCase, nothing converted, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


class Nothing(_Sent):
    """An empty object; no body at all is the same."""


class _Answer(_Sent):
    value: Any = Field(default=None, description="With `edited`: what to take instead of the node's output.")
    text: Text | None = Field(default=None, description="With `responded`: what should be done differently.")
    by: Name | None = Field(default=None, description="Who decides.")

    def _check(self, decision: str | None) -> Self:
        if decision == "edited" and "value" not in self.model_fields_set:
            raise ValueError("edited needs a value")
        if decision == "responded" and self.text is None:
            raise ValueError("responded needs a text")
        return self


class Resolve(_Answer):
    """The answer to one question."""

    request_id: Id
    decision: Decision

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        return self._check(self.decision)


class Resume(_Answer):
    """Which run goes on, and what the answer is, unless that was given before."""

    run_id: Id
    expected_plan_version: Version | None = Field(default=None, description="Refuse unless this version is in force.")
    request_id: Id | None = Field(default=None, description="Which question is meant, when several are open.")
    decision: Decision | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.decision is None and self.model_fields_set & {"value", "text", "request_id"}:
            raise ValueError("value, text and requestId need a decision")
        return self._check(self.decision)


class _Query(BaseModel):
    """Query parameters: texts, so numbers are read from them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class StartQuery(_Query):
    """How a stream is to be taken."""

    on_disconnect: Literal["continue", "cancel"] | None = Field(
        default=None,
        description="What becomes of the run when the client leaves; without it, `FLEX_CANCEL_ON_DISCONNECT`.",
    )


class StreamQuery(_Query):
    """Where a stream begins."""

    after: Annotated[int, Field(ge=0, le=MAX_INT)] = Field(
        default=0, description="The number of the last frame that was seen; the header Last-Event-ID goes before."
    )


class RunsQuery(_Query):
    """Which runs are listed."""

    status: Status | None = Field(default=None, description="Only runs in this state.")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(default=50, description="How many at most.")
    after: Id | None = Field(default=None, description="The last run of the page before.")
