"""What a caller may not ask for although it is well formed, because there is no such thing here; knows no run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.diagnosis import ANSWER
from otel_agents.runtime.flex.document import read_document
from otel_agents.runtime.flex.engine import as_outputs
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import Detail, FlexError
from otel_agents.runtime.flex.schema import Schema
from otel_agents.runtime.flex.store import QuestionRow


def check_envelope(envelope: TaskEnvelope, registry: Registry) -> None:
    """Raise `unknown_capability` when the caller names one that is not there."""
    unknown = [
        Detail(path, "is no capability of this server")
        for path, capability in _named(envelope)
        if capability not in registry
    ]
    if unknown:
        raise FlexError("unknown_capability", "The envelope names capabilities that are not there", unknown)


def _named(envelope: TaskEnvelope) -> Iterator[tuple[str, str]]:
    wishes = envelope.policies.planner
    for name, capabilities in (("require", wishes.require), ("forbid", wishes.forbid)):
        for index, capability in enumerate(capabilities):
            yield f"/policies/planner/{name}/{index}", capability
    for index, policy in enumerate(envelope.policies.runtime):
        selector = policy.trigger.selector
        if selector is not None and selector.capability_id is not None:
            yield f"/policies/runtime/{index}/trigger/selector/capabilityId", selector.capability_id


def check_answer(question: QuestionRow, answer: Answer, registry: Registry, envelope: Mapping[str, Any]) -> None:
    """Raise `invalid_answer` when an edited value cannot take the place of what it is for.

    Args:
        envelope: The stored one of the run: what answers it has to be what its caller wants.
    """
    if answer.decision == "responded" and not answer.text:
        raise FlexError("invalid_answer", "An answer that responds needs a text", [Detail("/text", "is missing")])
    if answer.decision != "edited":
        return
    try:
        read_document({"value": answer.value})
    except FlexError as error:
        raise FlexError("invalid_answer", error.message, error.details) from None
    details: tuple[Detail, ...] = ()
    if question.capability_id is not None and question.capability_id in registry:
        outputs = as_outputs(answer.value, registry.get(question.capability_id).output)
        details = registry.output_schema(question.capability_id).details(outputs, "/value")
        details = details or _contract_breaches(outputs, TaskEnvelope.load(envelope))
    elif question.capability_id is None and not isinstance(answer.value, Mapping):
        details = (Detail("/value", "is no object of inputs"),)
    if details:
        raise FlexError("invalid_answer", "The value cannot take the place of what the node gave", details)


def _contract_breaches(outputs: Any, envelope: TaskEnvelope) -> tuple[Detail, ...]:
    contract = envelope.output_contract
    if contract is None or ANSWER not in outputs:
        return ()
    return Schema(contract.schema_).details(outputs[ANSWER], f"/value/{ANSWER}")
