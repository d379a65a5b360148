"""Simulated histories with everything that makes them hard, and what the oracle makes of them.

The oracle takes as long as the product; it computes in a process of its own meanwhile.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from agents.kafka import producer
from schemas.settings import Settings
from schemas.windows import DAY_MS, RETENTION_MS
from streams.plan import Plan
from streams.simulator import Currency, SimulatedEvent, SimulationConfig, simulate
from tests.oracle import KpiValue, OracleSettings, cells, contributions
from tests.oracle.catalogue import CATALOGUE
from tests.oracle.cells import CellKey
from tests.oracle.events import instant_ms
from tests.oracle.kpis import evaluate
from tests.oracle.tracks import Tracks

START_MS: Final = 1_700_000_000_000  # 2023-11-14: the history crosses a quarter and a year
ZONE: Final = "America/New_York"
RATES: Final = {"EUR": "1.08", "JPY": "0.0067"}


@dataclass(frozen=True)
class History:
    """Which history: equal ones are equal events.

    Args:
        seed: Of the simulator.
        count: How many messages, duplicates included.
        days: About how long it lasts.
    """

    seed: int
    count: int
    days: float

    def messages(self) -> Iterator[SimulatedEvent]:
        """The messages in the order in which they are sent: out of order, some late by hours, some twice."""
        config = SimulationConfig(
            seed=self.seed,
            events_per_second=self.count * 1000 / (self.days * DAY_MS),
            zone=ZONE,
            currencies=(Currency("EUR", 0.2, 1.08), Currency("JPY", 0.1, 0.0067, digits=0)),
            duplicate_share=0.02,
            disorder_s=30.0,
            late_share=0.02,
            late_s=3 * 3600.0,
            time_format="mixed",
        )
        return islice(simulate(config, START_MS), self.count)


class Truth(NamedTuple):
    """What the oracle says of a history at the clock just past its newest event.

    Args:
        newest_ms: Its newest event.
        cells: Cells that are within their retention then.
        kpis: Every series of every KPI in force.
    """

    newest_ms: int
    cells: dict[CellKey, dict[str, int]]
    kpis: dict[str, KpiValue]


def is_retained(resolution: str, start_ms: int, newest_ms: int) -> bool:
    """Whether a cell has to be kept yet."""
    return start_ms + RETENTION_MS.get(resolution, 1 << 60) > newest_ms


def truth_of(history: History) -> Truth:
    """Compute it all; about half a minute for 100,000 events."""
    events: list[dict[str, Any]] = [message.event for message in history.messages()]
    settings = OracleSettings(zone=ZONE, rates=RATES)
    newest_ms = max(instant_ms(event["occurred_at"]) for event in events)
    found = contributions(events, settings)
    kept = {key: sums for key, sums in cells(found, settings).items() if is_retained(key[1], key[2], newest_ms)}
    names = {kpi.name for kpi in Plan().kpis}
    catalogue = [kpi for kpi in CATALOGUE if kpi.name in names]
    assert {kpi.name for kpi in catalogue} == names, "the oracle has to know every KPI in force"
    return Truth(newest_ms, kept, evaluate(catalogue, Tracks(found), settings, newest_ms + 1))


@contextmanager
def computing(history: History) -> Iterator[Future[Truth]]:
    """Compute the truth in another process for the length of a `with` block."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(truth_of, history)


def settings_of_history() -> dict[str, Mapping[str, object]]:
    """The settings by which the product computes what `truth_of` does."""
    return {"time": {"clock": "event", "zone": ZONE}, "money": {"currency": "USD", "rates": RATES}}


async def send(settings: Settings, messages: Iterator[SimulatedEvent]) -> int:
    """Send messages to the source topics; returns how many when all are acknowledged."""
    topics = settings.topics.sources()
    client = await producer(settings, client_id="sales-floor")
    sent = 0
    try:
        for sent, message in enumerate(messages, 1):  # noqa: B007  counted, and returned below
            await client.send(topics[message.topic], orjson.dumps(message.event), message.key.encode())
    finally:
        await client.stop()
    return sent
