from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_agents
from otel_agents import pipeline
from otel_agents.config import Config
from otel_agents.serve.sampler import FORMATS, OTHER, Sampler
from tests.serve.serving import Served, serving, until

JSON = {"Content-Type": "application/json"}


def busy_in_a_function_of_its_own(until_set: threading.Event) -> None:
    while not until_set.is_set():
        sum(range(1000))


@pytest.fixture
def busy():
    """A thread of the program that is busy."""
    done = threading.Event()
    thread = threading.Thread(target=busy_in_a_function_of_its_own, args=(done,), name="worker")
    thread.start()
    yield
    done.set()
    thread.join()


async def post(served: Served, query: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        return await client.post(f"/profile{query}", headers={**JSON, **headers})


def frames_of(speedscope: str) -> set[str]:
    return {frame["name"] for frame in json.loads(speedscope)["shared"]["frames"]}


async def test_a_report_of_the_running_program(served, busy) -> None:
    """The answer is a page that shows where the program's threads were, ours left out."""
    response = await post(served, "?seconds=0.3")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "busy_in_a_function_of_its_own" in response.text
    assert "otel-agents-serve" not in response.text


@pytest.mark.parametrize(("query", "accept"), [("&format=speedscope", "*/*"), ("", "application/json")])
async def test_speedscope(served, busy, query, accept) -> None:
    """By parameter or `Accept` the answer is JSON for speedscope."""
    response = await post(served, f"?seconds=0.3{query}", Accept=accept)

    assert response.headers["content-type"] == "application/json"
    assert {"worker", "busy_in_a_function_of_its_own"} <= frames_of(response.text)


@pytest.mark.parametrize("query", ["?seconds=0", "?seconds=121", "?seconds=nan", "?seconds=x", "?seconds=1&format=pdf"])
async def test_bad_wishes(served, query) -> None:
    """What cannot be profiled is said at once."""
    response = await post(served, query)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


async def test_one_at_a_time(served) -> None:
    """While one profile runs another is refused; then the next is taken. Who leaves ends the own one."""
    first = asyncio.create_task(post(served, "?seconds=60"))
    await until(lambda: any(thread.name == "otel-agents-profile" for thread in threading.enumerate()))
    refused = await post(served, "?seconds=1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "profile_running")
    first.cancel()
    await until(lambda: not any(thread.name == "otel-agents-profile" for thread in threading.enumerate()))

    async def again() -> int:
        return (await post(served, "?seconds=0.1")).status_code

    statuses = [await again() for _ in range(3)]
    assert statuses[-1] == 200


async def test_only_by_post_and_as_json(served) -> None:
    """A link or a form of another site starts no profile."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        assert (await client.get("/profile?seconds=1")).status_code == 405
        assert (await client.post("/profile?seconds=1", data={"a": "b"})).status_code == 415


async def test_spans_of_that_time_name_the_profile() -> None:
    """Spans that start meanwhile and those that are open carry the id; those before and after do not."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    pipe = pipeline.start(Config(), tracer_provider=provider)
    with serving(pipe.hub, mark=pipe.mark) as served:
        with otel_agents.run("before"):
            pass
        with otel_agents.run("around"):
            asking = asyncio.create_task(post(served, "?seconds=0.5"))
            await until(lambda: pipe.spans._profile_id)
            with otel_agents.node("inside"):
                pass
            response = await asking
        with otel_agents.run("after"):
            pass

    found = {span.name: (span.attributes or {}).get("otel_agents.profile.id") for span in exporter.get_finished_spans()}
    profile_id = response.headers["x-profile-id"]
    assert found == {
        "flex.run before": None,
        "flex.node inside": profile_id,
        "flex.run around": profile_id,
        "flex.run after": None,
    }
    provider.shutdown()


def _reports(*threads: threading.Thread) -> tuple[str, str]:
    """Return what is said of threads while they run: as a page, and for speedscope."""
    for thread in threads:
        thread.start()
    sampler = Sampler(interval_s=0.001)
    sampler.start()
    time.sleep(0.2)
    session = sampler.stop()
    page, speedscope = (FORMATS[form][1](session) for form in ("html", "speedscope"))
    return page, speedscope


def test_what_the_program_calls_its_threads_is_text() -> None:
    """It neither ends the script that the page has it in, nor the frame."""
    done = threading.Event()
    page, speedscope = _reports(threading.Thread(target=done.wait, name="</script><script>alert(1)<!--\x00\x01"))
    done.set()

    assert "< /script><script>alert(1)< !--" in page
    assert "</script><script>alert" not in page
    assert "< /script><script>alert(1)< !--  " in frames_of(speedscope)


def test_threads_without_a_name_are_one_where_they_do_the_same() -> None:
    """A server may have one for each request."""
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    _, speedscope = _reports(*threads, threading.Thread(target=done.wait, name="Thread-1 of ours"))
    done.set()

    roots = {name for name in frames_of(speedscope) if name.startswith("Thread") and "." not in name}
    assert roots >= {"Thread (wait)", "Thread-1 of ours"}
    assert not any(name.startswith("Thread-") and name.endswith(")") for name in roots)


def test_what_is_kept_is_bounded(busy) -> None:
    """However many stacks a program has, so many are kept; the rest is one, with its time."""
    sampler = Sampler(interval_s=0.001, max_stacks=1)
    sampler.start()
    time.sleep(0.2)
    session = sampler.stop()

    stacks = [tuple(stack) for stack, _ in session.frame_records]
    assert len(stacks) == 2
    assert OTHER in stacks
    assert sum(spent for _, spent in session.frame_records) > 0.2
    for _, render in FORMATS.values():
        assert "_other" in render(session)
