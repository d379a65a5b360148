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

START_MS: Final = 1_697_760_000_000  # 2023-10-20: the history crosses the end of summer time, a quarter and a year
ZONE: Final = "America/New_York"
RATES: Final = {"EUR": "1.08", "JPY": "0.0067"}


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
            disorder_s=30.0,
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
    """

    newest_ms: int
    cells: dict[CellKey, dict[str, int]]
    kpis: dict[str, KpiValue]


def truth_of(history: History) -> Truth:
    """Compute it all; some ten seconds for 30,000 events."""
    events: list[dict[str, Any]] = [message.event for message in history.messages()]
    settings = OracleSettings(zone=history.zone, rates=RATES)
    newest_ms = max(instant_ms(event["occurred_at"]) for event in events)
    world = world_of(events, settings, newest_ms + 1)
    added = cells(world.found, settings)
    kept = {key: sums for key, sums in added.items() if is_retained(key[1], key[2], newest_ms)}
    return Truth(newest_ms, kept, values_of(world))


@contextmanager
def computing(history: History) -> Iterator[Future[Truth]]:
    """Compute the truth in another process for the length of a `with` block."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(truth_of, history)


def settings_of_history(zone: str = ZONE) -> dict[str, Mapping[str, object]]:
    """The settings by which the product computes what `truth_of` does."""
    return {"time": {"clock": "event", "zone": zone}, "money": {"currency": "USD", "rates": RATES}}


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
