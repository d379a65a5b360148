"""Cells of a series count the same whether they grow or are over."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import MINUTE_MS
from streams.fold.cells import BLOCK_MS
from streams.rollup.slices import Slices, Sums

MINUTES = 1
"""Index of the resolution of a minute; its blocks have 30."""
BLOCK = BLOCK_MS[MINUTES]
NOW = 100 * BLOCK
EARLIEST, LATEST = NOW - 4 * BLOCK, NOW + 2 * BLOCK

minutes = st.integers(EARLIEST // MINUTE_MS, LATEST // MINUTE_MS - 1).map(lambda minute: minute * MINUTE_MS)
deltas = st.dictionaries(st.sampled_from("abc"), st.integers(-(1 << 40), 1 << 40), min_size=1)
steps = st.one_of(st.tuples(minutes, deltas), st.just("tidy"))


def between(slices: Slices, start_ms: int, end_ms: int) -> Sums:
    sums: Sums = {}
    slices.add_to(sums, start_ms, end_ms, 1)
    return sums


@given(
    restored=st.lists(st.tuples(minutes, deltas), max_size=5),
    steps=st.lists(steps, max_size=20),
    edges=st.tuples(minutes, minutes).map(sorted),
)
def test_every_range_has_what_was_added_there(
    restored: list[tuple[int, Sums]], steps: list[Any], edges: list[int]
) -> None:
    slices = Slices(MINUTES)
    counted: dict[int, Counter[str]] = {}
    for start_ms, sums in restored:
        slices.restore(start_ms - start_ms % BLOCK, [(start_ms, sums)])
    for step in [*restored, *steps]:
        if step != "tidy":
            counted.setdefault(step[0], Counter()).update(step[1])
    for step in steps:
        if step == "tidy":
            slices.tidy(EARLIEST, NOW - 2 * MINUTE_MS, NOW)
        else:
            slices.grow(*step)
    start_ms, end_ms = edges
    expected: Counter[str] = Counter()
    for at_ms, sums in counted.items():
        if start_ms <= at_ms < end_ms:
            expected.update(sums)
    assert between(slices, start_ms, end_ms) == {name: value for name, value in expected.items() if value}


def test_what_is_added_is_taken_off() -> None:
    slices = Slices(MINUTES)
    slices.grow(NOW, {"a": 2})
    sums = {"a": 2, "b": 1}
    slices.add_to(sums, NOW, NOW + MINUTE_MS, -1)
    assert sums == {"b": 1}


@pytest.mark.parametrize("grows", [True, False])
def test_of_a_block_that_is_over_no_cell_grows(grows: bool) -> None:
    slices = Slices(MINUTES)
    for minute in range(30):
        slices.grow(NOW - BLOCK + minute * MINUTE_MS, {"a": 1})
    slices.tidy(EARLIEST, NOW - MINUTE_MS if grows else NOW, NOW)
    assert slices.size == (30 if grows else 1)
    assert between(slices, EARLIEST, LATEST) == {"a": 30}


def test_a_cell_of_the_future_may_still_be_moved() -> None:
    slices = Slices(MINUTES)
    slices.grow(NOW + BLOCK, {"a": -1})
    slices.tidy(EARLIEST, NOW - 2 * MINUTE_MS, NOW)
    slices.grow(NOW + BLOCK, {"a": 1})
    slices.grow(NOW + BLOCK + MINUTE_MS, {"a": -1})
    slices.tidy(EARLIEST, NOW - 2 * MINUTE_MS, NOW)
    assert between(slices, NOW + BLOCK, NOW + BLOCK + MINUTE_MS) == {}
    assert between(slices, NOW, LATEST) == {"a": -1}


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    slices = Slices(MINUTES)
    for at_ms in (EARLIEST, NOW - MINUTE_MS):
        slices.grow(at_ms, {"a": 1})
        slices.tidy(EARLIEST, NOW - 2 * MINUTE_MS, NOW)
    slices.tidy(EARLIEST + BLOCK, NOW - 2 * MINUTE_MS, NOW)
    assert between(slices, EARLIEST, LATEST) == {"a": 1}
    slices.tidy(NOW, NOW, NOW)
    assert slices.size == 0
