"""Explanations against the engine: readings, slices and events each make up every value that was published."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import orjson
from hypothesis import example, given

from schemas.explanation import Events, Slices
from schemas.windows import WINDOWS
from streams.explain.attribution import Attribution
from streams.explain.book import Book
from streams.explain.causes import event_types_of, kinds_needed
from streams.explain.document import Gathering
from streams.explain.parts import Explainer, Moment, Parts
from streams.fold.rules import fold_rules
from streams.publication import Published
from streams.rollup.upstream import rollup_rules
from streams.worktime import work_time
from tests.harness import PurePipeline
from tests.properties.histories import Event, histories
from tests.properties.profile import examples
from tests.properties.test_exactness import newest_ms, pipeline_of, zones


def explainer_of(pipeline: PurePipeline) -> Explainer:
    worktime = work_time(pipeline.settings, pipeline.calendar)
    return Explainer(pipeline.plan, pipeline.calendar, rollup_rules(pipeline.settings), worktime)


def book_of(pipeline: PurePipeline, history: Iterable[Event], kinds: frozenset[int]) -> Book:
    book = Book(pipeline.settings, kinds, {})
    messages = [
        SimpleNamespace(key=None, value=orjson.dumps(event), offset=offset, headers=())
        for offset, event in enumerate(history)
    ]
    book.take(0, messages)
    return book


def found_in(pipeline: PurePipeline, history: Iterable[Event], parts: Parts) -> Events:
    """What the events of a history are said to have added."""
    readings = parts.anatomy.readings.values()
    attribution = Attribution(pipeline.plan, pipeline.calendar, fold_rules(pipeline.settings), parts.dims, readings)
    gathering = Gathering(limit=1_000)
    measures = [pipeline.plan.measures[reading.measure] for reading in readings]
    book_of(pipeline, history, kinds_needed(measures, parts.dims)).attribute(attribution, gathering)
    return gathering.document(parts.anatomy, parts.sums, [("events", 0)], pipeline.plan.dimensions, messages=0)


def explained(
    pipeline: PurePipeline, history: list[Event], windows: Iterable[str] = ("5m", "30d", "mtd", "all")
) -> Iterable[tuple[Published, Parts]]:
    moment = Moment(newest_ms(history) + 1, pipeline.rollup.series, pipeline.values)
    explainer = explainer_of(pipeline)
    for said in pipeline.values.values():
        if said.window in windows:
            yield said, explainer.parts(said.value, moment)


def of_slices(slices: Slices) -> dict[str, int]:
    sums = dict(slices.starts)
    for each in slices.slices:
        for label, amount in each.sums.items():
            sums[label] = sums.get(label, 0) + amount
    return {label: amount for label, amount in sums.items() if amount}


_WON = {"event_type": "deal.won", "account_id": "a", "deal_id": "d1", "occurred_at": 1_729_979_880_000}
_NOBODY_WON = [{**_WON, "event_id": "e1", "rep_id": "r1"}, {**_WON, "event_id": "e2", "occurred_at": 1_729_977_060_000}]
"""A win whose first statement, which comes late and is the one that counts, names no rep: r1 is in no ranking."""


@examples(15)
@example(_NOBODY_WON, "UTC")
@given(histories(), zones)
def test_events_and_readings_make_up_every_published_value(history: list[Event], zone: str) -> None:
    pipeline = pipeline_of(zone)
    pipeline.run(history, wall_ms=0)
    for said, parts in explained(pipeline, history):
        assert found_in(pipeline, history, parts).difference == {}, said.key
        sides = {name: side.of(parts.sums) for name, side in parts.anatomy.sides().items()}
        if parts.anatomy.needed is not None and parts.anatomy.needed.of(parts.sums) <= 0:
            sides["denominator"] = 0
        published = {"numerator": said.value.numerator, "denominator": said.value.denominator}
        for name, value in sides.items():
            is_in_no_ranking = said.value.rank is None
            assert value == (0 if is_in_no_ranking else published[name]), said.key


@examples(15)
@given(histories(), zones)
def test_slices_add_up_to_the_readings(history: list[Event], zone: str) -> None:
    pipeline = pipeline_of(zone)
    pipeline.run(history, wall_ms=0)
    for said, parts in explained(pipeline, history, WINDOWS):
        if parts.slices is None:
            continue
        end_ms = parts.intervals.span.end_ms
        of_window = {
            label: parts.sums[label]
            for label, reading in parts.anatomy.readings.items()
            if reading.span.end_ms == end_ms and parts.sums[label]
        }
        assert of_slices(parts.slices) == of_window, said.key
        assert 1 <= len(parts.slices.slices) <= 32, said.key


@examples(15)
@given(histories(), zones)
def test_only_events_of_the_types_that_are_named_as_causes_count(history: list[Event], zone: str) -> None:
    pipeline = pipeline_of(zone)
    pipeline.run(history, wall_ms=0)
    for _, parts in explained(pipeline, history):
        measures = [pipeline.plan.measures[reading.measure] for reading in parts.anatomy.readings.values()]
        found = found_in(pipeline, history, parts)
        assert {event.event_type for event in found.events} <= set(event_types_of(measures))
