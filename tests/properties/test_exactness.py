"""The engine against the oracle: every cell integer by integer, and every value of every series."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import settings_from
from streams.publication import Published
from tests.exactness import compared_cells
from tests.harness import PurePipeline
from tests.oracle import OracleSettings, cell_differences, cells, kpi_differences, whole_catalogue, world_of
from tests.properties.histories import ZONES, Event, histories
from tests.properties.profile import examples

zones = st.sampled_from(ZONES)


def pipeline_of(zone: str, dedupe_horizon: str = "35d") -> PurePipeline:
    document = {"time": {"clock": "event", "zone": zone}, "pipeline": {"dedupe_horizon": dedupe_horizon}}
    return PurePipeline(settings_from(document), frame_events=7)


def in_order(history: list[Event]) -> list[Event]:
    return sorted(history, key=lambda event: int(event["occurred_at"]))


def newest_ms(events: list[Event]) -> int:
    return max(int(event["occurred_at"]) for event in events)


def assert_cells_exact(pipeline: PurePipeline, events: list[Event], zone: str) -> None:
    oracle, newest = OracleSettings(zone=zone), newest_ms(events)
    expected = cells(world_of(events, oracle, newest + 1).found, oracle)
    assert cell_differences(expected, pipeline.cells(), compared_cells(pipeline.plan, newest)) == []


def assert_values_exact(values: dict[str, Published], events: list[Event], zone: str) -> None:
    expected = whole_catalogue(events, OracleSettings(zone=zone), newest_ms(events) + 1)
    assert kpi_differences(expected, {key: found.value.to_dict() for key, found in values.items()}) == []


@examples(60)
@given(histories(), zones)
def test_in_order_every_cell_and_every_value_equals_the_oracle(history: list[Event], zone: str) -> None:
    events = in_order(history)
    pipeline = pipeline_of(zone)
    values = pipeline.run(events, wall_ms=0)
    assert_cells_exact(pipeline, events, zone)
    assert_values_exact(values, events, zone)


@examples(120)
@given(histories(), zones)
def test_in_any_order_every_cell_equals_the_oracle(history: list[Event], zone: str) -> None:
    pipeline = pipeline_of(zone)
    pipeline.send(history)
    pipeline.fold_all()
    assert_cells_exact(pipeline, history, zone)


@examples(30)
@given(histories(), zones, st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_values_published_on_the_way_equal_the_oracle_at_that_moment(
    history: list[Event], zone: str, parts: tuple[int, int]
) -> None:
    pipeline = pipeline_of(zone)
    for start, end in pairwise(sorted({0, *parts, len(history)})):
        if start < len(history):
            values = pipeline.run(history[start:end], wall_ms=0)
            assert_values_exact(values, history[:end], zone)


@examples(40)
@given(histories(), zones)
def test_accounts_whose_old_statements_are_joined_stay_exact(history: list[Event], zone: str) -> None:
    once = list({event["event_id"]: event for event in in_order(history)}.values())  # older duplicates are not known
    pipeline = pipeline_of(zone, dedupe_horizon="2d")
    pipeline.send(once)
    pipeline.fold_all()
    assert_cells_exact(pipeline, once, zone)
