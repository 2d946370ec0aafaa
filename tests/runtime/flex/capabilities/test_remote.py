"""Capabilities behind an OpenAI-compatible endpoint, asked over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import Capability, CapabilityError, Task
from otel_agents.runtime.flex.capabilities.configured import from_config
from otel_agents.runtime.flex.capabilities.remote import Endpoint, remote, retry_after
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.facets import FACETS, ContextBundle
from otel_agents.runtime.flex.settings import SettingsError

Reply = tuple[int, dict[str, str], bytes]
RESEARCH = {"research": {"topic": "Fleet", "facts": ["It is fast."]}}


class _Server(ThreadingHTTPServer):
    """Answers each request with what the test says, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, reply: Callable[[], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.reply = reply
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        status, headers, answer = self.server.reply()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(answer)
        except ConnectionError:  # a client that had enough
            pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _serving(reply: Callable[[], Reply]) -> Iterator[_Server]:
    server = _Server(reply)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(content: object, **choice: Any) -> bytes:
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, **choice}]}).encode()


def _ok(content: object, **choice: Any) -> Callable[[], Reply]:
    return lambda: (200, {}, _completion(content, **choice))


def _url(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def _capability(server: _Server, **more: Any) -> Capability:
    endpoint = Endpoint(url=_url(server), model="small-1", system="You research.", **more)
    return remote("ask", endpoint, facets=FACETS, input=("objective", "inputs"), output=("research",))


async def _ask(capability: Capability, **more: Any) -> Mapping[str, Any]:
    bundle = ContextBundle("Find it", {"objective": "Find it", "inputs": {"a": 1}}, ("Be brief",), {})
    found = capability.run(Task("r", "n", 1, bundle, **more))
    assert not isinstance(found, Mapping)
    return await found


async def test_a_model_is_asked_for_the_output_facets(monkeypatch) -> None:
    """One request in the endpoint's format, with key, schema, instructions and feedback; the facets come back."""
    monkeypatch.setenv("TEST_MODEL_KEY", "s3cret")
    with _serving(_ok(RESEARCH)) as server:
        found = await _ask(_capability(server, key_env="TEST_MODEL_KEY"), feedback="More facts")

    assert found == RESEARCH
    [(path, authorization, body)] = server.asked
    assert (path, authorization) == ("/v1/chat/completions", "Bearer s3cret")
    assert body == {
        "model": "small-1",
        "messages": [
            {
                "role": "system",
                "content": "You research.\n"
                "Answer with one JSON object that keeps the given schema, and with nothing else.\nBe brief",
            },
            {"role": "user", "content": '{"objective": "Find it", "inputs": {"a": 1}}'},
            {"role": "user", "content": "Feedback on the answer before: More facts"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "facets",
                "schema": {
                    "type": "object",
                    "properties": {"research": FACETS["research"].schema},
                    "required": ["research"],
                    "additionalProperties": False,
                },
            },
        },
    }


@pytest.mark.parametrize("around", ["{}", "{}\nI hope that this helps!", "Here it is:\n\n{}\n"])
async def test_a_fence_around_the_answer_is_taken_off(around) -> None:
    """Small models like to write one, and a word before or after it; a fence inside of the answer stays."""
    answer = {**RESEARCH, "research": {**RESEARCH["research"], "topic": "```sh\nls\n```"}}
    for found in (RESEARCH, answer):
        with _serving(_ok(around.replace("{}", f"```json\n{json.dumps(found)}\n```"))) as server:
            assert await _ask(_capability(server)) == found


async def test_an_endpoint_has_time_to_recover() -> None:
    """Where it does not say when to come back, attempts are a second and more apart."""
    with _serving(_ok("{}")) as server:
        assert _capability(server).backoff_s == 1.0


@pytest.mark.parametrize(
    ("reply", "message", "retryable", "after"),
    [
        ((429, {"Retry-After": "7"}, b""), "The endpoint answered with status 429", True, 7.0),
        ((503, {}, b"s3cret"), "The endpoint answered with status 503", True, None),
        ((400, {}, b"s3cret"), "The endpoint answered with status 400", False, None),
        ((401, {"Retry-After": "soon"}, b""), "The endpoint answered with status 401", False, None),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "The endpoint answered with status 302", False, None),
        ((200, {}, b"<html>"), "The answer is no chat completion", True, None),
        ((200, {}, b'{"choices": []}'), "The answer is no chat completion", True, None),
        ((200, {}, b"[" * 100_000), "The answer is no chat completion", True, None),
        ((200, {}, _completion(None)), "The model refused to answer", False, None),
        ((200, {}, _completion("I cannot")), "The model did not answer with JSON", True, None),
        ((200, {}, _completion("[1]")), "The model did not answer with a JSON object", True, None),
        ((200, {}, _completion('{"a', finish_reason="length")), "The answer was cut off", True, None),
        ((200, {}, b" " * 4_000_001), "The answer is longer than 4000000 bytes", False, None),
    ],
)
async def test_what_goes_wrong_says_whether_trying_again_may_help(reply, message, retryable, after) -> None:
    """And never repeats what the endpoint said, which may hold the request."""
    with _serving(lambda: reply) as server, pytest.raises(CapabilityError) as caught:
        await _ask(_capability(server))

    assert (str(caught.value), caught.value.retryable, caught.value.retry_after_s) == (message, retryable, after)
    assert len(server.asked) == 1


async def test_an_endpoint_that_is_not_there_may_come_back() -> None:
    """A connection that is refused is tried again."""
    with _serving(_ok(RESEARCH)) as server:
        capability = _capability(server)
    with pytest.raises(CapabilityError, match="The endpoint cannot be reached: ConnectError") as caught:
        await _ask(capability)
    assert caught.value.retryable


async def test_an_endpoint_that_is_silent_is_given_up() -> None:
    """The limit is on the whole request."""
    release = threading.Event()

    def reply() -> Reply:
        release.wait()
        return 200, {}, b""

    with _serving(reply) as server:
        with pytest.raises(CapabilityError, match=r"The endpoint gave no answer within 0\.2 s"):
            await _ask(_capability(server, timeout_s=0.2))
        release.set()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3.5", 3.5),
        ("-1", 0.0),
        ("1e9", 300.0),
        ("nan", None),
        ("soon", None),
        ("Fri, 27 Nov 2026 15:00:10 GMT", 10.0),
        ("Fri, 27 Nov 2026 14:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Within five minutes; what is neither is as if it were not there."""
    assert retry_after(header, datetime(2026, 11, 27, 15, tzinfo=UTC)) == seconds


CONFIG = """
version: 1
facets:
  - name: forecast
    title: Forecast
    schema: {type: object, required: [temperature]}
capabilities:
  - id: weather
    label: Weather
    kind: tool
    url: URL
    model: small-1
    system: You know the weather.
    keyEnv: TEST_MODEL_KEY
    input: [inputs]
    optionalInput: [research]
    output: [forecast]
    timeoutSeconds: 5
    attempts: 2
"""


async def test_capabilities_are_configured_in_a_file(tmp_path, monkeypatch) -> None:
    """With facets of their own; they stand beside those that came along."""
    monkeypatch.setenv("TEST_MODEL_KEY", "s3cret")
    with _serving(_ok({"forecast": {"temperature": 21}})) as server:
        path = tmp_path / "capabilities.yaml"
        path.write_text(CONFIG.replace("URL", _url(server)))
        registry = from_config(path, shipped())
        weather = registry.get("weather")
        found = await _ask(weather)

    assert (weather.label, weather.kind, weather.timeout_s, weather.attempts) == ("Weather", "tool", 5.0, 2)
    assert (weather.input, weather.optional_input, weather.output) == (("inputs",), ("research",), ("forecast",))
    assert registry.output_schema("weather").details(found) == ()
    assert "s3cret" not in repr(weather)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is neither YAML nor JSON. See the page on capabilities."),
        ("[]", "the whole: Input should be a valid dictionary or instance of _File"),
        ("{version: 2}", "version: Input should be 1"),
        ("{version: 1, facets: [{name: A, title: a, schema: {}}]}", "String should match pattern"),
        ("{version: 1, facets: [{name: draft, title: a, schema: {}}]}", "there is a facet 'draft' already"),
        (CONFIG, "capabilities.0.url: String should match pattern"),
        (CONFIG.replace("URL", "http://x"), "has its key in TEST_MODEL_KEY, which is not set; set it"),
        (CONFIG.replace("URL", "http://x").replace("[forecast]", "[rain]"), "TEST_MODEL_KEY"),
        (
            CONFIG.replace("URL", "http://x").replace("keyEnv: TEST_MODEL_KEY", "").replace("[forecast]", "[rain]"),
            "capability 'weather' names facet 'rain'; add it to `facets`",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path, text: str, said: str) -> None:
    """A mistake at start is told at start."""
    path = tmp_path / "capabilities.yaml"
    path.write_text(text)

    with pytest.raises(SettingsError) as caught:
        from_config(path, shipped())
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path) -> None:
    """With its name."""
    with pytest.raises(SettingsError, match="cannot be read"):
        from_config(tmp_path / "none.yaml", shipped())
