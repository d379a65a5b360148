"""Simulated histories with everything that makes them hard, and what the oracle makes of them.

The oracle takes as long as the product; it computes in a process of its own meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson

from agents.kafka import producer
from schemas.settings import Settings
from schemas.windows import DAY_MS
from streams.simulator import Currency, SimulatedEvent, SimulationConfig, simulate
from tests.e2e.hard_cases import copies, corrections, goals, happened_ms
from tests.exactness import is_retained
from tests.oracle import KpiValue, OracleSettings, cells, values_of, world_of
from tests.oracle.cells import CellKey
from tests.oracle.events import instant_ms
from tests.oracle.slices import Trend, points
from tests.oracle.targets import current_goals
from tests.oracle.tracks import Tracks

START_MS: Final = 1_697_760_000_000  # 2023-10-20: the history crosses the end of summer time, a quarter and a year
ZONE: Final = "America/New_York"
RATES: Final = {"EUR": "1.08", "JPY": "0.0067"}
# Days off of our own; one is a Saturday anyway. They are in the weeks, months and quarters in which histories end.
HOLIDAYS: Final = ("2024-02-06", "2024-02-10", "2024-03-29", "2024-04-02")
TRENDS: Final[tuple[Trend, ...]] = (
    ("revenue", "", "1d"),
    ("revenue", "team=t-north", "1d"),
    ("win_rate", "", "1d"),
    ("open_pipeline", "", "1d"),
    ("open_deals", "rep=r-02,stage=negotiation", "1d"),
    ("active_customers", "source=web", "1d"),
    ("cohort_conversion", "", "1d"),
    ("sales_cycle_p90", "", "1d"),
    ("calls", "", "1h"),
    ("stuck_leads", "", "1h"),
    ("leads_created", "channel=phone", "1h"),
)


@dataclass(frozen=True)
class History:
    """Which history: equal ones are equal events.

    Args:
        seed: Of the simulator.
        count: How many messages of the simulator, duplicates included.
        days: About how long it lasts.
        start_ms: When it begins.
        zone: The business zone.
        late_days: How late the latest events of the simulator are.
        hard: Whether there are further corrections, copies and goals; see `tests.e2e.hard_cases`.
    """

    seed: int
    count: int
    days: float
    start_ms: int = START_MS
    zone: str = ZONE
    late_days: float = 1 / 8
    hard: bool = False

    def messages(self) -> Iterator[SimulatedEvent]:
        """The messages in the order in which they are sent: out of order, some late, some twice."""
        config = SimulationConfig(
            seed=self.seed,
            events_per_second=self.count * 1000 / (self.days * DAY_MS),
            zone=self.zone,
            currencies=(Currency("EUR", 0.2, 1.08), Currency("JPY", 0.1, 0.0067, digits=0)),
            duplicate_share=0.02,
            disorder_s=900.0 if self.hard else 30.0,
            late_share=0.02,
            late_s=self.late_days * 86_400,
            time_format="mixed",
        )
        simulated = islice(simulate(config, self.start_ms), self.count)
        if not self.hard:
            return simulated
        messages = list(simulated)
        ends_ms = max(map(happened_ms, messages))
        messages += [*corrections(messages, self.seed), *copies(messages, self.seed)]
        messages += goals(self.start_ms, ends_ms, self.zone)
        return iter(sorted(messages, key=attrgetter("at_ms")))


class Truth(NamedTuple):
    """What the oracle says of a history at the clock just past its newest event.

    Args:
        newest_ms: Its newest event.
        cells: Cells that are within their retention then.
        kpis: Every series of every KPI in force.
        trends: What the series of `TRENDS` were in each hour or day, by its start.
        wins: Event ids of all sales.
        goals: Kinds of the goals that run then.
    """

    newest_ms: int
    cells: dict[CellKey, dict[str, int]]
    kpis: dict[str, KpiValue]
    trends: dict[Trend, dict[int, KpiValue]]
    wins: set[str]
    goals: set[str]


def truth_of(history: History) -> Truth:
    """Compute it all; some ten seconds for 30,000 events."""
    events: list[dict[str, Any]] = [message.event for message in history.messages()]
    settings = OracleSettings(zone=history.zone, rates=RATES, holidays=frozenset(HOLIDAYS))
    newest_ms = max(instant_ms(event["occurred_at"]) for event in events)
    world = world_of(events, settings, newest_ms + 1)
    added = cells(world.found, settings)
    kept = {key: sums for key, sums in added.items() if is_retained(key[1], key[2], newest_ms)}
    tracks = Tracks(world.found)
    return Truth(
        newest_ms,
        kept,
        values_of(world),
        {trend: points(trend, tracks, settings, world.now_ms) for trend in TRENDS},
        {sale.won.order[2] for account in world.accounts for sale in account.sales},
        {goal.kind for goal in current_goals(world.without_account, settings, world.now_ms)},
    )


@contextmanager
def computing(history: History) -> Iterator[Future[Truth]]:
    """Compute the truth in another process for the length of a `with` block."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(truth_of, history)


def settings_of_history(zone: str = ZONE) -> dict[str, Mapping[str, object]]:
    """The settings by which the product computes what `truth_of` does."""
    return {
        "time": {"clock": "event", "zone": zone},
        "money": {"currency": "USD", "rates": RATES},
        "kpi": {"extra_holidays": HOLIDAYS},
        "wall": {"pages": _pages()},
    }


def _pages() -> list[dict[str, object]]:
    """Two pages of trends: what they show has a history."""
    tiles = [
        {
            "kind": "trend",
            "kpi": kpi,
            "window": {"1h": "today", "1d": "30d"}[step],
            "where": [part.replace("=", ":") for part in dims.split(",") if part],
            "size": 1,
        }
        for kpi, dims, step in TRENDS
    ]
    return [{"title": f"Page {start}", "tiles": tiles[start : start + 8]} for start in range(0, len(tiles), 8)]


async def send(settings: Settings, messages: Iterator[SimulatedEvent]) -> int:
    """Send messages to the source topics; returns how many when all are acknowledged.

    Raises:
        KafkaError: One of them was not; others may have come through.
    """
    topics = settings.topics.sources()
    client = await producer(settings, client_id="sales-floor")
    sent: list[asyncio.Future[Any]] = []
    try:
        for message in messages:
            event = orjson.dumps(message.event)
            sent.append(await client.send(topics[message.topic], event, message.key.encode()))
    finally:
        await client.stop()
    await asyncio.gather(*sent)
    return len(sent)
