"""Explanations against the engine: what events are said to have added makes up every value that was published."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from hypothesis import given

from schemas.rows import Row
from streams.explain.anatomy import Anatomy, Intervals, anatomy_of, of_sums
from streams.explain.attribution import Attribution
from streams.fold.rules import fold_rules
from streams.intake.normalise import Normaliser
from streams.publication import Published
from tests.harness import PurePipeline
from tests.properties.histories import Event, histories
from tests.properties.profile import examples
from tests.properties.test_exactness import newest_ms, pipeline_of, zones


def arrived(pipeline: PurePipeline, history: Iterable[Event]) -> dict[str, list[Row]]:
    """The events by account, in order of arrival."""
    normaliser = Normaliser(pipeline.settings)
    accounts: dict[str, list[Row]] = {}
    for offset, event in enumerate(history):
        row = normaliser.take(orjson.dumps(event), (), 0, offset, 1 << 52)
        accounts.setdefault(row.account, []).append(row)
    return accounts


def anatomy(pipeline: PurePipeline, said: Published, now_ms: int) -> Anatomy:
    kpi = next(kpi for kpi in pipeline.plan.kpis if kpi.name == said.kpi)
    calendar = pipeline.calendar
    now_s = -(-now_ms // 10_000) * 10
    intervals = Intervals(
        said.window, calendar.window(said.window, now_ms), calendar.previous(said.window, now_ms), now_s
    )
    series = pipeline.rollup.series[said.dims]
    denominator = anatomy_of(kpi, pipeline.plan, intervals, VARIABLES).denominator
    fallback = bool(kpi.fallback_denominator) and not any(
        series.total.get(label) for _, labels in (denominator.terms if denominator else ()) for label in labels
    )
    key = str(said.value.label or "") if kpi.lowest else ""
    return anatomy_of(kpi, pipeline.plan, intervals, VARIABLES, fallback=fallback, key=key)


VARIABLES = {"mean_lifetime_s": 730 * 86_400}


@examples(60)
@given(histories(), zones)
def test_contributions_add_up_to_every_published_numerator_and_denominator(history: list[Event], zone: str) -> None:
    pipeline = pipeline_of(zone)
    now_ms = newest_ms(history) + 1
    compared = 0
    for said in pipeline.run(history, wall_ms=0).values():
        kpi = next(kpi for kpi in pipeline.plan.kpis if kpi.name == said.kpi)
        if kpi.goal is not None or kpi.class_of or said.window not in ("5m", "30d", "mtd", "all"):
            continue
        parts = anatomy(pipeline, said, now_ms)
        attribution = Attribution(
            pipeline.plan, pipeline.calendar, fold_rules(pipeline.settings), said.dims, parts.readings.values()
        )
        sums: dict[str, int] = {}
        for rows in arrived(pipeline, history).values():
            for each in attribution.of_account(rows):
                for label, amount in each.sums.items():
                    sums[label] = sums.get(label, 0) + amount
        sides = of_sums(parts.sides(), sums)
        if parts.needed is not None and parts.needed.of(sums) <= 0:
            sides["denominator"] = 0
        expected = {"numerator": said.value.numerator, "denominator": said.value.denominator}
        assert sides == {name: value for name, value in expected.items() if value is not None}, said.key
        compared += 1
    assert compared
