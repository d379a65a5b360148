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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from agents.brokers import RedisServer
from agents.wall import WallServer, start_wall
from schemas.kpi import KpiValue
from schemas.sections import Wall
from schemas.settings import Settings, settings_from
from streams.history import History
from streams.redis_view import RedisSink
from tests.browser import Browser, Page
from tests.e2e.sales_day import REPS, STAGES, history_at, values_at
from tests.publications import kpi_value, publication

STEPS: Final = 20
QUARTER_MS: Final = 15 * 60_000
SMALLEST_NUMBER_PX: Final = 96  # 72 points
SMALLEST_LABEL_PX: Final = 32
LEAST_CONTRAST: Final = 4.0  # 3 is what WCAG asks of text as large as this

# Of all visible texts: size, contrast, and whether they run out of their box or off the screen.
TEXTS: Final = """(() => {
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const owner = walker.currentNode.parentElement;
    const style = getComputedStyle(owner);
    if (!text || style.visibility !== "visible" || !owner.offsetParent && owner.tagName !== "SPAN") continue;
    if (owner.closest("[hidden]")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    let ground = owner;
    while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    const [ink, paper] = [style.color, getComputedStyle(ground).backgroundColor].map(light);
    seen.push({ text, px: parseFloat(style.fontSize), number: Boolean(owner.closest(".number")),
      contrast: (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05),
      cut: owner.scrollWidth > owner.clientWidth + 1 && owner.clientWidth > 0,
      off: box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight });
  }
  return seen;
  function light(colour) {
    const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => linear(part / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
})()"""
TILES: Final = """Object.fromEntries(
  [...document.querySelectorAll(".shown [data-kind=number]")].map((tile) => [tile.dataset.kpi, {
  number: tile.querySelector(".number").textContent, exact: tile.querySelector(".exact").textContent,
  compare: tile.querySelector(".compare").textContent, tone: tile.querySelector(".compare").dataset.tone,
  arrow: tile.querySelector(".compare svg")?.dataset.arrow ?? null,
  spark: tile.querySelector(".spark canvas") !== null }]))"""
STATE: Final = "document.body?.dataset.state"
TITLE: Final = "document.getElementById('title')?.textContent"
DOTS: Final = "document.getElementById('dots').textContent"
ROWS: Final = "[...document.querySelectorAll('.page.shown .row')]"
NUMBERS: Final = (
    "revenue",
    "deals_won",
    "win_rate",
    "lead_conversion",
    "average_ticket",
    "leads_created",
    "calls",
    "active_customers",
)
PLAYLIST: Final[dict[str, Any]] = {
    "pages": [
        {"title": "Numbers", "tiles": [{"kind": "number", "kpi": kpi} for kpi in NUMBERS]},
        {
            "title": "Boards",
            "tiles": [
                {"kind": "ranking", "kpi": "revenue", "by": "rep"},
                {"kind": "funnel", "kpis": ["leads_created", "opportunities_created", "quotes_sent", "deals_won"]},
            ],
        },
        {
            "title": "Products and sources",
            "tiles": [
                {"kind": "ranking", "kpi": "revenue", "by": "product"},
                {"kind": "ranking", "kpi": "revenue", "by": "source"},
            ],
        },
    ]
}
OUR_PAGES: Final = ("Sales floor", "Funnel", "Channels and marketing", "Customers", "Heat of the week")


class Floor:
    """A sales floor whose pipeline is us: publishes what it is told, once a second, until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sink = RedisSink(settings)
        self.extra: list[KpiValue] = []
        self.without: tuple[str, ...] = ()
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

    async def forget(self) -> None:
        """Nothing is left in Redis, as if all had expired."""
        client = Redis.from_url(self.settings.redis.url)
        await client.flushall()
        await client.aclose()

    async def _day(self) -> None:
        while True:
            await self._say(STEPS, now_ms())
            await asyncio.sleep(0.25)

    async def _say(self, step: int, clock_ms: int) -> None:
        self._position += 1
        every = [*values_at(step, clock_ms), *self.extra]
        values = {(v.kpi, v.window, str(v.dimensions)): v for v in every if not v.kpi.startswith(self.without or "-")}
        said = publication(
            values.values(),
            position=self._position,
            clock_ms=clock_ms,
            watermark_ms=clock_ms - 10_000,
            complete=self._position == 1,
        )
        await self.sink.publish(said)

    async def remember(self) -> None:
        """What the floor was in the hours and days before."""
        said = History(0, self._position, now_ms(), list(history_at(now_ms())), complete=True)
        await self.sink.publish_history(said)
        assert await self.sink.flush(), self.sink.problem

    async def celebrate(self, name: str, *, ago: timedelta = timedelta(0), **fields: Any) -> None:
        at = (datetime.now(UTC) - ago).isoformat()
        moment: dict[str, Any] = {
            "id": name,
            "occurred_at": at,
            "dimensions": {},
            "value": None,
            "unit": "count",
            "currency": None,
        }
        await self.sink.publish_moments([json.dumps(moment | fields).encode()])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def later(kpi: str, window: str, value: float | None, dimensions: Mapping[str, str] | None = None) -> KpiValue:
    """A value that stands against those of the day."""
    return kpi_value(kpi, window, dimensions, value=value, revision=10_000, end_ms=now_ms() + 3_600_000)


@asynccontextmanager
async def floor_with_wall(
    server: RedisServer,
    chromium: str,
    *,
    morning: bool = True,
    wall_redis: Mapping[str, Any] | None = None,
    **sections: Any,
) -> AsyncIterator[tuple[Floor, WallServer, Browser]]:
    redis = {"url": server.url, "prefix": f"t{uuid.uuid4().hex[:8]}"}
    sections["http"] = {"port": 0}
    floor = Floor(settings_from({"redis": redis, **sections}))
    wall = await start_wall(settings_from({"redis": redis | dict(wall_redis or {}), **sections}))
    try:
        if morning:
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


async def assert_readable(page: Page, texts: int = 10) -> None:
    seen = await page.evaluate(TEXTS)
    assert len(seen) > texts
    assert not [text for text in seen if text["cut"] or text["off"]]
    assert not [text for text in seen if text["px"] < SMALLEST_LABEL_PX]
    assert not [text for text in seen if text["contrast"] < LEAST_CONTRAST]
    assert not [text for text in seen if text["number"] and text["px"] < SMALLEST_NUMBER_PX]
    scrolls = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert await page.evaluate(scrolls) == [1920, 1080]


def value_of(kpi: str, window: str, **dimensions: str) -> KpiValue:
    """What the floor says of a series by now."""
    return next(v for v in values_at(STEPS, 0) if (v.kpi, v.window, v.dimensions) == (kpi, window, dimensions))


async def press(page: Page, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        await page.call("Input.dispatchKeyEvent", {"type": kind, "key": key})


@pytest.mark.asyncio
async def test_numbers_show_exact_values_comparison_and_how_they_moved(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path]
) -> None:
    async with floor_with_wall(valkey, chromium, wall=PLAYLIST) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=1&pin")
        await page.wait_for(f"{STATE} === 'live' && document.querySelectorAll('.spark canvas').length === 8")
        tiles = await page.evaluate(TILES)
        assert tuple(tiles) == NUMBERS
        shown = {key: tiles["revenue"][key] for key in ("compare", "tone", "arrow", "spark")}
        assert shown == {"compare": "up 18.0%", "tone": "good", "arrow": "up", "spark": True}
        revenue, rate = value_of("revenue", "today"), value_of("win_rate", "today")
        assert tiles["revenue"]["exact"] == f"{revenue.value:,.2f} USD"
        assert tiles["revenue"]["number"] == f"{revenue.value:,.0f}"
        assert tiles["deals_won"]["number"] == str(value_of("deals_won", "today").value)
        assert tiles["win_rate"]["number"] == f"{100 * (rate.value or 0):.2f}%"
        assert tiles["win_rate"]["exact"] == f"{rate.numerator} of {rate.denominator}"
        assert (tiles["win_rate"]["arrow"], tiles["win_rate"]["tone"]) == ("down", "bad")
        assert tiles["win_rate"]["compare"].startswith("down ")
        assert (tiles["active_customers"]["arrow"], tiles["active_customers"]["tone"]) == ("flat", "none")
        assert await page.evaluate("document.getElementById('quality').textContent") == "live"
        subtitle = await page.evaluate("document.getElementById('subtitle').textContent")
        assert subtitle == "today, against yesterday up to this hour"
        await assert_readable(page)
        await page.screenshot(keep("numbers"))
        assert all(url.startswith(wall.url) for url in page.requests), page.requests
        assert page.errors == []


@pytest.mark.asyncio
@pytest.mark.parametrize("window", ["ytd", "all"])
async def test_any_window_can_be_asked_for(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path], window: str
) -> None:
    async with floor_with_wall(valkey, chromium, wall=PLAYLIST) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?pin&window={window}")
        await page.wait_for(f"{STATE} === 'live'")
        tiles = await page.evaluate(TILES)
        assert tiles["revenue"]["exact"] == f"{value_of('revenue', window).value:,.2f} USD"
        assert (tiles["revenue"]["arrow"] is None) == (window == "all")
        await assert_readable(page)
        await page.screenshot(keep(window))


@pytest.mark.asyncio
async def test_rankings_and_a_funnel_of_kpis(valkey: RedisServer, chromium: str, keep: Callable[[str], Path]) -> None:
    async with floor_with_wall(valkey, chromium, wall=PLAYLIST) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=2&pin")
        await page.wait_for(f"{STATE} === 'live' && {ROWS}.length === 10")
        reps = {
            v.dimensions["rep"]: v.value or 0
            for v in values_at(STEPS, 0)
            if v.kpi == "revenue" and v.window == "mtd" and "rep" in v.dimensions
        }
        best = sorted(reps, key=lambda rep: -reps[rep])[:6]
        rows = f"{ROWS}.slice(0, 6)"
        assert await page.evaluate(f"{rows}.map((row) => row.dataset.name)") == best
        exact = await page.evaluate(f"{rows}.map((row) => row.querySelector('.exact').textContent)")
        assert exact == [f"{reps[rep]:,.2f} USD" for rep in best]
        width = "Number(row.querySelector('.bar .part').getAttribute('width'))"
        widths = await page.evaluate(f"{rows}.map((row) => {width})")
        assert widths == [pytest.approx(100 * reps[rep] / reps[best[0]], abs=0.01) for rep in best]
        steps = await page.evaluate(f"{ROWS}.slice(6).map((row) => row.innerText.split('\\n'))")
        assert [step[0] for step in steps] == ["Leads", "Opportunities", "Quotes sent", "Deals won"]
        assert steps[1][1] == "60.0% of leads"
        await assert_readable(page)
        await page.screenshot(keep("boards"))
        await press(page, "ArrowRight")
        await page.wait_for(f"{TITLE} === 'Products and sources' && {ROWS}.length === 11")
        await assert_readable(page)


@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(1, len(OUR_PAGES) + 1))
async def test_our_own_pages_are_full_and_can_be_read_from_afar(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path], number: int
) -> None:
    async with floor_with_wall(valkey, chromium) as (floor, wall, browser):
        await floor.remember()
        page = await browser.open(f"{wall.url}/?page={number}&pin")
        await page.wait_for(f"{STATE} === 'live' && {TITLE} === '{OUR_PAGES[number - 1]}'")
        await page.wait_for("[...document.querySelectorAll('[data-points]')].every((tile) => tile.dataset.points > 20)")
        numbers = await page.evaluate("[...document.querySelectorAll('.shown .number')].map((it) => it.textContent)")
        assert numbers
        assert "–" not in numbers
        assert not await page.evaluate("document.querySelectorAll('.shown .empty:not([hidden])').length")
        await assert_readable(page)
        await page.screenshot(keep(f"page-{number}"))
        assert page.errors == []


@pytest.mark.asyncio
async def test_goals_stages_and_classes_say_what_redis_holds(valkey: RedisServer, chromium: str) -> None:
    tiles = [{"kind": "goal"}, {"kind": "goal", "where": f"rep:{REPS[0]}", "title": "Amara's goal"}]
    pages = [{"title": "Goals", "tiles": tiles}, {"title": "Stages", "tiles": [{"kind": "funnel"}, {"kind": "abc"}]}]
    async with floor_with_wall(valkey, chromium, wall={"pages": pages}) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?pin")
        await page.wait_for(
            f"{STATE} === 'live' && (document.querySelector('.shown .number')?.textContent ?? '–') !== '–'"
        )
        goals = await page.evaluate(
            "[...document.querySelectorAll('.shown .tile')].map((it) => it.innerText.split('\\n'))"
        )
        actual = (value_of("target_attainment", "mtd").numerator or 0) / 100
        assert goals[0][:1] + goals[0][-4:] == [
            "Goal",
            "78.0%",
            f"{actual:,.0f} of 250,000 USD",
            "11% ahead of pace",
            f"heading for {actual * 20 / 14:,.0f} USD",
        ]
        assert goals[1][0] == "Amara's goal"
        await press(page, "ArrowRight")
        await page.wait_for(f"{TITLE} === 'Stages' && {ROWS}.length === {len(STAGES) + 3}")
        rows = await page.evaluate(f"{ROWS}.map((row) => [row.dataset.name, row.querySelector('.number').textContent])")
        stages = {stage: value_of("stage_conversion", "mtd", stage=stage).value or 0 for stage in STAGES}
        assert rows[:5] == [[stage, f"{100 * stages[stage]:.1f}%"] for stage in STAGES], "in the order of the settings"
        assert rows[5:] == [["A", "80.0%"], ["B", "15.0%"], ["C", "5.0%"]]
        flagged = f"{ROWS}.filter((row) => row.dataset.flag === 'weakest').map((row) => row.dataset.name)"
        assert await page.evaluate(flagged) == ["first_meeting"]
        exact = await page.evaluate(f"{ROWS}[5].querySelector('.exact').textContent")
        assert exact == "12.2% of all · 961,330 USD"
        await assert_readable(page)


@pytest.mark.asyncio
async def test_a_tile_that_has_nothing_to_show_says_why(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path]
) -> None:
    async with floor_with_wall(valkey, chromium, morning=False) as (floor, wall, browser):
        floor.without = ("target_", "revenue_per_rep", "stage_conversion", "abc_", "channel_conversion")
        page = await browser.open(f"{wall.url}/?page=1&pin")
        said = "[...document.querySelectorAll('.shown .tile')].map((tile) => tile.innerText).join('\\n')"
        await page.wait_for(f"{STATE} === 'live' && {said}.includes('no goal set for this month')")
        text = await page.evaluate(said)
        assert "Nothing by rep this month" in text
        assert "no history yet" in text
        await assert_readable(page)
        await page.screenshot(keep("nothing"))
        for number, words in (
            (2, "No lead came into a stage this month"),
            (3, "Nothing by channel in the last 30 days"),
            (4, "No customer has bought yet"),
            (5, "no history yet"),
        ):
            await press(page, str(number))
            await page.wait_for(f"{TITLE} === '{OUR_PAGES[number - 1]}' && {said}.includes('{words}')")
            await assert_readable(page, texts=5)


@pytest.mark.asyncio
async def test_silence_turns_amber_then_grey_then_to_dashes(
    valkey: RedisServer, chromium: str, keep: Callable[[str], Path]
) -> None:
    # The wall gives values up long before Redis does: what expired values look like must not depend on who is first.
    sections: dict[str, Any] = {"wall_redis": {"ttl": "9s"}, "pipeline": {"stale_after": "6s"}}
    async with floor_with_wall(valkey, chromium, **sections) as (floor, wall, browser):
        page = await browser.open(f"{wall.url}/?page=1&pin")
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
        numbers = await page.evaluate("[...document.querySelectorAll('.shown .number')].map((it) => it.textContent)")
        assert set(numbers) == {"–"}
        ranks = await page.evaluate("[...document.querySelectorAll('.shown .row .rank')].map((it) => it.textContent)")
        assert set(ranks) == {"–"}
        names = await page.evaluate(f"{ROWS}.map((row) => row.dataset.name)")
        assert names == sorted(names), "nor does the order say who is ahead"
        bars = "[...document.querySelectorAll('.shown .row .bar .part')].map((it) => it.getAttribute('width'))"
        assert set(await page.evaluate(bars)) == {"0.00"}
        await page.screenshot(keep("expired"))
        await press(page, "2")
        await page.wait_for(f"{TITLE} === '{OUR_PAGES[1]}'")
        assert set(await page.evaluate(bars)) == {"0.00"}
        await press(page, "1")
        await page.wait_for(f"{TITLE} === '{OUR_PAGES[0]}'")
        await floor.forget()
        await page.wait_for(f"{ROWS}.length === 0")
        said = "[...document.querySelectorAll('.shown .empty:not([hidden])')].map((it) => it.textContent)"
        assert set(await page.evaluate(said)) == {"no data"}
        await floor.open()
        await page.wait_for(f"{STATE} === 'live'")
        assert (await page.evaluate(TILES))["deals_won"]["number"] == "32"


@pytest.mark.asyncio
async def test_unknown_is_said_and_zero_is_zero(valkey: RedisServer, chromium: str) -> None:
    async with floor_with_wall(valkey, chromium, wall=PLAYLIST) as (floor, wall, browser):
        nothing = msgspec.structs.replace(later("win_rate", "today", None), numerator=0, denominator=0)
        floor.extra = [nothing, later("average_ticket", "today", None), later("deals_won", "today", 0)]
        page = await browser.open(f"{wall.url}/?page=1&pin")
        await page.wait_for("document.querySelector('[data-kpi=average_ticket] .exact')?.textContent === 'unknown'")
        tiles = await page.evaluate(TILES)
        assert (tiles["win_rate"]["number"], tiles["win_rate"]["exact"]) == ("–", "unknown: no cases yet")
        assert tiles["average_ticket"]["number"] == "–"
        assert tiles["deals_won"]["number"] == "0"


@pytest.mark.asyncio
async def test_a_moment_is_celebrated_once(valkey: RedisServer, chromium: str, keep: Callable[[str], Path]) -> None:
    async with floor_with_wall(valkey, chromium) as (floor, wall, browser):
        await floor.celebrate("old", kind="deal_won", title="Long ago", ago=timedelta(minutes=5))
        shown = "Number(document.getElementById('moment').dataset.shown ?? 0)"
        text = "document.getElementById('moment').textContent"
        pages = [
            await browser.open(f"{wall.url}/?page=1&pin"),
            await browser.open(f"{wall.url}/?page=1&pin", reduced_motion=True),
        ]
        for page in pages:
            await page.wait_for(f"{STATE} === 'live'")
        won: dict[str, Any] = {
            "kind": "deal_won",
            "title": "Deal 4711 won by Anna",
            "value": 4_200,
            "unit": "money",
            "currency": "USD",
        }
        for _ in range(3):  # a worker that starts anew may tell it again
            await floor.celebrate("deal_won/1", **won)
        for page in pages:
            await page.wait_for(f"{shown} === 1")
            assert await page.evaluate(text) == "Deal 4711 won by Anna+4,200 USD"
        await pages[0].screenshot(keep("moment"))
        boxes = "['#moment', 'main'].map((name) => document.querySelector(name).getBoundingClientRect())"
        assert await pages[0].evaluate(f"({boxes})[0].bottom <= ({boxes})[1].top"), "it covers no number"
        moving = "document.getElementById('moment').getAnimations().length"
        assert await pages[1].evaluate(moving) == 0
        await floor.celebrate("rank_up/1", kind="rank_up", title="Anna takes first place", value=3)
        for page in pages:
            await page.wait_for(f"{shown} === 2 && {text} === 'Anna takes first place3'")
        late = await browser.open(f"{wall.url}/?page=1&pin")
        await late.wait_for(f"{shown} === 2", deadline_s=40)
        for page in pages:
            await page.wait_for("document.getElementById('moment').hidden")
            assert await page.evaluate(shown) == 2, "each once, and never what happened long ago"


@pytest.mark.asyncio
async def test_pages_come_round_and_the_token_is_passed_on(valkey: RedisServer, chromium: str) -> None:
    sections: dict[str, Any] = {"http": {"port": 0, "token": "s3cret"}, "wall": {"rotate": "1s"}}
    async with floor_with_wall(valkey, chromium, **sections) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?token=s3cret")
        await page.wait_for(f"{STATE} === 'live'")
        for number in (2, 3, 4, 1):  # the fifth is passed over: there is no history
            await page.wait_for(f"{DOTS} === 'page {number} of 5' && {TITLE} === '{OUR_PAGES[number - 1]}'")
        assert page.errors == []


@pytest.mark.asyncio
async def test_pages_are_turned_and_held_by_keys_and_by_buttons(valkey: RedisServer, chromium: str) -> None:
    async with floor_with_wall(valkey, chromium, wall={"rotate": "3s"}) as (_, wall, browser):
        page = await browser.open(f"{wall.url}/?page=3&window=mtd&pin")
        await page.wait_for(f"{STATE} === 'live' && {DOTS} === 'page 3 of 5, held'")
        for key, number in (("ArrowRight", 4), ("End", 5), ("ArrowRight", 1), ("ArrowLeft", 5), ("2", 2), ("Home", 1)):
            await press(page, key)
            await page.wait_for(f"{DOTS} === 'page {number} of 5, held' && {TITLE} === '{OUR_PAGES[number - 1]}'")
        assert await page.evaluate("location.search") == "?page=1&window=mtd&pin"
        for button, number in (("next", 2), ("next", 3), ("previous", 2)):
            await page.evaluate(f"document.getElementById('{button}').click()")
            await page.wait_for(f"{DOTS} === 'page {number} of 5, held'")
        label = "document.getElementById('hold').getAttribute('aria-label')"
        assert await page.evaluate(label) == "Let the pages come round"
        await press(page, " ")
        assert await page.evaluate(label) == "Hold this page"
        assert await page.evaluate("location.search") == "?page=2&window=mtd"
        await page.wait_for(f"{DOTS} === 'page 3 of 5'")
        await page.evaluate("document.getElementById('hold').click()")
        assert await page.evaluate(DOTS) == "page 3 of 5, held"
        tabs = "[...document.querySelectorAll('button')].every((it) => it.tabIndex === 0 && it.ariaLabel)"
        assert await page.evaluate(tabs), "they are reached with the tabulator, and have names"
        assert page.errors == []


@pytest.mark.asyncio
async def test_a_server_that_was_away_is_found_again_and_another_playlist_is_shown(
    valkey: RedisServer, chromium: str
) -> None:
    async with floor_with_wall(valkey, chromium, pipeline={"stale_after": "6s"}) as (floor, wall, browser):
        page = await browser.open(f"{wall.url}/?pin")
        await page.wait_for(f"{STATE} === 'live' && {TITLE} === 'Sales floor'")
        await wall.stop()
        await page.wait_for(f"{STATE} === 'stale'")
        port = int(wall.url.rpartition(":")[2])
        changed = msgspec.structs.replace(
            floor.settings,
            http=msgspec.structs.replace(floor.settings.http, port=port),
            wall=Wall(pages=tuple(PLAYLIST["pages"])),
        )
        again = await start_wall(changed)
        try:
            await page.wait_for(f"{STATE} === 'live' && {TITLE} === 'Numbers'", deadline_s=40)
        finally:
            await again.stop()


@pytest.mark.asyncio
async def test_before_the_first_value_the_page_waits(valkey: RedisServer, chromium: str) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    wall = await start_wall(settings_from({"redis": {"url": valkey.url, "prefix": prefix}, "http": {"port": 0}}))
    async with Browser(chromium) as browser:
        page = await browser.open(f"{wall.url}/?page=1&pin")
        await page.wait_for("document.getElementById('chip').textContent === 'NO DATA'")
        tiles = await page.evaluate(TILES)
        assert {tile["number"] for tile in tiles.values()} == {"–"}, json.dumps(tiles)
    await wall.stop()
