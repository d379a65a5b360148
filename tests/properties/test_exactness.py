"""The engine against the oracle: every cell integer by integer, and every value of every series."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import Settings, settings_from
from schemas.windows import RETENTION_MS
from tests.harness import PurePipeline
from tests.oracle import OracleSettings, cell_differences, cells, contributions, kpi_differences, kpis
from tests.properties.histories import ZONES, Event, histories
from tests.properties.profile import examples

EXACT = examples(60)
zones = st.sampled_from(ZONES)


def settings_of(zone: str, dedupe_horizon: str = "35d") -> Settings:
    return settings_from(
        {"time": {"clock": "event", "zone": zone}, "pipeline": {"dedupe_horizon": dedupe_horizon}}
    )


def assert_exact(events: list[Event], zone: str, frame_events: int = 7, dedupe_horizon: str = "35d") -> None:
    pipeline = PurePipeline(settings_of(zone, dedupe_horizon), frame_events=frame_events)
    published = pipeline.run(events, wall_ms=0)
    judge(pipeline, events, zone)
    oracle = OracleSettings(zone=zone)
    newest_ms = max(event["occurred_at"] for event in events)
    names = {kpi.name for kpi in pipeline.plan.kpis}
    expected = {
        key: value for key, value in kpis(events, oracle, newest_ms + 1).items() if key.split("|")[0] in names
    }
    values = {key: msgspec.to_builtins(found.value) for key, found in published.items()}
    assert kpi_differences(expected, values) == []


def judge(pipeline: PurePipeline, events: list[Event], zone: str) -> None:
    oracle = OracleSettings(zone=zone)
    newest_ms = max(event["occurred_at"] for event in events)
    groupings = pipeline.plan.groupings

    def is_kept(measure: str, dims: str, resolution: str, start_ms: int) -> bool:
        if dims.partition("=")[0] not in groupings[measure.partition("@")[0]]:
            return False
        return start_ms + RETENTION_MS.get(resolution, 1 << 60) > newest_ms

    assert cell_differences(cells(contributions(events, oracle), oracle), pipeline.cells(), is_kept) == []


@EXACT
@given(histories(), zones)
def test_in_order_every_cell_and_every_value_equals_the_oracle(history: list[Event], zone: str) -> None:
    assert_exact(sorted(history, key=lambda event: event["occurred_at"]), zone)


@EXACT
@given(histories(), zones)
def test_in_any_order_every_cell_and_every_value_equals_the_oracle(history: list[Event], zone: str) -> None:
    assert_exact(history, zone)
