"""What a human's answer does to the run; must not know how it was asked, given or stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.engine import nodes
from otel_agents.runtime.flex.engine.scene import Scene
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.hitl import Answer, Question

REFUSED: Final[Mapping[str, str]] = {
    "rejected": "A human rejected it",
    "expired": "Nobody answered in time",
}
"""Decision after which the run fails, with the decision as its code -> the message."""


def apply(scene: Scene, question: Question, answer: Answer) -> None:
    """Change the run as the answer says; written together with what is told next."""
    if question.node_id is None:
        scene.envelope = changed(scene.envelope, answer)
    elif scene.plan is not None and question.node_id in scene.plan.by_id:
        effect = _EFFECTS.get(answer.decision)
        if effect is not None:
            effect(scene, question.node_id, answer)


def changed(envelope: TaskEnvelope, answer: Answer) -> TaskEnvelope:
    """Return the task as a human changed it: other inputs, or one more instruction."""
    if answer.decision == "edited" and isinstance(answer.value, Mapping):
        return envelope.model_copy(update={"inputs": {**envelope.inputs, **answer.value}})
    if answer.decision == "responded" and answer.text:
        return envelope.model_copy(update={"special_instructions": (*envelope.special_instructions, answer.text)})
    return envelope


def as_outputs(value: object, names: tuple[str, ...]) -> object:
    """Return an edited output as facet -> value; a node with one facet may be given its value alone."""
    is_whole = isinstance(value, Mapping) and set(value) == set(names)
    return value if is_whole or len(names) != 1 else {names[0]: value}


def _approved(scene: Scene, node_id: str, answer: Answer) -> None:
    state = scene.state(node_id)
    state.is_approved = True
    if state.status == "executed":
        nodes.complete(scene, node_id)
    elif state.status == "paused" and state.outputs is not None:
        nodes.settle(scene, node_id, "executed", state.outputs)
    elif state.status == "paused":
        nodes.reset(scene, [node_id])


def _edited(scene: Scene, node_id: str, answer: Answer) -> None:
    outputs: Any = as_outputs(answer.value, scene.graph.node(node_id).output)
    # The policies of its completion were asked already, unless it never completed.
    nodes.settle(scene, node_id, "executed" if scene.state(node_id).status == "paused" else "completed", outputs)


def _responded(scene: Scene, node_id: str, answer: Answer) -> None:
    nodes.reset(scene, [node_id], feedback=answer.text)


_EFFECTS: Final[Mapping[str, Callable[[Scene, str, Answer], None]]] = {
    "approved": _approved,
    "edited": _edited,
    "responded": _responded,
}
