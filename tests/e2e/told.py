"""What is told beside values: the history of series on the wall's API, and moments on their topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from agents.kafka import TopicPartition
from agents.reading import read_to_end
from schemas.settings import Settings
from tests.e2e.history import Truth
from tests.e2e.product import Process
from tests.oracle.compare import TOLERANCE
from tests.oracle.events import instant_ms
from tests.oracle.kpis import KpiValue
from tests.oracle.slices import Trend


async def wrong_histories(truth: Truth, wall: Process) -> list[str]:
    """What is wrong with the points of all trends; every one must be there, and none after them."""
    lines: list[str] = []
    for trend, expected in truth.trends.items():
        kpi, dims, step = trend
        where = "".join(f"&where={part.replace('=', ':')}" for part in dims.split(",") if part)
        body = await wall.get(f"/api/v1/history?kpi={kpi}&step={step}{where}")
        if body is None:
            lines.append(f"history: {trend}: no answer")
            continue
        found = {instant_ms(point["start"]): point for point in orjson.loads(body)["series"][0]["points"]}
        lines += _differences(trend, expected, found)
    return lines


def _differences(
    trend: Trend, expected: Mapping[int, KpiValue], found: Mapping[int, Mapping[str, Any]]
) -> Iterator[str]:
    # What has just gone out of the eight days of hours is no longer restated, nor asked for.
    for start_ms in sorted(expected.keys() | {start_ms for start_ms in found if start_ms >= min(expected)}):
        wanted, point = expected.get(start_ms), found.get(start_ms)
        if wanted is None or point is None:
            yield f"history: {trend} at {start_ms}: {point}, not {wanted}"
        elif trend[0].endswith("_p90"):
            value, got = wanted["value"], point["value"]
            if (value is None) != (got is None) or abs((value or 0) - (got or 0)) > TOLERANCE * (value or 0):
                yield f"history: {trend} at {start_ms}: {got}, not {value}"
        elif (wanted["numerator"], wanted["denominator"]) != (point["numerator"], point["denominator"]):
            yield f"history: {trend} at {start_ms}: {point}, not {wanted}"


async def moment_ids(settings: Settings) -> list[str]:
    """The ids of all moments in the order in which they were told."""
    topic = TopicPartition(settings.topics.moments, 0)
    return [record.key.decode() async for batch in read_to_end(settings, [topic]) for record in batch]


def wrong_moments(truth: Truth, ids: list[str]) -> list[str]:
    """Whether each moment was told once, and every sale is among them."""
    told_twice = sorted({moment for moment in ids if ids.count(moment) > 1}) if len(set(ids)) < len(ids) else []
    wins = {moment.removeprefix("deal_won/") for moment in ids if moment.startswith("deal_won/")}
    return [
        *(f"moments: {moment}: told {ids.count(moment)} times" for moment in told_twice),
        *(f"moments: win {win}: not told" for win in sorted(truth.wins - wins)),
        *(f"moments: win {win}: there is no such sale" for win in sorted(wins - truth.wins)),
    ]
