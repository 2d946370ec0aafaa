from __future__ import annotations

import json
import re

import pytest

from otel_agents.bus.hub import Hub
from otel_agents.runtime.flex.http.pages import FOLDER
from otel_agents.runtime.flex.server import create_app
from otel_agents.serve import Observation, routes
from tests.chromium import SHOWN_MS, chromium
from tests.need import require_module
from tests.postgres import Server, postgres, postgres_url  # noqa: F401 - fixtures
from tests.runtime.flex.http.material import ROOT, START, TASK, Work, flex, serving, settings


@pytest.fixture
async def client(tmp_path):
    async with flex(tmp_path) as made:
        yield made


async def test_the_page_loads_nothing_from_elsewhere(client) -> None:
    """The page is served with a policy that allows scripts and styles of the server only, and needs no more."""
    response = await client.get("/")
    policy = response.headers["content-security-policy"]

    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path.name
        assert not re.search(r" style=| on\w+=|innerHTML|eval\(", text), path.name


async def test_every_file_of_the_page_is_served(client) -> None:
    """Each file that the page and its modules name is there, with its media type; no other is."""
    named = {
        each for path in FOLDER.iterdir() for each in re.findall(r"[\"'](?:page/|\./)([\w.]+)[\"']", path.read_text())
    }
    for name in named:
        assert (await client.get(f"/page/{name}")).status_code == 200, name
    assert named == {path.name for path in FOLDER.iterdir()} - {"index.html"}
    assert (await client.get("/page/main.js")).headers["content-type"] == "text/javascript; charset=utf-8"
    for name in ("..%2fserver.py", "server.py", ".hidden", ""):
        assert (await client.get(f"/page/{name}")).status_code == 404


@pytest.fixture
async def browser():
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def shown(browser, tmp_path):
    """A page of the server with what comes along, and what the browser complained of."""
    app = create_app(settings(tmp_path))
    async with serving(app) as client:
        context = await browser.new_context(viewport={"width": 1360, "height": 1000})
        page = await context.new_page()
        page.set_default_timeout(SHOWN_MS)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(str(client.base_url))
        yield page, client
        await context.close()
    assert complaints == []


def _is_complaint(said) -> bool:
    """Whether the browser complains of the page: not when it only notes that a request was refused."""
    return said.type in ("error", "warning") and "the server responded with a status of 4" not in said.text


async def _text(page, selector: str) -> str:
    return str(await page.locator(selector).first.inner_text())


@pytest.mark.proof
async def test_an_operator_starts_a_run_approves_it_and_sees_it_complete(shown, tmp_path) -> None:
    """In a real browser: the sample is started, its nodes are seen, its question is answered, its result is shown."""
    page, client = shown
    await page.click("#envelope-form button[type=submit]")
    await page.wait_for_selector(".question")

    assert await _text(page, ".question .prompt") == "Is this post good enough to publish?"
    assert await _text(page, "#watched-status") == "waits for a human"
    assert await page.locator('.node[data-state="ok"]').count() == 6
    assert await page.locator(".edges path").count() > 0
    answer = page.get_by_role("form", name="Is this post good enough to publish?")
    await answer.get_by_role("button", name="Approve").press("Enter")
    await page.wait_for_selector('#watched-status[data-status="completed"]')
    await page.screenshot(path=tmp_path / "flex-page.png")

    [run] = (await client.get(f"{ROOT}/runs")).json()["runs"]
    frames = await client.frames("GET", f"{ROOT}/runs/{run['runId']}/stream")
    assert await page.locator('.node[data-state="ok"]').count() == await page.locator(".node").count()
    assert await page.locator("#frames > li").count() == len(frames)
    assert json.loads(await _text(page, "#output")) == frames[-1]["payload"]["output"]
    assert await page.locator(".question").count() == 0
    assert (tmp_path / "flex-page.png").stat().st_size > 0


@pytest.mark.proof
async def test_a_reloaded_page_shows_the_run_again(shown) -> None:
    """The address names the run, so that a reload, or somebody else, sees all of its frames."""
    page, _ = shown
    await page.click("#envelope-form button[type=submit]")
    await page.wait_for_selector(".question")
    before = await _text(page, "#frames-count")

    await page.reload()
    await page.wait_for_selector('#watched-status[data-status="awaiting_hitl"]')

    assert await _text(page, "#frames-count") == before


@pytest.mark.proof
async def test_an_operator_rejects_and_the_run_is_seen_to_fail(shown) -> None:
    """A rejection ends the run, and the error stands where the result would."""
    page, _ = shown
    await page.click("#envelope-form button[type=submit]")
    await page.click('.question [data-decision="rejected"]')
    await page.wait_for_selector('#watched-status[data-status="failed"]')

    assert json.loads(await _text(page, "#output"))["error"]["code"] == "rejected"


@pytest.mark.proof
async def test_an_operator_sees_what_he_is_asked_about_and_edits_it(shown) -> None:
    """What the node gave is shown with its run, and is where an edit begins, also when the run was not watched."""
    page, client = shown
    sample = json.loads((FOLDER / "sample.json").read_text())
    (*_, made, _, _, _) = await client.frames("POST", START, json=sample)
    await page.click('.question [data-opens="edited"]')
    expect = require_module("playwright.async_api").expect
    await expect(page.locator(".question [name=value]")).to_have_value(re.compile("^{"))

    output = made["payload"]["output"]
    assert json.loads(await page.input_value(".question [name=value]")) == output
    assert await _text(page, "#result-title") == "What you are asked about"
    assert json.loads(await _text(page, "#output")) == {made["nodeId"]: output}
    await page.click('.question [data-decision="edited"]')
    await page.wait_for_selector('#watched-status[data-status="completed"]')
    assert await _text(page, "#result-title") == "Result"


@pytest.mark.proof
async def test_a_long_queue_hides_nothing_on_a_small_screen(shown) -> None:
    """Runs stay within reach below many questions with long words, and the run that is asked for comes into sight."""
    page, client = shown
    sample = json.loads((FOLDER / "sample.json").read_text())
    sample["policies"]["runtime"][0]["action"]["prompt"] = "<b>Long</b>" * 300
    for _ in range(4):
        await client.frames("POST", START, json=sample)
    await page.set_viewport_size({"width": 375, "height": 700})
    await page.locator(".question").nth(3).wait_for()
    places = (
        "[document.querySelector('#new'), document.querySelector('#run')].map(one => one.getBoundingClientRect().top)"
    )

    assert (await page.evaluate(places))[0] < 700
    assert await page.evaluate("document.documentElement.scrollWidth") == 375
    await page.locator(".question .link").last.click()
    await page.wait_for_selector('#watched-status[data-status="awaiting_hitl"]')
    assert 0 < (await page.evaluate(places))[1] < 350


@pytest.mark.proof
async def test_a_run_is_watched_again_when_the_database_is_back(
    browser,
    tmp_path,
    postgres: Server,  # noqa: F811 - fixture
    postgres_url: str,  # noqa: F811 - fixture
) -> None:
    """A stream that breaks off is no end of its run: the page says so, and reads on; no complaint stays."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work, database_url=postgres_url, lease_s=2.0) as client:
        page = await browser.new_page()
        page.set_default_timeout(SHOWN_MS)
        await page.goto(str(client.base_url))
        await page.fill("#envelope", json.dumps(TASK))
        await page.click("#envelope-form button[type=submit]")
        await page.wait_for_selector('.node[data-state="running"]')
        postgres.stop()
        try:
            await page.wait_for_selector('#connection[data-state="lost"]')
            await page.wait_for_selector("#notice:not([hidden])")
        finally:
            postgres.start()
        work.gate.set()
        await page.wait_for_selector('#watched-status[data-status="completed"]')
        await page.wait_for_selector("#notice", state="hidden")
        assert await _text(page, "#connection") == "The run has ended"
        await page.close()


@pytest.mark.proof
async def test_an_envelope_that_is_refused_is_explained(shown) -> None:
    """What is wrong with an envelope is shown with its places, and the envelope stays to be mended."""
    page, _ = shown
    await page.fill("#envelope", '{"goal": "x"}')
    await page.click("#envelope-form button[type=submit]")
    await page.wait_for_selector("#notice:not([hidden])")

    assert "/goal: " in await _text(page, "#notice")
    assert await page.input_value("#envelope") == '{"goal": "x"}'


@pytest.mark.proof
async def test_the_page_leads_to_the_progress_of_all_runs(browser, tmp_path) -> None:
    """Where the server is observed, a link leads to the page beside this one, which works there as well."""
    observation = Observation(Hub())
    async with serving(create_app(settings(tmp_path), beside=routes(observation))) as client:
        page = await browser.new_page()
        page.set_default_timeout(SHOWN_MS)
        await page.goto(str(client.base_url))
        await page.click("text=Progress of all runs")
        await page.wait_for_selector('#connection[data-state="live"]')
        assert page.url == f"{client.base_url}/progress"
        await page.goto("about:blank")
        observation.close()
        await page.close()


@pytest.mark.proof
async def test_an_operator_logs_in_with_the_token(browser, tmp_path) -> None:
    """With a token the page asks for it once, then works as ever; when the login has ended it asks again."""
    async with serving(create_app(settings(tmp_path), token="sesame")) as client:
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(SHOWN_MS)
        await page.goto(str(client.base_url))
        await page.fill("input", "sesame")
        await page.click("button")
        await page.click("#envelope-form button[type=submit]")
        await page.wait_for_selector(".question")
        await context.clear_cookies()
        await page.wait_for_selector("input[type=password]")
        assert "/login?next=" in page.url
        await context.close()
