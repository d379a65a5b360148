"""The values of a believable day on a sales floor, hour by hour, to look at a wall with."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from schemas.catalogue import KPIS
from schemas.kpi import KpiValue
from schemas.playlist import history_series, playlist
from schemas.settings import settings_from
from schemas.windows import HOUR_MS
from streams.history import HistoryPoint, HistoryStep, slices
from streams.time import Calendar, Span
from tests.publications import kpi_value

REPS = (
    "Amara Lindqvist",
    "Tomasz Wren",
    "Ilse Hartmann",
    "Noor Valdez",
    "Piet Okafor",
    "Rosa Bellamy",
    "Jun Castellan",
    "Mila Frost",
)
TEAMS = ("North Harbour", "Old Mill", "Riverside", "Hilltop")
REGIONS = ("Central", "East", "West")
PRODUCTS = ("Atlas Desk Pro", "Atlas Desk", "Beacon Lamp", "Atlas Chair", "Beacon Mini", "Corner Shelf", "Dock 500")
SOURCES = ("web", "referral", "fair", "phone", "partner")
STAGES = ("new", "contacted", "first_meeting", "proposal", "negotiation")
CHANNELS = ("phone", "instagram", "whatsapp", "store")
_BROKEN_DOWN = {"rep": REPS, "team": TEAMS, "region": REGIONS, "product": PRODUCTS, "source": SOURCES}
_SCALES: Final = {"today": 1, "mtd": 9, "30d": 13, "ytd": 95, "all": 211}
_DAY_S: Final = 86_400


def values_at(step: int, end_ms: int, *, seed: int = 7) -> Iterator[KpiValue]:
    """Everything the wall asks for, after so many steps of the day; numbers only grow from step to step.

    Args:
        step: From 0.
        end_ms: End of the windows.
        seed: Of the differences between reps, products and so on.
    """
    for window in _SCALES:
        yield from _window(window, step, end_ms, seed)
        yield from _funnel(window, step, end_ms)
        yield from _customers(window, step, end_ms)
    for dimensions, goal in (({}, 250_000_00), ({"rep": REPS[0]}, 40_000_00)):
        yield from _goal(dimensions, goal, step, end_ms)


def history_at(end_ms: int, *, seed: int = 7) -> Iterator[HistoryPoint]:
    """What the trends and heats of the built-in playlist show: quiet nights and weekends, busy mornings."""
    calendar = Calendar("UTC")
    for kpi, dims in history_series(playlist(settings_from({}).wall, KPIS)):
        chance = random.Random(f"{seed}{kpi}")
        for step in ("1h", "1d"):
            for span in slices(step, end_ms, calendar):
                yield _point(kpi, dims, step, span, end_ms, chance)


def _point(kpi: str, dims: str, step: HistoryStep, span: Span, end_ms: int, chance: random.Random) -> HistoryPoint:
    hours = [start for start in range(span.start_ms, span.end_ms, HOUR_MS) if start < end_ms]
    busy = sum(_busy(start) for start in hours) * chance.uniform(0.75, 1.3)
    scale = 410_000 if kpi == "revenue" else 11
    number = round(busy * scale)
    return HistoryPoint(kpi, dims, step, span.start_ms, number / 100 if kpi == "revenue" else number, number, None)


def _busy(hour_ms: int) -> float:
    at = datetime.fromtimestamp(hour_ms / 1_000, UTC)
    if at.weekday() > 4 or not 7 <= at.hour <= 18:
        return 0.03 if 9 <= at.hour <= 16 else 0.0
    lunch = 0.6 if at.hour in (12, 13) else 1.0
    return lunch * math.exp(-(((at.hour - 11.5) / 4.2) ** 2)) * (1.25 if at.weekday() in (1, 2) else 1.0)


def _window(window: str, step: int, end_ms: int, seed: int) -> Iterator[KpiValue]:
    scale = _SCALES[window]
    has_previous = window != "all"
    won, lost, leads = (scale * base + step * each for base, each in ((12, 1), (8, 1), (160, 7)))
    qualified, sent, accepted = leads * 6 // 10, won * 19 // 10, won * 13 // 10
    new, calls, buyers = won * 8 // 10, leads * 3 + step, won * 9 // 10
    cents = won * 236_091 + step * 1_234
    make = partial(kpi_value, window=window, revision=step + 1, end_ms=end_ms)

    def count(kpi: str, number: int, before: float) -> KpiValue:
        previous = round(number * before) if has_previous else None
        return make(kpi, value=number, numerator=number, previous=previous)

    def ratio(kpi: str, over: int, under: int, before: float | None) -> KpiValue:
        previous = before if has_previous else None
        return make(kpi, value=over / under, numerator=over, denominator=under, previous=previous)

    previous = cents / 118 if has_previous else None
    yield make("revenue", value=cents / 100, numerator=cents, previous=previous)
    yield count("deals_won", won, 0.9)
    yield ratio("win_rate", won, won + lost, 0.59)
    yield ratio("lead_conversion", new, leads, 0.081)
    yield make(
        "average_ticket",
        value=cents / won / 100,
        numerator=cents,
        denominator=won,
        previous=2_410.07 if has_previous else None,
    )
    yield count("leads_created", leads, 1.07)
    yield count("calls", calls, 0.97)
    yield count("active_customers", buyers, 1.0)
    yield count("opportunities_created", qualified, 0.95)
    yield count("quotes_sent", sent, 0.95)
    yield count("quotes_accepted", accepted, 0.95)
    yield ratio("email_open_rate", leads * 2 // 5, leads, 0.36)
    yield make("cac", value=412.35, numerator=41_235 * new, denominator=new, previous=430.1 if has_previous else None)
    yield make("roi", value=1.4231, numerator=14_231, denominator=10_000, previous=1.2 if has_previous else None)
    for channel, share in zip(CHANNELS, (0.142, 0.118, 0.067, 0.031), strict=True):
        under = leads // 4
        over = round(under * share)
        yield make(
            "channel_conversion", dimensions={"channel": channel}, value=over / under, numerator=over, denominator=under
        )
    for dimension, names in _BROKEN_DOWN.items():
        yield from _broken_down(dimension, names, (cents, won), make, seed)


def _broken_down(
    dimension: str, names: Iterable[str], of: tuple[int, int], make: partial[KpiValue], seed: int
) -> Iterator[KpiValue]:
    cents, won = of
    chosen = tuple(names)
    for rank, (name, share) in enumerate(zip(chosen, _shares(len(chosen), seed), strict=True), 1):
        part = {dimension: name}
        mine = int(cents * share)
        yield make("revenue", dimensions=part, value=mine / 100, numerator=mine)
        if dimension == "rep":
            deals = int(won * share)
            yield make("deals_won", dimensions=part, value=deals, numerator=deals)
            ranked = make("revenue_per_rep", dimensions=part, value=mine / 100, numerator=mine)
            yield msgspec.structs.replace(ranked, rank=rank)


def _funnel(window: str, step: int, end_ms: int) -> Iterator[KpiValue]:
    make = partial(kpi_value, window=window, revision=step + 1, end_ms=end_ms)
    entered = 160 * _SCALES[window] + 7 * step
    lowest: tuple[float, str, int, int] | None = None
    for stage, share in zip(STAGES, (0.81, 0.62, 0.25, 0.55, 0.58), strict=True):
        onward = round(entered * share)
        yield make(
            "stage_conversion",
            dimensions={"stage": stage},
            value=onward / entered,
            numerator=onward,
            denominator=entered,
        )
        found = (onward / entered, stage, onward, entered)
        lowest = found if lowest is None else min(lowest, found)
        entered = onward
    assert lowest is not None
    weakest = make("weakest_stage", value=lowest[0], numerator=lowest[2], denominator=lowest[3], previous=0.15)
    yield msgspec.structs.replace(weakest, label=lowest[1])
    yield make("stuck_leads", value=37 - step // 4, numerator=37 - step // 4, previous=45)
    yield make("stage_dwell_mean", value=3.4 * _DAY_S, numerator=34 * _DAY_S, denominator=10, previous=2.9 * _DAY_S)
    yield make("open_pipeline", value=1_204_330.5 + step, numerator=120_433_050 + 100 * step, previous=1_150_000)


def _customers(window: str, step: int, end_ms: int) -> Iterator[KpiValue]:
    make = partial(kpi_value, window=window, revision=step + 1, end_ms=end_ms)
    for name, customers, cents in (("A", 38, 96_133_000), ("B", 61, 18_022_500), ("C", 213, 6_015_200)):
        part = {"abc_class": name}
        yield make("abc_customers", dimensions=part, value=customers, numerator=customers, previous=customers)
        yield make("abc_revenue", dimensions=part, value=cents / 100, numerator=cents, previous=cents / 110)
        yield make("abc_share", dimensions=part, value=cents / 120_170_700, numerator=cents, denominator=120_170_700)
    for name, share in (("new", 0.412), ("returning", 0.588)):
        yield make(
            "new_vs_returning_revenue_share",
            dimensions={"customer_class": name},
            value=share,
            numerator=round(share * 24_000_000),
            denominator=24_000_000,
            previous=share + 0.021,
        )
    yield make("churn_rate", value=9 / 312, numerator=9, denominator=312, previous=12 / 300)
    yield make("ltv", value=3_851.62, numerator=120_170_700, denominator=312, previous=3_790.0)
    yield make("ltv_cac", value=9.34, numerator=934, denominator=100, previous=8.81)


def _goal(dimensions: dict[str, str], goal: int, step: int, end_ms: int) -> Iterator[KpiValue]:
    """A goal of the month, 14 of 20 working days into it."""
    make = partial(kpi_value, window="mtd", dimensions=dimensions, revision=step + 1, end_ms=end_ms)
    actual, elapsed, whole = goal * 78 // 100 + 100 * step, 14, 20
    pace = actual * whole / (goal * elapsed)
    yield make("target_attainment", value=actual / goal, numerator=actual, denominator=goal)
    yield make("target_pace", value=pace, numerator=actual * whole, denominator=goal * elapsed)
    projection = make(
        "target_projection", value=actual * whole / elapsed / 100, numerator=actual * whole, denominator=elapsed
    )
    yield msgspec.structs.replace(projection, unit="money", currency="USD")


def _shares(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    weights = sorted((chance.uniform(1, 4) for _ in range(count)), reverse=True)
    return [weight / sum(weights) for weight in weights]
