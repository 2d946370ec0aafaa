from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from jsonschema import Draft202012Validator

from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.envelope import read_envelope
from otel_agents.runtime.flex.http.openapi import openapi
from otel_agents.runtime.flex.http.operations import OPERATIONS
from otel_agents.runtime.flex.http.pages import FOLDER
from otel_agents.runtime.flex.http.schemas import DOCUMENTS
from otel_agents.runtime.flex.plan_request import PlanRequest
from otel_agents.runtime.flex.planner import Planner
from tests.need import require_module
from tests.runtime.flex.http.material import ASKS, START, TIMEOUT_S, flex

EXAMPLES = 40
SCHEMAS = Path(__file__).parents[4] / "docs" / "reference" / "schemas"


def _schema(name: str) -> Draft202012Validator:
    document = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


async def test_the_document_is_served_as_it_is_published(tmp_path) -> None:
    """What the server serves is what the docs have, and names every endpoint once."""
    async with flex(tmp_path) as client:
        served = (await client.get("/api/v1/flex/openapi.json")).json()

    assert served == json.loads((SCHEMAS.parent / "openapi.json").read_text()) == openapi()
    assert sum(len(methods) for methods in served["paths"].values()) == len(OPERATIONS)
    assert len({each.id for each in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    """No schema of the OpenAPI document refers to one that is not there."""
    document = openapi()
    text = json.dumps(document)
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert named <= set(document["components"]["schemas"])
    assert "#/$defs" not in text
    assert set(DOCUMENTS) <= set(document["components"]["schemas"])


def test_the_sample_of_the_page_is_an_envelope() -> None:
    """The envelope that the page begins with is valid, for the server and for the published schema."""
    sample = (FOLDER / "sample.json").read_bytes()

    read_envelope(sample)
    assert list(_schema("task-envelope").iter_errors(json.loads(sample))) == []


async def test_frames_and_plans_are_as_the_published_schemas_say(tmp_path) -> None:
    """Every frame of a run that asks and goes on, and its plan, fit the schemas in the docs."""
    async with flex(tmp_path) as client:
        frames = await client.frames("POST", START, json=ASKS)
        run = frames[0]["runId"]
        frames += await client.frames("POST", "/api/v1/flex/run.resume", json={"runId": run, "decision": "approved"})
    envelope = read_envelope((FOLDER / "sample.json").read_bytes())
    plan = await Planner(shipped()).plan(PlanRequest(run_id="r", phase="initial", envelope=envelope))

    schema = _schema("flex-event")
    assert [error.message for frame in frames for error in schema.iter_errors(frame)] == []
    assert [error.message for error in _schema("plan-graph").iter_errors(plan.as_dict())] == []


def _try(url: str, mode: str, examples: int) -> None:
    """Send made-up requests to every endpoint, and raise when an answer is not as the document says."""
    schemathesis = require_module("schemathesis")
    for found in schemathesis.openapi.from_dict(openapi()).get_all_operations():
        cases = found.ok().as_strategy(generation_mode=schemathesis.GenerationMode(mode))

        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(case=cases)
        def check(case: Any) -> None:
            # Not all that makes an envelope valid can be said in a schema: ids that differ, conditions that compile.
            beyond = [schemathesis.checks.positive_data_acceptance]
            case.call_and_validate(base_url=url, timeout=TIMEOUT_S, excluded_checks=beyond)

        try:
            check()
        except hypothesis.errors.Unsatisfiable:  # there is nothing that could be wrong with it
            assert mode == "negative"


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["positive", "negative"])
async def test_every_endpoint_keeps_to_the_document(tmp_path, mode: str) -> None:
    """Whatever is sent to any endpoint, valid or not, the answer is one that the OpenAPI document foresees."""
    async with flex(tmp_path, run_timeout_s=5.0) as client:
        await asyncio.to_thread(_try, str(client.base_url).rstrip("/"), mode, EXAMPLES)
