"""The pages of the simulator in a real browser: what happens shows while it happens, and the API can be read and tried."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml import RunwayClient
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .media import clip

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
TOKEN = "user:4242-abcdef"
pytestmark = [
    pytest.mark.slow,  # on another Python the browser sees nothing that test_simulator_live.py does not
    pytest.mark.skipif(not (CHROMIUM or os.environ.get("CI")), reason="there is no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Simulator(task_seconds=60), clock=RunningClock(30)) as running:
        yield running


class Page:
    """A page, and whatever its console complains of."""

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        self.complaints: list[str] = []
        self.page = browser.new_page(**settings)
        self.page.on("console", lambda told: told.type in ("error", "warning") and self.complaints.append(told.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        self.page.close()
        if kind is None:
            assert self.complaints == []


def create(server: SimulatorServer, prompt: str, **more: Any) -> str:
    with RunwayClient(TOKEN, base_url=server.base_url) as runway:
        asset = runway.assets.upload(
            io.BytesIO(clip(160, 100, seconds=2, codec="libx264")), name="clip.mp4", media_type="video/mp4"
        )
        return str(runway.video_to_video.create(asset_id=str(asset.asset_id), text_prompt=prompt, **more).task_id)


def test_a_job_is_seen_from_its_beginning_to_its_video(browser: Any, server: SimulatorServer) -> None:
    """Without a reload its card comes, goes to SUCCEEDED, and its video plays; accounts and requests follow."""
    with Page(browser, server.origin) as page:
        page.wait_for_selector("#connection.good")
        task_id = create(server, "<b>as</b> a watercolour", reply_ref='"><script>alert(1)</script>')
        card = page.locator(f'[data-task="{task_id}"]')
        card.wait_for()
        assert card.locator(".prompt").inner_text() == "<b>as</b> a watercolour"
        assert "1 of 5 slots" in page.locator("#accounts").inner_text()
        assert card.locator(".cost").inner_text() == "50 credits"
        server.simulator.state.tasks[task_id].cost = None
        page.wait_for_function("() => document.querySelector('.cost').innerText === 'price unknown'")
        card.locator(".status.SUCCEEDED").wait_for(timeout=20_000)
        video = card.locator("video.result")
        video.wait_for()
        assert video.evaluate("each => each.play().then(() => true)")
        page.wait_for_function("() => document.querySelector('video.result').currentTime > 0")
        assert "createVideoToVideo" in page.locator("#requests").inner_text()
        assert page.locator("script").count() == 1


def test_faults_and_time_are_steered(browser: Any, server: SimulatorServer) -> None:
    """By keyboard: a fault is switched on, hits, and is switched off; the clock jumps and stands still."""
    with Page(browser, server.origin) as page:
        page.wait_for_selector("#connection.good")
        page.select_option("select[name=kind]", "status")
        page.select_option("select[name=operation]", "listScheduler")
        page.focus("#fault button")
        page.keyboard.press("Enter")
        page.locator("#faults li").wait_for()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"{server.base_url}/scheduler/", headers=headers).status_code == 503
        page.wait_for_function("() => document.querySelector('#faults').innerText.includes('hit 1 of 1')")
        page.focus("#faults button")
        page.keyboard.press("Enter")
        page.locator("#faults li").wait_for(state="detached")
        assert httpx.get(f"{server.base_url}/scheduler/", headers=headers).status_code == 200
        page.click("#pause")
        page.wait_for_selector("#pause[aria-pressed=true]")
        before = server.clock.now()
        page.fill("input[name=advance]", "3600")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('#speed').textContent === 'paused'")
        page.wait_for_timeout(300)
        assert server.clock.now() == before + 3600


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_it_fits_its_window(browser: Any, server: SimulatorServer, tmp_path: Path, width: int, scheme: Any) -> None:
    """Nothing is wider than the window, on a telephone and on a desk, by day and by night."""
    create(server, "x" * 200, reply_ref="row-1")
    size = {"width": width, "height": 900}
    for path in ("/", "/docs"):
        with Page(browser, server.origin + path, viewport=size, color_scheme=scheme) as page:
            page.wait_for_selector(".card, details.operation")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=str(tmp_path / f"{path.strip('/') or 'page'}-{width}-{scheme}.png"), full_page=True)


def test_the_api_is_read_and_tried(browser: Any, server: SimulatorServer) -> None:
    """Every operation is there, and one is sent to the simulator itself."""
    with Page(browser, f"{server.origin}/docs") as page:
        page.wait_for_selector("details.operation")
        for operation in server.simulator.contract.operations:
            assert page.locator(f"#{operation}").count() == 1
        page.click("#getFeatures > summary")
        page.click("#getFeatures form button")
        page.wait_for_function(
            "() => document.querySelector('#getFeatures form pre:not([hidden])')?.textContent.includes('numPlanCredits')"
        )
        assert "200" in page.locator("#getFeatures [role=status]").inner_text()
