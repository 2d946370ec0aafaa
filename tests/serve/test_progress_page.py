from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from otel_agents import pipeline
from otel_agents.adapters.convergence import ADAPTER
from otel_agents.bus.hub import Hub
from otel_agents.runtime.convergence import Answer, Delivery, Gate, Run, Turn
from otel_agents.serve import Observation, board, create_app
from otel_agents.serve.pages import FOLDER
from tests.adapters.converging import Stuck, loop, task
from tests.adapters.watching import watched
from tests.bus.making import event
from tests.chromium import SHOWN_MS, chromium
from tests.serve.serving import Served, serving

FILES = {path.name for path in FOLDER.iterdir()} - {"index.html"}


# What is served


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    """Its policy allows scripts and styles of the server only, and it needs no more."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(Observation(Hub()))), base_url="http://localhost"
    ) as client:
        response = await client.get("/progress")
    policy = response.headers["content-security-policy"]

    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path.name
        assert not re.search(r" style=| on\w+=|innerHTML|eval\(", text), path.name


@pytest.mark.parametrize("mount", ["", "/otel"])
async def test_every_file_of_the_page_is_served_wherever_it_is_mounted(mount: str) -> None:
    """Each file that the page and its modules name is there, beside the page; no other is."""
    served = create_app(Observation(Hub()))
    app = Starlette(routes=[Mount(mount, app=served)]) if mount else served
    named = {
        each
        for path in FOLDER.iterdir()
        for each in re.findall(r"[\"'](?:progress/|\./)([\w.]+)[\"']", path.read_text())
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert named == FILES
        for name in named:
            assert (await client.get(f"{mount}/progress/{name}")).status_code == 200, name
        for name in ("..%2fapp.py", "app.py", ".hidden", "index.htm"):
            assert (await client.get(f"{mount}/progress/{name}")).status_code == 404, name


async def test_the_page_needs_the_token() -> None:
    """A browser is led to the login and back; other programs are refused."""
    app = create_app(Observation(Hub()), token="t0ken")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        led = await client.get("/progress", headers={"Accept": "text/html"})
        refused = await client.get("/progress/main.js")

    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Fprogress")
    assert refused.status_code == 401


# In a browser


@asynccontextmanager
async def browsing(**options: Any) -> AsyncIterator[Any]:
    """Open a browser; at the end nothing must have been complained of."""
    complaints: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(**options)
        page.set_default_timeout(SHOWN_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        seen = list(complaints)
    # What the server refuses is complained of by the browser itself.
    assert [each for each in seen if "WebSocket" not in each and "status of 401" not in each] == []


@asynccontextmanager
async def watching(page: Any, served: Served, query: str = "") -> AsyncIterator[Any]:
    """Open the page; once inside, it shows all that happens."""
    await page.goto(f"{served.url}/progress{query}")
    await page.wait_for_selector('#connection[data-state="live"]')
    yield page


async def words(page: Any, selector: str) -> list[str]:
    """Return what the elements say to who sees them, on one line each."""
    return [" ".join(each.split()) for each in await page.locator(selector).all_inner_texts()]


def kick(served: Served) -> None:
    """Have the server end all conversations, as with clients that are too slow."""
    for client in list(served.observation.board._clients):
        client.is_slow = True
        client.rouse()


def hub() -> Hub:
    pipe = pipeline.active()
    assert pipe is not None
    return pipe.hub


def asking(turn: Turn) -> bool:
    return turn.iteration.number > 1 and turn.ask("Ship it?").is_yes


class Held:
    """A phase that says when it was entered, and goes on when it is told."""

    def __init__(self) -> None:
        self.entered, self.free = asyncio.Event(), asyncio.Event()

    async def __call__(self, turn: Turn) -> str:
        if turn.iteration.number > 1:
            self.entered.set()
            await self.free.wait()
        return "built"


@pytest.mark.proof
async def test_a_run_is_seen_as_it_goes() -> None:
    """Iterations, phases, gates, what a run is told and its delivery stand there while it runs, and at its end."""
    held = Held()
    with watched(ADAPTER, capture="EVENT_ONLY"), serving(hub()) as served:
        async with browsing() as page, watching(page, served):
            going = asyncio.create_task(loop(build=held).run(task()))
            await held.entered.wait()
            run = '[data-run="run-7"]'
            await page.wait_for_selector(f'{run} [data-phase="build"][data-status="running"]')
            assert await words(page, f"{run} h2, {run} .goal, {run} .status") == ["patch", "a green build", "◌ running"]
            assert await words(page, f"{run} dt") == [
                "Iteration", "Running for", "Strategy", "Runtime", "Work order", "Run", "Correlation",
            ]  # fmt: skip
            facts = await words(page, f"{run} dd")
            assert [*facts[:1], *facts[2:]] == ["2 of 3", "until_green", "convergence", "wo-7", "run-7", "corr-7"]
            assert await words(page, f"{run} h3") == ["Iteration 1", "Iteration 2"]
            assert await words(page, f"{run} .outcome") == ["✗ not passed", "◌ running"]
            assert await words(page, f"{run} .phases .name") == ["build", "snapshot", "verify", "feedback", "build"]
            assert await words(page, f"{run} .gates li") == ["✗ failed tests", "✓ passed lint"]
            assert await words(page, f"{run} .feedback") == ["Feedback: mend what a green build needs"]
            assert await words(page, "#counts") == ["1 running"]

            held.free.set()
            await going
            await page.wait_for_selector(f'{run} .status[data-status="succeeded"]')
            assert await words(page, f"{run} .outcome") == ["✗ not passed", "✓ passed"]
            [delivery] = await words(page, f"{run} .delivery")
            assert re.fullmatch(r"✓ ?delivered · .+ · CI green · https://example\.org/pr/7", delivery)
            assert await page.get_attribute(f"{run} .delivery a", "rel") == "noopener noreferrer external"
            assert "3 passed, 1 failed" in await words(page, f"{run} dd")
            assert await words(page, "#counts") == ["0 running · 1 succeeded"]


@pytest.mark.proof
async def test_every_ending_is_told_apart() -> None:
    """Failed, canceled, waiting for a human, and on again after the answer: by words, not by colours alone."""
    stuck = Stuck()
    with watched(ADAPTER), serving(hub()) as served:
        async with browsing(color_scheme="dark") as page, watching(page, served):
            await loop(gates=[Gate("g", lambda turn: False)]).run(task(run_id="fails", max_iterations=1))
            stopped = loop(build=stuck).start(task(run_id="stops"))
            going = asyncio.create_task(stopped.go())
            await stuck.entered.wait()
            stopped.cancel("operator")
            await going
            paused = loop(gates=[Gate("approval", asking)]).start(task(run_id="asks"))
            await paused.go()
            await page.wait_for_selector('[data-run="asks"] .status[data-status="paused"]')

            assert await words(page, "#runs .status") == ["‖ waits for a human", "⊘ canceled", "✗ failed"]
            assert await words(page, '[data-run="stops"] .outcome') == ["⊘ stopped"]
            assert await words(page, '[data-run="asks"] .outcome') == ["✗ not passed", "‖ waits for a human"]
            assert await words(page, "#counts") == ["0 running · 1 waiting for a human · 1 failed · 1 canceled"]

            paused.answer(Answer("approved"))
            await paused.go()
            await page.wait_for_selector('[data-run="asks"] .status[data-status="succeeded"]')
            assert await words(page, '[data-run="asks"] .outcome') == ["✗ not passed", "✓ passed"]


@pytest.mark.proof
async def test_who_opens_the_page_late_or_anew_sees_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that go on are there; a filter leaves others out; what ended unseen is not shown as if it ran."""
    held, other = Held(), Held()
    with watched(ADAPTER), serving(hub()) as served:
        both = [
            loop(build=held).start(task(run_id="a")),
            loop(build=other).start(task(run_id="b", work_order_id="wo-8")),
        ]
        going = [asyncio.create_task(run.go()) for run in both]
        await asyncio.gather(held.entered.wait(), other.entered.wait())
        hub().flush()
        async with browsing() as page, watching(page, served):
            await page.wait_for_selector('[data-run="b"] [data-status="running"]')
            assert await words(page, "#runs h3") == ["Iteration 2", "Iteration 2"]

            async with watching(page, served, "?workOrderId=wo-8"):
                await page.wait_for_selector('[data-run="b"] [data-status="running"]')
                assert await words(page, "#filter") == ["Only workOrderId wo-8. Show all runs"]
                assert await page.locator("#runs > li").count() == 1
                await page.click("#filter a")
                await page.wait_for_selector('[data-run="a"] [data-status="running"]')

            monkeypatch.setattr(board, "MAX_CLIENTS", 0)
            kick(served)
            await page.wait_for_selector('#connection[data-state="lost"]')
            held.free.set()
            await going[0]
            hub().flush()
            monkeypatch.undo()
            await page.wait_for_selector('[data-run="a"] .status[data-status="lost"]')
            assert await words(page, "#runs .status") == ["◌ running", "? out of sight"]
            assert await words(page, "#connection") == ["Live"]
            assert await words(page, "#notice") == [
                "The connection was lost for a while. What happened meanwhile is missing here."
            ]
            other.free.set()
            await going[1]
            await page.wait_for_selector('[data-run="b"] .status[data-status="succeeded"]')


@pytest.mark.proof
async def test_nothing_that_a_run_says_becomes_markup() -> None:
    """Names, goals, feedback, gates and addresses of a run are text; an address that is none of the web is no link."""
    evil = "<img src=x onerror=alert(1)>"
    deliver = Delivery(pr_url="javascript:alert(1)", ci_status=evil)
    with watched(ADAPTER, capture="EVENT_ONLY"), serving(hub()) as served:
        async with browsing() as page, watching(page, served):
            gates = [Gate(evil, lambda turn: turn.iteration.number > 1)]
            one: Run = loop(name=evil, gates=gates, feedback=lambda turn: evil, deliver=lambda turn: deliver).start(
                task(goal=evil, run_id=evil, work_order_id=evil)
            )
            await one.go()
            await page.wait_for_selector('.status[data-status="succeeded"]')

            assert await words(page, "h2, .goal") == [evil, evil]
            assert await page.locator("main img, .delivery a").count() == 0
            assert (await words(page, ".delivery"))[0].endswith(f"CI {evil} · javascript:alert(1)")


@pytest.mark.proof
async def test_a_run_that_begins_anew_under_its_id_is_shown_anew() -> None:
    """What came of it the time before is neither shown nor added up."""
    with serving() as served:
        async with browsing() as page, watching(page, served):
            for numbers in ((1, 2), (1,)):
                served.hub.publish(event("start", payload={"name": "nightly"}))
                for number in numbers:
                    served.hub.publish(event("iteration_started", payload={"iteration": number}))
                    ended = {"iteration": number, "success": number > 1}
                    served.hub.publish(event("iteration_completed", duration_ms=500, payload=ended))
                served.hub.publish(event("complete", status="failed", duration_ms=2000))
                await page.wait_for_function(f"() => document.querySelectorAll('h3').length === {len(numbers)}")
                await page.wait_for_selector('.status[data-status="failed"]')

            assert await words(page, ".facts dd:nth-of-type(1)") == ["1", "2.0 s", "flex", "run-1", "corr-1"]
            assert await words(page, ".outcome") == ["✗ not passed"]


TOO_WIDE = """() => [...document.querySelectorAll(".phases li, .gates li")]
    .filter(one => one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 1).length"""


@pytest.mark.proof
async def test_many_runs_at_once_hold_nobody_up() -> None:
    """A picture of them has the page laid out a few times, not once for each; no name is too long for its place."""
    runs, long = [f"r-{number}" for number in range(200)], "long" * 100
    with serving() as served:
        async with browsing() as page, watching(page, served):
            devtools = await page.context.new_cdp_session(page)
            await devtools.send("Performance.enable")

            async def layouts() -> float:
                known = (await devtools.send("Performance.getMetrics"))["metrics"]
                return {each["name"]: each["value"] for each in known}["LayoutCount"]

            before = await layouts()
            for run_id in runs:
                for type_, payload in (
                    ("start", {"name": run_id}),
                    ("iteration_started", {"iteration": 1}),
                    ("phase_started", {"iteration": 1, "phase": long}),
                    ("gate_checked", {"iteration": 1, "gate": long, "passed": False}),
                ):
                    served.hub.publish(event(type_, run_id=run_id, payload=payload))
            await page.wait_for_function("() => document.querySelectorAll('.gates li').length === 200")
            assert await layouts() - before < len(runs)
            assert await page.evaluate(TOO_WIDE) == 0


@pytest.mark.proof
async def test_a_person_logs_in_and_is_led_on() -> None:
    """With a token the page asks for it once; when the login has ended it asks again."""
    with serving(token="t0ken") as served:
        async with browsing() as page:
            await page.goto(f"{served.url}/progress?runId=r-1")
            await page.fill("input", "t0ken")
            await page.click("button")
            await page.wait_for_selector('#connection[data-state="live"]')
            assert page.url == f"{served.url}/progress?runId=r-1"
            await page.context.clear_cookies()
            kick(served)
            await page.wait_for_selector("input[type=password]")
            assert page.url == f"{served.url}/login?next=%2Fprogress%3FrunId%3Dr-1"
