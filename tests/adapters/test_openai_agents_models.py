"""Models of the OpenAI Agents SDK: tries, and answers that are not what they should be."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Agent, ModelBehaviorError, ModelRetrySettings, ModelSettings, Runner, handoff
from pydantic import BaseModel

from otel_agents.testing import Telemetry
from tests.adapters.assistants import IN, OUT, WAYS, Scripted, agent, call, ping

EVERY_WAY = pytest.mark.parametrize("way", WAYS)


class Answer(BaseModel):
    number: int


def persistent(*answers: Any) -> Any:
    backoff: Any = {"initial_delay": 0.001, "jitter": False}
    retry = ModelRetrySettings(max_retries=2, backoff=backoff, policy=lambda context: True)
    return Agent(name="a", model=Scripted(*answers), model_settings=ModelSettings(retry=retry))


def told(telemetry: Telemetry, *types: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, dict(event.payload)) for event in telemetry.events if event.type in types]


@EVERY_WAY
def test_tries_are_facts_of_one_turn(way: str, seen: Telemetry) -> None:
    """A model that is asked three times fails twice with the number of the try, and is measured and paid once."""
    assert WAYS[way](persistent(ConnectionError("1"), TimeoutError("2"), "done")).final_output == "done"

    facts = told(seen, "node_error", "node_retry")
    assert facts == [
        (event, {"attempt": attempt, "errorType": error})
        for attempt, error in ((1, "ConnectionError"), (2, "TimeoutError"))
        for event in ("node_error", "node_retry")
    ]
    assert seen.tree() == ["run a: ok", "  node a (agent): ok", "    node model (step): ok"]
    counted = seen.metrics()
    assert counted["flex.node.duration_count{capability=model,kind=step,outcome=ok,runtime=openai_agents}"] == 1
    assert counted["flex.node.retries{capability=model,runtime=openai_agents}"] == 2
    assert counted["flex.model.tokens{direction=input,runtime=openai_agents}"] == IN
    assert counted["flex.model.tokens{direction=output,runtime=openai_agents}"] == OUT
    assert dict(seen.span("flex.node model").attributes or {})["flex.node.attempt"] == 3


@EVERY_WAY
def test_tries_that_are_used_up_are_an_error(way: str, seen: Telemetry) -> None:
    """The last one fails the turn, and is not tried again."""
    with pytest.raises(ConnectionError):
        WAYS[way](persistent(*(ConnectionError(str(number)) for number in range(3))))

    attempts = [
        (event.type, event.payload["attempt"])
        for event in seen.events
        if event.type in ("node_error", "node_retry") and event.capability_id == "model"
    ]
    assert attempts == [("node_error", 1), ("node_retry", 1), ("node_error", 2), ("node_retry", 2), ("node_error", 3)]


@EVERY_WAY
def test_an_answer_of_the_wrong_type_is_told(way: str, seen: Telemetry) -> None:
    """The run fails of it; nobody asks again."""
    with pytest.raises(ModelBehaviorError):
        WAYS[way](agent("a", '{"number": "x"}', output_type=Answer))

    assert told(seen, "validation_error") == [
        ("validation_error", {"scope": "output", "errorCount": 1, "attempt": 1}),
    ]
    assert seen.metrics()["flex.validation.errors{runtime=openai_agents,scope=output}"] == 1
    assert seen.tree()[:2] == ["run a: error", "  node a (agent): error"]


@EVERY_WAY
def test_an_answer_of_the_right_type_is_not(way: str, seen: Telemetry) -> None:
    """Validation that finds nothing is no news."""
    assert WAYS[way](agent("a", '{"number": 1}', output_type=Answer)).final_output == Answer(number=1)

    assert told(seen, "validation_error") == []


@EVERY_WAY
def test_arguments_of_the_wrong_type_are_asked_for_again(way: str, seen: Telemetry) -> None:
    """The model is told of what is wrong with its call, and may try again: each such re-ask is counted."""
    wrong = [call("ping", text=["x"]), call("ping", nothing="x")]
    WAYS[way](agent("a", *wrong, call("ping", text="x"), "done", tools=[ping]))

    assert told(seen, "validation_error") == [
        ("validation_error", {"scope": "input", "errorCount": 1, "attempt": attempt, "retried": True})
        for attempt in (1, 2)
    ]
    assert seen.metrics()["flex.validation.retries{runtime=openai_agents,scope=input}"] == 2
    assert [line.strip() for line in seen.tree() if "ping" in line] == [
        "node ping (tool): error",
        "node ping (tool): error",
        "node ping (tool): ok",
    ]


async def _accept(context: Any, given: Answer) -> None:
    """Take what a handoff is given."""


@EVERY_WAY
def test_arguments_of_a_handoff_of_the_wrong_type_are_told(way: str, seen: Telemetry) -> None:
    """The run fails of them; nobody takes over, and nobody asks again."""
    taken = handoff(agent("b"), on_handoff=_accept, input_type=Answer)
    with pytest.raises(ModelBehaviorError):
        WAYS[way](agent("a", call("transfer_to_b", number="x"), handoffs=[taken]))

    assert told(seen, "validation_error", "handoff") == [
        ("validation_error", {"scope": "input", "errorCount": 1, "attempt": 1}),
    ]
    assert seen.metrics()["flex.validation.errors{runtime=openai_agents,scope=input}"] == 1
    assert seen.tree() == ["run a: error", "  node a (agent): error", "    node model (step): ok"]


@EVERY_WAY
def test_an_answer_that_was_told_inside_a_handoff_is_told_once(way: str, seen: Telemetry) -> None:
    """An agent that the host asks while it hands over gave a wrong answer; the handoff's own arguments were right."""

    async def ask(context: Any) -> None:
        await Runner.run(agent("asked", '{"number": "x"}', output_type=Answer), "hi")

    with pytest.raises(ModelBehaviorError):
        WAYS[way](agent("a", call("transfer_to_b"), handoffs=[handoff(agent("b"), on_handoff=ask)]))

    assert told(seen, "validation_error") == [
        ("validation_error", {"scope": "output", "errorCount": 1, "attempt": 1}),
    ]
