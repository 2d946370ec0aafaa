from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

import otel_agents
from otel_agents import pipeline
from otel_agents.config import Config
from tests.serve.serving import serving


async def get(app, path: str, host: str = "localhost", **options) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.get(path, **options)


def loopback(app):
    """Have an app think that the request came to a loopback address, as a server would say."""

    async def wrapped(scope, receive, send):
        await app({**scope, "server": ("127.0.0.1", 80)}, receive, send)

    return wrapped


def test_fifty_scrapes_at_once() -> None:
    """Each of fifty concurrent scrapes gets the whole page, every sample once, with zeros from the start."""
    pipe = pipeline.start(Config())
    pipe.announce("langgraph")
    with serving(pipe.hub, page=pipe.page().text) as served, otel_agents.run("r"):

        async def scrape() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
                return await asyncio.gather(*(client.get("/metrics") for _ in range(50)))

        responses = asyncio.run(scrape())

    assert {response.status_code for response in responses} == {200}
    for response in responses:
        samples = [s for family in text_string_to_metric_families(response.text) for s in family.samples]
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
        assert len(keys) == len(set(keys))
        zeros = {sample.labels["status"] for sample in samples if sample.name == "flex_run_status_total"}
        assert zeros == {"completed", "failed", "cancelled", "awaiting_hitl"}


async def test_a_scraper_chooses_the_format() -> None:
    """Prometheus asks for OpenMetrics and gets it."""
    pipe = pipeline.start(Config())
    with serving(pipe.hub, page=pipe.page().text) as served:
        async with httpx.AsyncClient(base_url=served.url) as client:
            plain = await client.get("/metrics")
            open_metrics = await client.get(
                "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
            )

    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")


async def test_without_metrics_the_page_says_so(served) -> None:
    """An observation without a page answers with a structured error."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        response = await client.get("/metrics")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_metrics")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/health", 405)])
async def test_errors_are_structured(served, method, path, status) -> None:
    """What is not there and what cannot be done are said in the shape of all errors."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        response = await client.request(method, path)

    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message", "details"}


async def test_mounted_on_an_app_of_the_program() -> None:
    """`otel_agents.asgi_app()` is an app to mount; what happens in the program is on it, counted once."""
    app = Starlette(routes=[Mount("/otel", app=otel_agents.asgi_app())])
    with otel_agents.run("r"):
        pass
    ours = loopback(app)

    assert (await get(ours, "/otel/health")).json()["status"] == "healthy"
    page = (await get(ours, "/otel/metrics")).text
    assert [
        line.rpartition(" ")[2] for line in page.splitlines() if 'status="completed"' in line and "count" in line
    ] == ["1.0"]
    assert (await get(app, "/otel/health", host="evil.example")).status_code == 403


async def test_mounted_with_the_token_of_the_settings(monkeypatch) -> None:
    """The token of the environment is the app's, unless another is given; names of the server are given."""
    monkeypatch.setenv("OTEL_AGENTS_TOKEN", "t0ken")
    bearer = {"Authorization": "Bearer t0ken"}
    app = otel_agents.asgi_app(hosts=["agents.example"])

    assert (await get(app, "/health", host="agents.example")).status_code == 401
    assert (await get(app, "/health", host="agents.example", headers=bearer)).status_code == 200
    assert (await get(app, "/health", host="other.example", headers=bearer)).status_code == 403
    other = otel_agents.asgi_app(token="other", hosts=["agents.example"])
    assert (await get(other, "/health", host="agents.example", headers=bearer)).status_code == 401
