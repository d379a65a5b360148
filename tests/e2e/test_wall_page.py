"""The wall page in a real browser, fed from a real Redis: what is on it, that it can be read from afar, and its age.

With ``SALESPULSE_SCREENSHOTS=DIR`` the pictures are kept there.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from agents.brokers import RedisServer
from agents.wall import WallServer, start_wall
from schemas.catalogue import KPIS
from schemas.kpi import KpiValue
from schemas.settings import Settings, settings_from
from streams.redis_view import RedisSink
from tests.browser import Browser, Page
from tests.e2e.sales_day import values_at
from tests.publications import kpi_value, publication

STEPS: Final = 20
QUARTER_MS: Final = 15 * 60_000
SMALLEST_NUMBER_PX: Final = 96  # 72 points
SMALLEST_LABEL_PX: Final = 32

# Of all visible texts: the smallest size, and those that run out of their box or off the screen.
TEXTS: Final = """(() => {
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const owner = walker.currentNode.parentElement;
    const style = getComputedStyle(owner);
    if (!text || style.visibility !== "visible" || !owner.offsetParent && owner.tagName !== "SPAN") continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    seen.push({ text, px: parseFloat(style.fontSize), number: Boolean(owner.closest(".number")),
      cut: owner.scrollWidth > owner.clientWidth + 1 && owner.clientWidth > 0,
      off: box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight });
  }
  return seen;
})()"""
TILES: Final = """Object.fromEntries([...document.querySelectorAll(".shown .tile")].map((tile) => [tile.dataset.kpi, {
  number: tile.querySelector(".number").textContent, exact: tile.querySelector(".exact").textContent,
  compare: tile.querySelector(".compare").textContent, tone: tile.querySelector(".compare").dataset.tone,
  arrow: tile.querySelector(".compare svg")?.dataset.arrow ?? null,
  trend: tile.querySelector(".trend canvas") !== null }]))"""
STATE: Final = "document.body.dataset.state"


class Floor:
    """A sales floor whose pipeline is us: publishes what it is told, once a second, until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self.sink = RedisSink(settings)
        self.extra: list[KpiValue] = []
        self._position = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def morning(self) -> None:
        """The day so far, a quarter of an hour a step."""
        start_ms = now_ms() - STEPS * QUARTER_MS
        for step in range(STEPS):
            await self._say(step, start_ms + step * QUARTER_MS)
            assert await self.sink.flush(), self.sink.problem

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self.sink.run()), asyncio.create_task(self._day())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _day(self) -> None:
        while True:
            await self._say(STEPS, now_ms())
            await asyncio.sleep(0.25)

    async def _say(self, step: int, clock_ms: int) -> None:
        self._position += 1
        values = {(v.kpi, v.window, str(v.dimensions)): v for v in [*values_at(step, clock_ms), *self.extra]}
        said = publication(
            values.values(),
            position=self._position,
            clock_ms=clock_ms,
            watermark_ms=clock_ms - 10_000,
            complete=self._position == 1,
        )
        await self.sink.publish(said)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def later(kpi: str, window: str, value: float | None, dimensions: Mapping[str, str] | None = None) -> KpiValue:
    """A value that stands against those of the day."""
    return kpi_value(kpi, window, dimensions, value=value, revision=10_000, end_ms=now_ms() + 3_600_000)


@asynccontextmanager
async def floor_with_wall(
    server: RedisServer, chromium: str, **sections: dict[str, Any]
) -> AsyncIterator[tuple[Floor, WallServer, Browser]]:
    redis = {"url": server.url, "prefix": f"t{uuid.uuid4().hex[:8]}", **sections.pop("redis", {})}
    settings = settings_from({"redis": redis, "http": {"port": 0}, **sections})
    floor, wall = Floor(settings), await start_wall(settings)
    try:
        await floor.morning()
        async with Browser(chromium) as browser:
            await floor.open()
            yield floor, wall, browser
    finally:
        await floor.stop()
        await wall.stop()
        await floor.sink.close()


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str], Path]:
    """Where a picture goes."""
    home = Path(os.environ.get("SALESPULSE_SCREENSHOTS", tmp_path))
    return lambda name: home / f"wall-{name}.png"


async def assert_readable(page: Page) -> None:
    texts = await page.evaluate(TEXTS)
    assert len(texts) > 10
    assert not [text for text in texts if text["cut"] or text["off"]]
    assert not [text for text in texts if text["px"] < SMALLEST_LABEL_PX]
    assert not [text for text in texts if text["number"] and text["px"] < SMALLEST_NUMBER_PX]
    scrolls = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert await page.evaluate(scrolls) == [1920, 1080]


@pytest.mark.asyncio
async def test_tiles_show_numbers_exact_values_comparison_and_trend(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path]
) -> None:
    async with floor_with_wall(valkey, chromium) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=1")
        await page.wait_for(f"{STATE} === 'live' && document.querySelectorAll('.trend canvas').length === 8")
        tiles = await page.evaluate(TILES)
        assert len(tiles) == 8
        shown = {key: tiles["revenue"][key] for key in ("compare", "tone", "arrow", "trend")}
        assert shown == {"compare": "up 18.0%", "tone": "good", "arrow": "up", "trend": True}
        expected = {v.kpi: v for v in values_at(STEPS, 0) if v.window == "today" and not v.dimensions}
        assert tiles["revenue"]["exact"] == f"{expected['revenue'].value:,.2f} USD"
        assert tiles["revenue"]["number"] == f"{expected['revenue'].value:,.0f}"
        assert tiles["deals_won"]["number"] == str(expected["deals_won"].value)
        rate = expected["win_rate"]
        assert tiles["win_rate"]["number"] == f"{100 * (rate.value or 0):.2f}%"
        assert tiles["win_rate"]["exact"] == f"{rate.numerator} of {rate.denominator}"
        assert (tiles["win_rate"]["arrow"], tiles["win_rate"]["tone"]) == ("down", "bad")
        assert tiles["win_rate"]["compare"].startswith("down ")
        assert (tiles["active_customers"]["arrow"], tiles["active_customers"]["tone"]) == ("flat", "none")
        assert await page.evaluate("document.getElementById('quality').textContent") == "live"
        await assert_readable(page)
        await page.screenshot(keep("tiles"))
        assert all(url.startswith(wall.url) for url in page.requests), page.requests
        assert page.errors == []
        config = "import('/static/js/config.js').then((m) => [...m.TILES, ...m.FUNNEL].map((item) => item.kpi))"
        assert set(await page.evaluate(config)) <= {kpi.name for kpi in KPIS if kpi.has_global}


@pytest.mark.asyncio
@pytest.mark.parametrize("window", ["ytd", "all"])
async def test_any_window_can_be_asked_for(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path], window: str
) -> None:
    async with floor_with_wall(valkey, chromium) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=1&window={window}")
        await page.wait_for(f"{STATE} === 'live'")
        revenue = next(v for v in values_at(STEPS, 0) if v.kpi == "revenue" and v.window == window)
        tiles = await page.evaluate(TILES)
        assert tiles["revenue"]["exact"] == f"{revenue.value:,.2f} USD"
        assert (tiles["revenue"]["arrow"] is None) == (window == "all")
        await assert_readable(page)
        await page.screenshot(keep(window))


@pytest.mark.asyncio
async def test_leaderboards_and_funnel(valkey: RedisServer, chromium: str, keep: Callable[[str], Path]) -> None:
    async with floor_with_wall(valkey, chromium) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=2")
        await page.wait_for(f"{STATE} === 'live' && document.querySelectorAll('.page.shown .row').length === 6")
        reps = {
            v.dimensions["rep"]: v.value or 0
            for v in values_at(STEPS, 0)
            if v.kpi == "revenue" and v.window == "mtd" and "rep" in v.dimensions
        }
        best = sorted(reps, key=lambda rep: -reps[rep])[:6]
        rows = "[...document.querySelectorAll('.page.shown .row')]"
        assert await page.evaluate(f"{rows}.map((row) => row.dataset.name)") == best
        exact = await page.evaluate(f"{rows}.map((row) => row.querySelector('.exact').textContent)")
        assert exact == [f"{reps[rep]:,.2f} USD" for rep in best]
        width = "Number(row.querySelector('.bar').lastChild.getAttribute('width'))"
        widths = await page.evaluate(f"{rows}.map((row) => {width})")
        assert widths == [pytest.approx(100 * reps[rep] / reps[best[0]], abs=0.01) for rep in best]
        steps = await page.evaluate("[...document.querySelectorAll('.step')].map((step) => step.dataset.kpi)")
        assert steps == ["leads_created", "opportunities_created", "quotes_sent", "quotes_accepted", "deals_won"]
        assert "% of leads" in await page.evaluate("document.querySelectorAll('.step .exact')[1].textContent")
        await assert_readable(page)
        await page.screenshot(keep("leaderboard"))
        for number in (3, 4):
            more = await browser.open(f"{wall.url}/?page={number}")
            await more.wait_for(f"{STATE} === 'live' && document.querySelectorAll('.page.shown .row').length > 3")
            await assert_readable(more)
            await more.screenshot(keep(f"boards-{number}"))
            await more.close()


@pytest.mark.asyncio
async def test_silence_turns_amber_then_grey_then_to_dashes(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path]
) -> None:
    sections = {"redis": {"ttl": "9s"}, "pipeline": {"stale_after": "6s"}}
    async with floor_with_wall(valkey, chromium, **sections) as (floor, wall, browser):
        page = await browser.open(f"{wall.url}/?page=1")
        await page.wait_for(f"{STATE} === 'live'")
        await floor.stop()
        chip = "document.getElementById('chip').textContent"
        await page.wait_for(f"{STATE} === 'amber'")
        assert (await page.evaluate(chip)).startswith("DELAYED by ")
        await page.screenshot(keep("amber"))
        await page.wait_for(f"{STATE} === 'stale'")
        assert str(await page.evaluate(chip)).startswith("STALE since ")
        assert (await page.evaluate(TILES))["deals_won"]["number"] == "32"
        assert await page.evaluate("getComputedStyle(document.querySelector('.number')).color") == "rgb(133, 141, 153)"
        await assert_readable(page)
        await page.screenshot(keep("stale"))
        await page.wait_for(f"{STATE} === 'expired'")
        tiles = await page.evaluate(TILES)
        assert {(tile["number"], tile["exact"]) for tile in tiles.values()} == {("–", "no data")}
        await page.screenshot(keep("expired"))
        await floor.open()
        await page.wait_for(f"{STATE} === 'live'")
        assert (await page.evaluate(TILES))["deals_won"]["number"] == "32"


@pytest.mark.asyncio
async def test_unknown_is_said_and_zero_is_zero(valkey: RedisServer, chromium: str) -> None:
    async with floor_with_wall(valkey, chromium) as (floor, wall, browser):
        floor.extra = [later("win_rate", "today", None), later("deals_won", "today", 0)]
        page = await browser.open(f"{wall.url}/?page=1")
        await page.wait_for("document.querySelector('[data-kpi=win_rate] .exact').textContent === 'unknown'")
        tiles = await page.evaluate(TILES)
        assert tiles["win_rate"]["number"] == "–"
        assert tiles["deals_won"]["number"] == "0"


@pytest.mark.asyncio
async def test_a_won_deal_is_celebrated_once(valkey: RedisServer, chromium: str, keep: Callable[[str], Path]) -> None:
    async with floor_with_wall(valkey, chromium) as (floor, wall, browser):
        shown = "Number(document.getElementById('moment').dataset.shown ?? 0)"
        pages = [
            await browser.open(f"{wall.url}/?page=1"),
            await browser.open(f"{wall.url}/?page=1", reduced_motion=True),
        ]
        for page in pages:
            await page.wait_for(f"{STATE} === 'live'")
            assert await page.evaluate(shown) == 0, "what was won before is no news"
        say = {(v.kpi, str(v.dimensions)): v for v in values_at(STEPS, 0) if v.window == "all"}
        won, revenue = say["deals_won", "{}"].value or 0, say["revenue", "{}"].value or 0
        rep = "Vicki Laflamme"
        mine = say["deals_won", str({"rep": rep})].value or 0
        floor.extra = [
            later("deals_won", "all", won + 1),
            later("deals_won", "all", mine + 1, {"rep": rep}),
            later("revenue", "all", revenue + 4_200),
        ]
        for page in pages:
            await page.wait_for(f"{shown} === 1")
            text = await page.evaluate("document.getElementById('moment').textContent")
            assert text == f"Deal won{rep} · +4,200 USD"
        await pages[0].screenshot(keep("moment"))
        boxes = "['#moment', 'main'].map((name) => document.querySelector(name).getBoundingClientRect())"
        assert await pages[0].evaluate(f"({boxes})[0].bottom <= ({boxes})[1].top"), "it covers no number"
        pieces = "[...document.querySelectorAll('#moment i')].filter((piece) => piece.offsetWidth > 0).length"
        assert await pages[0].evaluate(pieces) > 0
        assert await pages[1].evaluate(pieces) == 0
        for page in pages:
            await page.wait_for("document.getElementById('moment').hidden")
            assert await page.evaluate(shown) == 1, "the same value, said every second, is one deal"


@pytest.mark.asyncio
async def test_pages_come_round_and_the_token_is_passed_on(valkey: RedisServer, chromium: str) -> None:
    async with floor_with_wall(valkey, chromium, http={"port": 0, "token": "s3cret"}) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?token=s3cret")
        await page.wait_for(f"{STATE} === 'live'")
        assert await page.evaluate("document.getElementById('dots').textContent") == "page 1 of 4"
        await page.wait_for("document.getElementById('dots').textContent === 'page 2 of 4'", deadline_s=60)
        assert page.errors == []


@pytest.mark.asyncio
async def test_before_the_first_value_the_page_waits(valkey: RedisServer, chromium: str) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    wall = await start_wall(settings_from({"redis": {"url": valkey.url, "prefix": prefix}, "http": {"port": 0}}))
    async with Browser(chromium) as browser:
        page = await browser.open(f"{wall.url}/?page=1")
        await page.wait_for("document.getElementById('chip').textContent === 'NO DATA'")
        tiles = await page.evaluate(TILES)
        assert {tile["number"] for tile in tiles.values()} == {"–"}, json.dumps(tiles)
    await wall.stop()
