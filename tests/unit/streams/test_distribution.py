"""What is found with keyed measures, beside a computation that goes through all values one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.rollup.distribution import Histogram, add_names
from streams.rollup.sums import WindowSums
from streams.sizes import class_value

SIZES = st.dictionaries(st.integers(0, 1_500), st.integers(-2, 5), max_size=30)
"""Size class -> how many: below 0 where another partition has not said yet what it took back."""


def window_sums(flow: dict[int, int], total: dict[int, int], tail: dict[int, int]) -> WindowSums:
    flows, totals, tails = ({f"days#{size}": count for size, count in counts.items()} for counts in (flow, total, tail))
    return WindowSums(flows, tails, totals, 0, 0, {})


@given(SIZES, st.integers(1, 100))
def test_a_percentile_is_the_nearest_rank(counts: dict[int, int], rank: int) -> None:
    ordered = sorted(size for size, count in counts.items() for _ in range(count))
    expected = class_value(ordered[-(-len(ordered) * rank // 100) - 1]) if ordered else None
    assert window_sums(counts, {}, {}).histogram("days", whole=False).percentile(rank) == expected


@given(SIZES, SIZES, st.integers(1, 100))
def test_of_everything_it_leaves_out_what_came_after(total: dict[int, int], tail: dict[int, int], rank: int) -> None:
    until_then = {size: total.get(size, 0) - tail.get(size, 0) for size in total | tail}
    expected = window_sums(until_then, {}, {}).histogram("days", whole=False).percentile(rank)
    assert window_sums({}, total, tail).histogram("days", whole=True).percentile(rank) == expected


def test_a_histogram_has_room_for_sizes_that_come_later() -> None:
    sums = window_sums({300: 1}, {}, {})
    assert sums.histogram("days", whole=False) == Histogram(["days#300"], [1])
    names = sums.memo["names"]
    add_names(names, ["days#20", "other#7"])
    later = WindowSums({"days#300": 1, "days#20": 4}, {}, {}, 0, 0, {}, names)
    assert later.histogram("days", whole=False) == Histogram(["days#20", "days#300"], [4, 5])
    assert later.histogram("never", whole=False).percentile(50) is None
