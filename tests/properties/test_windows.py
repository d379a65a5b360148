"""Whatever the zone, the window and the moment: covers are disjoint and exact, and formulas add up."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from schemas.formula import parse
from schemas.windows import DAY_MS, RESOLUTIONS, SLICE_MS, WINDOW_RESOLUTION, WINDOWS
from streams.sizes import class_value, size_class
from streams.time import FOREVER_MS, Calendar, Cover, Range, ceil_to, difference
from tests.oracle import OracleSettings
from tests.oracle.periods import windows
from tests.properties.profile import examples

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Havana",
)
YEARS_2020_TO_2030 = st.integers(1_577_836_800_000, 1_893_456_000_000)
# Where clocks change, and ends of months, quarters and years, within a day of the moment.
EDGES = st.sampled_from(
    [1_711_846_800_000, 1_729_990_800_000, 1_710_054_000_000, 1_730_613_600_000, 1_735_689_600_000, 1_709_251_200_000]
)
moments = YEARS_2020_TO_2030 | st.builds(lambda edge, shift: edge + shift, EDGES, st.integers(-DAY_MS, DAY_MS))
zones = st.sampled_from(ZONES)
bounded_windows = st.sampled_from([window for window in WINDOWS if window != "all"])


@cache
def calendar_of(zone: str) -> Calendar:
    return Calendar(zone)


def starts(calendar: Calendar, cover: Cover, until_ms: int = FOREVER_MS) -> list[tuple[int, int]]:
    """``(start, end)`` of every slice in a cover that begins before an instant."""
    found = []
    for resolution, start, end in cover:
        at = start
        while at < min(end, until_ms):
            assert calendar.slice_start(resolution, at) == at, "a range begins in the middle of a slice"
            following = calendar.slice_end(resolution, at)
            found.append((at, following))
            at = following
        assert at == end or at >= until_ms, "a range ends in the middle of a slice"
    return found


@examples(150)
@given(zones, bounded_windows, moments)
def test_a_cover_fills_its_interval_without_overlap(zone: str, window: str, now_ms: int) -> None:
    calendar = calendar_of(zone)
    for span in (calendar.window(window, now_ms), calendar.previous(window, now_ms)):
        assert span is not None
        slices = sorted(starts(calendar, calendar.cover(span, WINDOW_RESOLUTION[window])))
        assert all(end == start for (_, end), (start, _) in pairwise(slices))
        if span.end_ms > span.start_ms:
            assert (slices[0][0], slices[-1][1]) == span


@examples(150)
@given(zones, st.sampled_from(WINDOWS), moments)
def test_a_tail_fills_everything_after_an_instant(zone: str, window: str, now_ms: int) -> None:
    calendar, resolution = calendar_of(zone), WINDOW_RESOLUTION[window]
    end_ms = calendar.window(window, now_ms).end_ms
    slices = starts(calendar, calendar.tail(end_ms, resolution), end_ms + 3 * DAY_MS)
    assert slices[0][0] == end_ms
    assert all(end == start for (_, end), (start, _) in pairwise(slices))


@examples(300)
@given(zones, moments)
def test_windows_and_their_previous_are_those_of_the_oracle(zone: str, now_ms: int) -> None:
    calendar = calendar_of(zone)
    for name, expected in windows(now_ms, OracleSettings(zone=zone)).items():
        assert calendar.window(name, now_ms) == (expected.start_ms, expected.end_ms), name
        previous = calendar.previous(name, now_ms)
        assert previous == (None if previous is None else (expected.previous_start_ms, expected.previous_end_ms)), name
        assert (previous is None) == (expected.previous_start_ms is None)


@examples(100)
@given(zones, moments, st.sampled_from(RESOLUTIONS))
def test_an_instant_lies_in_one_slice_and_slices_nest(zone: str, now_ms: int, resolution: str) -> None:
    calendar = calendar_of(zone)
    start = calendar.slice_start(resolution, now_ms)
    assert start <= now_ms < calendar.slice_end(resolution, start)
    for coarser in RESOLUTIONS[RESOLUTIONS.index(resolution) :]:
        assert calendar.slice_start(coarser, start) == calendar.slice_start(coarser, now_ms)


edges = st.integers(0, 40)
sizes = st.integers(0, 53).flatmap(lambda bits: st.integers(0, 2**bits))
covers = st.lists(
    st.builds(lambda r, a, b: Range(r, min(a, b), max(a, b)), st.sampled_from(["10s", "1m"]), edges, edges), max_size=1
).map(tuple)


@examples(200)
@given(covers, covers)
def test_difference_leaves_what_is_in_one_and_not_in_the_other(new: Cover, old: Cover) -> None:
    def points(ranges: Iterable[Range]) -> set[tuple[str, int]]:
        return {(part.resolution, at) for part in ranges for at in range(part.start_ms, part.end_ms)}

    assert points(difference(new, old)) == points(new) - points(old)


@examples(200)
@given(sizes, sizes)
def test_a_size_class_stands_for_a_value_within_half_a_percent_and_keeps_the_order(one: int, other: int) -> None:
    assert abs(class_value(size_class(one)) - one) <= (0 if one < 100 else one * 0.005 + 1)
    if one <= other:
        assert size_class(one) <= size_class(other)


@examples(100)
@given(st.integers(0, 10**12), st.sampled_from(list(SLICE_MS.values())))
def test_rounding_up_gives_the_next_multiple(ms: int, length_ms: int) -> None:
    assert ceil_to(ms, length_ms) % length_ms == 0
    assert 0 <= ceil_to(ms, length_ms) - ms < length_ms


names = st.sampled_from(["won", "lost", "kept"])
formulas = st.recursive(
    names,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-"), inner)
        | st.builds("{} * ({})".format, st.integers(0, 9), inner)
    ),
    max_leaves=6,
)


@examples(150)
@given(formulas, st.fixed_dictionaries({name: st.integers(-9, 9) for name in ("won", "lost", "kept")}))
def test_a_formula_means_what_python_makes_of_it(formula: str, sums: dict[str, int]) -> None:
    meaning = eval(formula, {"__builtins__": {}}, sums)  # the formula is ours, three names and integers
    assert sum(term.coefficient * prod(sums[name] for _, name in term.factors) for term in parse(formula)) == meaning
