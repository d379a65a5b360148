"""A live floor's events: its history at once, then each event at the moment at which it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from typing import Final, NamedTuple

import orjson

from agents.kafka import AIOKafkaProducer
from schemas.settings import Settings
from streams.simulator import LivePace, SimulatedEvent, SimulationConfig, live
from tests.benchmarks.tracked import Tracks

_MAKING_S: Final = 25e-6
"""What it takes to make an event: made while they are sent, many would take the core that is measured."""
_TURN: Final = 100
"""After so many events in a row others get a turn."""


class Outgoing(NamedTuple):
    """An event to be sent at a moment (UTC milliseconds); `team` is empty where it states none."""

    at_ms: int
    kind: str
    team: str
    topic: str
    key: bytes
    payload: bytes


class Floor:
    """A sales floor that runs now.

    Args:
        settings: Topics and zone.
        rate: Events a second.
        history: About how many events come before.
    """

    def __init__(self, settings: Settings, rate: float, history: int) -> None:
        config = SimulationConfig(events_per_second=rate, seed=11, zone=settings.time.zone)
        pace = LivePace(backfill_days=14.0 if history else 0.0, backfill_limit=max(1, history))
        self._rate = rate
        self._topics = settings.topics.sources()
        self._begun_ms = _now_ms()
        self._events: Iterator[SimulatedEvent] = live(config, self._begun_ms, pace)
        self.history_sent = 0

    async def send_history(self, sender: AIOKafkaProducer, tracks: Tracks) -> None:
        """Send what happened before the floor was made, at once: what happens meanwhile may come faster than that."""
        for event in takewhile(lambda event: event.at_ms < self._begun_ms, self._events):
            await _send(sender, tracks, self._outgoing(event))
            self.history_sent += 1
        await sender.flush()

    def coming(self, seconds: float) -> list[Outgoing]:
        """Make the events of an interval ahead; what happens until it begins is left out."""
        share = min(0.75, self._rate * _MAKING_S)
        begin_ms = _now_ms() + round(1_000 * (1 + seconds * share / (1 - share)))
        end_ms = begin_ms + round(1_000 * seconds)
        ahead = dropwhile(lambda event: event.at_ms < begin_ms, self._events)
        return [self._outgoing(event) for event in takewhile(lambda event: event.at_ms < end_ms, ahead)]

    def _outgoing(self, event: SimulatedEvent) -> Outgoing:
        payload = orjson.dumps(event.event)
        kind, team = (str(event.event.get(field, "")) for field in ("event_type", "team_id"))
        return Outgoing(event.at_ms, kind, team, self._topics[event.topic], event.key.encode(), payload)


async def send_in_time(sender: AIOKafkaProducer, tracks: Tracks, events: list[Outgoing]) -> None:
    """Send each event when it happens; later when the machine is too busy for that."""
    for number, event in enumerate(events):
        early_s = event.at_ms / 1000 - time.time()
        if early_s > 0 or not number % _TURN:
            await asyncio.sleep(max(0.0, early_s))
        await _send(sender, tracks, event)


async def _send(sender: AIOKafkaProducer, tracks: Tracks, event: Outgoing) -> None:
    tracks.sent(event.kind, event.team, event.at_ms)
    await sender.send(event.topic, event.payload, event.key)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
