from __future__ import annotations

import pytest

from tests.bus.making import event
from tests.chromium import SHOWN_MS, chromium
from tests.serve.serving import serving, until

WATCH = """() => {
  window.seen = [];
  const events = new EventSource("/events?types=complete");
  events.onopen = () => window.seen.push("stream");
  events.addEventListener("complete", each => window.seen.push(JSON.parse(each.data).status));
  const progress = new WebSocket(`ws://${location.host}/ws`);
  progress.onopen = () => window.seen.push("socket");
  progress.onmessage = ({data}) => {
    const event = JSON.parse(data);
    if (event.type === "iteration:completed") window.seen.push([event.iteration, event.success, event.durationMs]);
    if (event.type === "run:completed") window.seen.push([event.result, event.metrics.iterationCount]);
  };
}"""


@pytest.fixture
async def page():
    async with chromium() as browser:
        opened = await browser.new_page()
        opened.set_default_timeout(SHOWN_MS)
        yield opened


async def test_a_person_logs_in_and_watches(page) -> None:
    """A browser is asked for the token, refused a wrong one, led on after the right one; stream and socket work."""
    with serving(token="t0ken") as served:
        await page.goto(f"{served.url}/health")
        await page.fill("input", "wrong")
        await page.click("button")
        await page.get_by_text("this is not the token").wait_for()
        await page.fill("input", "t0ken")
        await page.click("button")
        await page.wait_for_url(f"{served.url}/health")
        assert '"status":"healthy"' in await page.content()

        await page.evaluate(WATCH)
        await page.wait_for_function("window.seen.length === 2")
        payload = {"iteration": 2, "success": False}
        served.hub.publish(event("iteration_completed", payload=payload, duration_ms=12.5))
        served.hub.publish(event("complete", status="completed", payload={"metrics": {"iterationCount": 2}}))
        await page.wait_for_function("window.seen.length === 5")
        seen = await page.evaluate("window.seen")
        await page.goto("about:blank")
        await until(lambda: served.observation.board.clients()["watching"] == 0)

    assert sorted(map(str, seen)) == sorted(
        map(str, ["stream", "socket", [2, False, 12.5], "completed", ["succeeded", 2]])
    )


async def test_another_sites_page_cannot_watch(page) -> None:
    """A page of another port gets neither the events nor the socket, although a browser sends it the cookie."""
    with serving(token="t0ken") as served, serving(token="other") as other:
        await page.goto(f"{served.url}/login?next=//evil.example/")
        await page.fill("input", "t0ken")
        await page.click("button")
        await page.wait_for_url(f"{served.url}/")
        blocked = """async url => {
          const fetched = await fetch(url + "/health", {credentials: "include"}).then(() => "got", () => "refused");
          const socket = new WebSocket(url.replace("http", "ws") + "/ws");
          const opened = await new Promise(done => {
            socket.onopen = () => done("got");
            socket.onerror = () => done("refused");
          });
          return [fetched, opened];
        }"""
        await page.goto(f"{other.url}/health/live")

        assert await page.evaluate(blocked, served.url) == ["refused", "refused"]
