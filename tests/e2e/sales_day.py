"""The values of a believable day on a sales floor, hour by hour, to look at a wall with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

from schemas.kpi import KpiValue
from tests.publications import kpi_value

REPS = (
    "Anna Snelling",
    "Darcel Schlecht",
    "Vicki Laflamme",
    "Kary Hendrixson",
    "Cassey Cress",
    "Donn Cantrell",
    "Reed Clapper",
    "Zane Levy",
)
TEAMS = ("Dustin Brinkmann", "Melvin Marxen", "Summer Sewald", "Celia Rouche")
REGIONS = ("Central", "East", "West")
PRODUCTS = ("GTX Plus Pro", "GTX Pro", "MG Advanced", "GTX Plus Basic", "GTX Basic", "MG Special", "GTK 500")
SOURCES = ("web", "referral", "fair", "phone", "partner")
_BROKEN_DOWN = {"rep": REPS, "team": TEAMS, "region": REGIONS, "product": PRODUCTS, "source": SOURCES}


def values_at(step: int, end_ms: int, *, seed: int = 7) -> Iterator[KpiValue]:
    """Everything the wall asks for, after so many steps of the day; numbers only grow from step to step.

    Args:
        step: From 0.
        end_ms: End of the windows.
        seed: Of the differences between reps, products and so on.
    """
    for window in ("today", "mtd", "ytd", "all"):
        yield from _window(window, step, end_ms, seed)


def _window(window: str, step: int, end_ms: int, seed: int) -> Iterator[KpiValue]:
    scale = {"today": 1, "mtd": 9, "ytd": 95, "all": 211}[window]
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
    for dimension, names in _BROKEN_DOWN.items():
        for name, share in zip(names, _shares(len(names), seed), strict=True):
            part = {dimension: name}
            mine = int(cents * share)
            yield make("revenue", dimensions=part, value=mine / 100, numerator=mine)
            if dimension == "rep":
                deals = int(won * share)
                yield make("deals_won", dimensions=part, value=deals, numerator=deals)


def _shares(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    weights = sorted((chance.uniform(1, 4) for _ in range(count)), reverse=True)
    return [weight / sum(weights) for weight in weights]
