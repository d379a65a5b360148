"""The capacity page is what the measured figures make, and its rules do what it says."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.capacity import FULL, PAGE, TEMPLATE, load, partitions_for, render, workers_for
from tests.benchmarks.tracked import BY_TEAM


def test_the_page_is_what_the_results_make() -> None:
    assert PAGE.read_text() == render(*load()), "run python -m tests.benchmarks.capacity"


def test_other_figures_make_another_page() -> None:
    reference, growth, latency = load()
    faster = json.loads(json.dumps(reference))
    faster["cpu_s_per_100k"]["whole"]["median"] = 1.0
    page = render(faster, growth, latency)
    assert "1,000,000 µs / 10 µs = 100,000 events/s" in page
    assert f"= {100_000 * FULL:,.0f} events/s to plan with" in page
    assert "| 100,000 | 2 | 4 |" in page


def test_latencies_are_told_where_they_were_measured() -> None:
    reference, growth, _ = load()
    rate = {
        "rate": 500.0,
        "latency": {"kafka": {"p50_ms": 123.4, "p99_ms": 567.8}, BY_TEAM: {"p50_ms": 1_234.5, "p99_ms": 2_345.6}},
        "bare": {"latency": {"kafka": {"p50_ms": 12.3, "p99_ms": 45.6}}},
        "core_share": {"worker": 0.25},
        "idle_core_share": {"worker": 0.01},
    }
    page = render(reference, growth, {"rates": [rate]})
    assert "| 500 | 25% | 1.0% | 123 ms | 568 ms | 1,234 ms | 2,346 ms | 12 ms | 46 ms |" in page


@pytest.mark.parametrize(
    ("workers", "partitions"), [(1, 2), (2, 4), (3, 6), (4, 8), (5, 12), (6, 12), (7, 16), (16, 32), (17, 48)]
)
def test_a_worker_has_two_partitions_at_least(workers: int, partitions: int) -> None:
    assert partitions_for(workers) == partitions


def test_a_core_is_not_planned_full() -> None:
    assert workers_for(6_000, core_per_s=10_000) == 1
    assert workers_for(6_001, core_per_s=10_000) == 2


def test_no_measured_figure_is_typed_into_the_page() -> None:
    reference, _, _ = load()
    costs = [f"{cost['median'] * 10:,.0f} µs" for cost in reference["cpu_s_per_100k"].values()]
    assert not [cost for cost in costs if f" {cost}" in TEMPLATE.read_text()]
