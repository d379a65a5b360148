"""A sales floor's leads and first purchases by the minute, seeded, as sums the conversion alert can ask for."""

from itertools import accumulate
from math import exp
from random import Random

import msgspec

from schemas.windows import MINUTE_MS
from streams.alerting.statistics import Counts

DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES


class Drop(msgspec.Struct, frozen=True):
    """Conversion is multiplied by ``factor`` in the minutes ``[start, end)``."""

    start: int
    end: int
    factor: float


class Floor:
    """Counts a minute since time 0, with prefix sums, so that a window of any length costs the same."""

    def __init__(self, leads: list[int], conversions: list[int]) -> None:
        self.leads = [0, *accumulate(leads)]
        self.conversions = [0, *accumulate(conversions)]

    def counts(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """(conversions, leads) over ``[start_ms, end_ms)``; nothing happened before time 0."""
        start, end = max(0, start_ms // MINUTE_MS), max(0, end_ms // MINUTE_MS)
        return self.conversions[end] - self.conversions[start], self.leads[end] - self.leads[start]

    def minutes(self) -> int:
        """How long it is open."""
        return len(self.leads) - 1


def simulate(
    random: Random,
    minutes: int,
    conversions_an_hour: float,
    drift: float = 0.10,
    rate: float = 0.03,
    drop: Drop | None = None,
) -> Floor:
    """Poisson traffic whose conversion differs from week to week by ``drift`` (relative standard deviation)."""
    leads_a_minute = conversions_an_hour / rate / 60
    weeks = [max(0.05, random.gauss(1, drift)) for _ in range(minutes // WEEK_MINUTES + 1)]
    leads, conversions = [], []
    for minute in range(minutes):
        factor = drop.factor if drop is not None and drop.start <= minute < drop.end else 1.0
        leads.append(_poisson(random, leads_a_minute))
        conversions.append(_poisson(random, leads_a_minute * rate * weeks[minute // WEEK_MINUTES] * factor))
    return Floor(leads, conversions)


def steady(leads_a_minute: int, conversions_every: int, minutes: int, drop: Drop | None = None) -> Floor:
    """No chance at all: one conversion every so many leads, during a drop every ``1 / factor`` times as many."""
    leads, conversions, due = [], [], 0.0
    for minute in range(minutes):
        factor = drop.factor if drop is not None and drop.start <= minute < drop.end else 1.0
        due += leads_a_minute / conversions_every * factor
        leads.append(leads_a_minute)
        conversions.append(int(due))
        due -= int(due)
    return Floor(leads, conversions)


def shifted(counts: Counts, by_ms: int) -> Counts:
    """The same counts, asked for at times that are later by ``by_ms``."""
    return lambda start_ms, end_ms: counts(start_ms - by_ms, end_ms - by_ms)


def _poisson(random: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count
