"""At which instants events happen, so that the rate is met; which event it is, is for the scripts to say."""

import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streams.simulator.pilot import Pilot
from streams.simulator.rhythm import stretches


class Span(NamedTuple):
    """A stretch of time `[start_ms, end_ms)` and how many events are to fall into it (a fraction carries over)."""

    start_ms: int
    end_ms: int
    events: float


def instants(spans: Iterable[Span], rng: random.Random) -> Iterator[int]:
    """One instant for every event, ascending, UTC epoch ms.

    The n-th lies anywhere between n and n + 1 of the running total, so that counts are met to one event
    without the spacing being regular.
    """
    chance = rng.random
    done = 0.0
    number = 0
    mark = chance()
    for start_ms, end_ms, events in spans:
        limit = done + events
        if mark < limit:
            step_ms = (end_ms - start_ms) / events
            while mark < limit:
                yield start_ms + int((mark - done) * step_ms)
                number += 1
                mark = number + chance()
        done = limit


def history_spans(
    zone: str, start_ms: int, end_ms: int, pilot: Pilot, speed: float, leads_per_ms: float
) -> Iterator[Span]:
    """Spans of a floor that opens at `start_ms`: by the rhythm, and growing as the first customers come back.

    Args:
        zone: Business time zone.
        start_ms: When it opens, UTC epoch ms.
        end_ms: End, exclusive.
        pilot: How a lead's events spread over time.
        speed: Factor of journeys over real life.
        leads_per_ms: Arrivals per ms of journey time; they and what follows from them make the number of events.
    """
    hours = list(stretches(zone, start_ms, end_ms))
    scale = (end_ms - start_ms) / sum((hour.end_ms - hour.start_ms) * hour.busyness for hour in hours)
    journey_ms = before = 0.0
    for hour in hours:
        journey_ms += (hour.end_ms - hour.start_ms) * hour.busyness * scale * speed
        total = leads_per_ms * pilot.events_until(journey_ms)
        yield Span(hour.start_ms, hour.end_ms, total - before)
        before = total


def endless_spans(zone: str, start_ms: int, pilot: Pilot, speed: float, leads_per_ms: float) -> Iterator[Span]:
    """Like `history_spans`, for ever: the average rate is reached once customers come back."""
    journey_ms = before = 0.0
    for hour in stretches(zone, start_ms, None):
        journey_ms += (hour.end_ms - hour.start_ms) * hour.busyness * speed
        total = leads_per_ms * pilot.events_until(journey_ms)
        yield Span(hour.start_ms, hour.end_ms, total - before)
        before = total


def even_spans(start_ms: int, end_ms: int | None, events_per_ms: float) -> Iterator[Span]:
    """An even rate, minute by minute."""
    at_ms = start_ms
    while end_ms is None or at_ms < end_ms:
        next_ms = at_ms + 60_000 if end_ms is None else min(at_ms + 60_000, end_ms)
        yield Span(at_ms, next_ms, (next_ms - at_ms) * events_per_ms)
        at_ms = next_ms
