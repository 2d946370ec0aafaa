from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio

from tests.runtime.flex.http.material import ASKS, ROOT, START, TASK, Client, Work, error_of, flex

JSON = {"Content-Type": "application/json"}
MANY = 10_000_000


# One server for all that is refused, and one of its own for each test that starts runs.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("flex")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(place):
    async with flex(place) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def own(tmp_path):
    async with flex(tmp_path) as made:
        yield made


def _deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {**TASK, "inputs": {"x": value}}


def _ruled(**rule: Any) -> dict[str, Any]:
    made = {"id": "p", "trigger": {"kind": "onStart"}, "action": {"type": "replan"}, **rule}
    return {**TASK, "policies": {"runtime": [made]}}


def _contract(schema: object) -> dict[str, Any]:
    return {**TASK, "outputContract": {"mode": "json_schema", "schema": schema}}


ENVELOPES = {
    "no object": ([], 422, "invalid_envelope", ""),
    "nothing in it": ({}, 422, "invalid_envelope", "/objective"),
    "wrong type": ({"objective": 1}, 422, "invalid_envelope", "/objective"),
    "empty objective": ({"objective": ""}, 422, "invalid_envelope", "/objective"),
    "unknown field": ({**TASK, "goal": "x"}, 422, "invalid_envelope", "/goal"),
    "unknown field inside": ({**TASK, "metadata": {"user": "x"}}, 422, "invalid_envelope", "/metadata/user"),
    "unknown action": (_ruled(action={"type": "dance"}), 422, "invalid_envelope", "/policies/runtime/0/action"),
    "too deep": (_deep(40), 422, "too_deep", "/inputs/x" + "/0" * 31),
    "much too deep": (_deep(500), 422, "too_deep", "/inputs/x" + "/0" * 31),
    "no condition": (
        _ruled(trigger={"kind": "onStart", "condition": {"dance": [1]}}),
        422,
        "invalid_condition",
        "/policies/runtime/0/trigger/condition/dance",
    ),
    "no schema": (_contract({"type": "animal"}), 422, "invalid_schema", "/outputContract/schema/type"),
    "a schema elsewhere": (
        _contract({"$ref": "https://example.org/schema.json"}),
        422,
        "invalid_schema",
        "/outputContract/schema/$ref",
    ),
    "unknown capability": (
        {**TASK, "policies": {"planner": {"require": ["dance"]}}},
        422,
        "unknown_capability",
        "/policies/planner/require/0",
    ),
}


@pytest.mark.parametrize(("envelope", "status", "code", "path"), ENVELOPES.values(), ids=ENVELOPES)
async def test_an_envelope_that_is_not_valid_is_refused(client: Client, envelope, status, code, path) -> None:
    """Each mistake has its code, its status and its place, and leaves no run behind."""
    response = await client.post(START, json=envelope)

    error = error_of(response)
    assert (response.status_code, error["code"], error["details"][0]["path"]) == (status, code, path)
    assert (await client.get(f"{ROOT}/runs")).json() == {"runs": []}


BODIES = {
    "nothing": b"",
    "no JSON": b'{"objective": ',
    "no UTF-8": b'{"objective": "\xff"}',
    "a key twice": b'{"objective": "a", "objective": "b"}',
    "no number": b'{"objective": "a", "inputs": {"x": NaN}}',
    "text that no database takes": b'{"objective": "a", "inputs": {"x": "\\u0000"}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_what_is_no_json_is_refused(client: Client, body: bytes) -> None:
    """A body that is no JSON, or none that everybody can read, is refused before anything is made of it."""
    response = await client.post(START, content=body, headers=JSON)

    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_json")
    assert (await client.get(f"{ROOT}/runs")).json() == {"runs": []}


@pytest.mark.parametrize("has_door", [True, False], ids=["standalone", "mounted"])
@pytest.mark.parametrize("is_chunked", [True, False], ids=["chunked", "in one piece"])
async def test_a_body_of_ten_megabytes_is_refused(tmp_path, has_door: bool, is_chunked: bool) -> None:
    """A body beyond the limit is refused, whether or not the client says how large it is."""
    body = json.dumps({**TASK, "inputs": {"x": "y" * MANY}}).encode()

    async def pieces():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with flex(tmp_path, has_door=has_door) as client:
        response = await client.post(START, content=pieces() if is_chunked else body, headers=JSON)

        # The door has the wider limit; which of the two is passed first depends on how the body is cut.
        assert response.status_code == 413
        assert error_of(response)["code"] in {"too_large", "body_too_large"}
        assert (await client.get(f"{ROOT}/runs")).json() == {"runs": []}


async def test_a_client_that_leaves_within_a_body_is_no_mistake_of_ours(client: Client, caplog) -> None:
    """A connection that is closed before the body is whole starts nothing, and the log tells of no error."""
    url = client.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST {START} HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    writer.write(f"{head}{{}}".encode())
    await writer.drain()
    assert (await client.get(f"{ROOT}/runs")).json() == {"runs": []}
    writer.close()
    await writer.wait_closed()
    for _ in range(5):
        assert (await client.get(f"{ROOT}/runs")).json() == {"runs": []}

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_million_bytes_are_the_limit(client: Client) -> None:
    """A body just beyond what an envelope may have is refused with the code of envelopes."""
    response = await client.post(START, json={**TASK, "inputs": {"x": "y" * 1_000_000}})

    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")


OTHERS = {
    "resume without a run": ("POST", "run.resume", {}, 400, "bad_request", "/runId"),
    "resume an unknown run": ("POST", "run.resume", {"runId": "nobody"}, 404, "not_found", None),
    "resume with an unknown field": ("POST", "run.resume", {"runId": "a", "force": True}, 400, "bad_request", "/force"),
    "resume with no edit": ("POST", "run.resume", {"runId": "a", "decision": "edited"}, 400, "bad_request", ""),
    "resume with a value and no decision": ("POST", "run.resume", {"runId": "a", "value": 1}, 400, "bad_request", ""),
    "resume with a version that is text": (
        "POST", "run.resume", {"runId": "a", "expectedPlanVersion": "1"}, 400, "bad_request", "/expectedPlanVersion",
    ),
    "resume with a version beyond all": (
        "POST", "run.resume", {"runId": "a", "expectedPlanVersion": 2**63}, 400, "bad_request", "/expectedPlanVersion",
    ),
    "answer nothing": ("POST", "hitl/resolve", {}, 400, "bad_request", "/requestId"),
    "answer an unknown question": (
        "POST", "hitl/resolve", {"requestId": "q", "decision": "approved"}, 404, "not_found", None,
    ),
    "answer with an unknown decision": (
        "POST", "hitl/resolve", {"requestId": "q", "decision": "expired"}, 400, "bad_request", "/decision",
    ),
    "respond without a word": (
        "POST", "hitl/resolve", {"requestId": "q", "decision": "responded"}, 400, "bad_request", "",
    ),
    "cancel an unknown run": ("POST", "runs/nobody/cancel", {}, 404, "not_found", None),
    "cancel with a body": ("POST", "runs/nobody/cancel", {"why": "x"}, 400, "bad_request", "/why"),
    "fire a policy of an unknown run": ("POST", "runs/nobody/policies/p/fire", {}, 404, "not_found", None),
    "describe an unknown run": ("GET", "runs/nobody", None, 404, "not_found", None),
    "describe what cannot be a run": ("GET", "runs/a%00b", None, 404, "not_found", None),
    "follow an unknown run": ("GET", "runs/nobody/stream", None, 404, "not_found", None),
    "follow after no number": ("GET", "runs/nobody/stream?after=x", None, 400, "bad_request", "/after"),
    "list with an unknown parameter": ("GET", "runs?state=running", None, 400, "bad_request", "/state"),
    "list in an unknown state": ("GET", "runs?status=asleep", None, 400, "bad_request", "/status"),
    "list too many": ("GET", "runs?limit=1000", None, 400, "bad_request", "/limit"),
    "list with a limit twice": ("GET", "runs?limit=1&limit=2", None, 400, "bad_request", "/limit"),
    "an unknown parameter of the queue": ("GET", "hitl/pending?run=1", None, 400, "bad_request", "/run"),
    "an endpoint that is not there": ("GET", "nothing", None, 404, "not_found", None),
    "a slash too much": ("GET", "runs/", None, 404, "not_found", None),
    "a method that is not there": ("POST", "runs", {}, 405, "method_not_allowed", None),
    "a stream by GET": ("GET", "run.stream", None, 405, "method_not_allowed", None),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS.values(), ids=OTHERS)
async def test_every_other_request_is_read_as_strictly(client: Client, case) -> None:
    """Bodies, query parameters and paths that are wrong get the same structure, also where routing refuses."""
    method, path, body, status, code, place = case
    response = await client.request(method, f"{ROOT}/{path}", json=body)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code)
    assert [detail["path"] for detail in error["details"][:1]] == ([] if place is None else [place])


async def test_a_method_that_is_not_there_is_told_which_are(client: Client) -> None:
    """A 405 has the header Allow."""
    assert set((await client.delete(f"{ROOT}/runs")).headers["allow"].split(", ")) == {"GET", "HEAD"}


FOREIGN = {
    "a foreign Host": ({"Host": "example.org"}, 403, "host_not_allowed"),
    "a foreign Origin": ({"Origin": "https://example.org"}, 403, "origin_not_allowed"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    "a simple request": ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
}


@pytest.mark.parametrize(("headers", "status", "code"), FOREIGN.values(), ids=FOREIGN)
async def test_pages_of_others_start_nothing(client: Client, headers, status, code) -> None:
    """What a page of another site can send is refused before it is read."""
    response = await client.post(START, content=json.dumps(TASK), headers={**JSON, **headers})

    assert (response.status_code, error_of(response)["code"]) == (status, code)


KEYS = {"empty": b"", "too long": b"k" * 201, "two words": b"a b", "no ASCII": "ä".encode()}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_an_idempotency_key_is_visible_text(client: Client, key: bytes) -> None:
    """A key that cannot be one is refused rather than ignored."""
    response = await client.post(
        START, content=json.dumps(TASK), headers=[(b"Content-Type", b"application/json"), (b"Idempotency-Key", key)]
    )

    assert (response.status_code, error_of(response)["code"]) == (400, "bad_request")


async def test_a_mistake_of_ours_is_told_without_its_words(tmp_path) -> None:
    """What no rule foresees is answered with 500 and the code `internal`, and nothing of the exception."""
    async with flex(tmp_path, Work()) as client:
        client.app.state.lifetime._coordinator = object()
        response = await client.get(f"{ROOT}/runs")

        assert (response.status_code, error_of(response)["code"]) == (500, "internal")
        assert "object" not in response.text


async def test_the_last_event_id_is_one_of_the_run(own: Client) -> None:
    """A Last-Event-ID of another run, or one that is none, is refused."""
    [first, *_] = await own.frames("POST", START, json=TASK)
    run = first["runId"]

    for seen in ("7", f"{run}:", f"{run}:x", "other:1", f"{run}:99999999999"):
        response = await own.get(f"{ROOT}/runs/{run}/stream", headers={"Last-Event-ID": seen})
        assert (response.status_code, error_of(response)["code"]) == (400, "bad_request"), seen


async def test_an_output_contract_that_nothing_can_fulfil_fails_the_run(own: Client) -> None:
    """A schema that no value fits is found out at the latest with the output, and told in the last frame."""
    frames = await own.frames("POST", START, json=_contract({"allOf": [{"type": "string"}, {"type": "integer"}]}))

    assert frames[-1]["type"] == "complete"
    assert frames[-1]["payload"]["status"] == "failed"
    assert set(frames[-1]["payload"]["error"]) == {"code", "message", "details"}


async def test_only_a_run_that_waits_goes_on(own: Client) -> None:
    """Refused are: a run that has ended, one whose question is open, and one whose plan is of another version."""
    done = await own.frames("POST", START, json=TASK)
    waiting = await own.frames("POST", START, json=ASKS)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"runId": done[0]["runId"]}, "finished"),
        ({"runId": waiting[0]["runId"]}, "not_resolved"),
        ({"runId": waiting[0]["runId"], "expectedPlanVersion": 7, "decision": "approved"}, "plan_version_mismatch"),
    ]

    for body, code in cases:
        response = await own.post(f"{ROOT}/run.resume", json=body)
        assert (response.status_code, error_of(response)["code"]) == (409, code)


async def test_the_first_answer_wins(own: Client) -> None:
    """A question is answered once; whoever comes second is told so."""
    [*_, asked, _] = await own.frames("POST", START, json=ASKS)
    answer = {"requestId": asked["payload"]["requestId"], "decision": "approved"}

    first, second = [await own.post(f"{ROOT}/hitl/resolve", json=answer) for _ in range(2)]

    assert first.status_code == 200
    assert (second.status_code, error_of(second)["code"]) == (409, "already_resolved")
