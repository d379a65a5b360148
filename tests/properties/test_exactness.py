"""The engine against the oracle: every cell integer by integer, and every value of every series."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import settings_from
from schemas.windows import RETENTION_MS
from streams.publication import Published
from tests.harness import PurePipeline
from tests.oracle import OracleSettings, cell_differences, cells, contributions, kpi_differences, kpis
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
    oracle, groupings, newest = OracleSettings(zone=zone), pipeline.plan.groupings, newest_ms(events)

    def is_kept(measure: str, dims: str, resolution: str, start_ms: int) -> bool:
        if dims.partition("=")[0] not in groupings[measure.partition("@")[0]]:
            return False
        return newest < start_ms + RETENTION_MS.get(resolution, 1 << 60)

    assert cell_differences(cells(contributions(events, oracle), oracle), pipeline.cells(), is_kept) == []


def assert_values_exact(pipeline: PurePipeline, values: dict[str, Published], events: list[Event], zone: str) -> None:
    names = {kpi.name for kpi in pipeline.plan.kpis}
    expected = kpis(events, OracleSettings(zone=zone), newest_ms(events) + 1)
    expected = {key: value for key, value in expected.items() if key.partition("|")[0] in names}
    assert kpi_differences(expected, {key: found.value.to_dict() for key, found in values.items()}) == []


@examples(60)
@given(histories(), zones)
def test_in_order_every_cell_and_every_value_equals_the_oracle(history: list[Event], zone: str) -> None:
    events = in_order(history)
    pipeline = pipeline_of(zone)
    values = pipeline.run(events, wall_ms=0)
    assert_cells_exact(pipeline, events, zone)
    assert_values_exact(pipeline, values, events, zone)


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
            assert_values_exact(pipeline, values, history[:end], zone)


@examples(40)
@given(histories(), zones)
def test_accounts_whose_old_statements_are_joined_stay_exact(history: list[Event], zone: str) -> None:
    once = list({event["event_id"]: event for event in in_order(history)}.values())  # older duplicates are not known
    pipeline = pipeline_of(zone, dedupe_horizon="2d")
    pipeline.send(once)
    pipeline.fold_all()
    assert_cells_exact(pipeline, once, zone)
