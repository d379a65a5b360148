"""Window sums after any order of changes and any moves of the clock are those of adding up what lies in the window."""

from __future__ import annotations

import random
from collections import Counter
from unittest import mock

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, WINDOWS
from schemas.wire import CellsMessage, CellUpdate
from streams.publication import Published
from streams.rollup import series as series_module
from streams.rollup.owner import Rollup, RollupRules
from streams.rollup.series import Change, Series
from streams.rollup.timeline import Timeline
from streams.time import Calendar, Span
from tests.properties.crash_logs import PLAN
from tests.properties.profile import examples

CALENDARS = {zone: Calendar(zone) for zone in ("UTC", "Europe/Berlin", "America/New_York")}
START_MS = 1_729_900_000_000  # two days before clocks go back in Berlin, eight in New York
zones = st.sampled_from(sorted(CALENDARS))
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1_000, 10_000, MINUTE_MS, 15 * MINUTE_MS, 7 * HOUR_MS, 4 * DAY_MS]),  # the clock moves on
        st.lists(
            st.tuples(
                st.sampled_from([-40 * DAY_MS, -3 * DAY_MS, -5 * HOUR_MS, -90_000, 0, 2 * HOUR_MS]),
                st.integers(-60_000, 60_000),
                st.integers(-2, 3),
            ),
            max_size=3,
        ),
        st.booleans(),  # the series is seen, and brought to the present for that
    ),
    min_size=1,
    max_size=12,
)
Step = tuple[int, list[tuple[int, int, int]], bool]


def inside(events: list[tuple[int, int]], span: Span | None) -> int:
    return sum(n for at_ms, n in events if span is not None and span.start_ms <= at_ms < span.end_ms)


def from_on(events: list[tuple[int, int]], start_ms: int) -> int:
    return sum(n for at_ms, n in events if at_ms >= start_ms)


@examples(120)
@given(zones, steps, st.booleans())
def test_window_sums_equal_brute_force(zone: str, history: list[Step], anew: bool) -> None:
    calendar = CALENDARS[zone]
    series, timeline = Series(""), Timeline(calendar)
    events: list[tuple[int, int]] = []
    now_ms = START_MS
    with mock.patch.object(series_module, "_ANEW_SHARE", 8 if anew else 0):
        for passed_ms, additions, is_seen in history:
            now_ms += passed_ms
            for shift, jitter, n in additions:
                at_ms = now_ms + shift + jitter
                events.append((at_ms, n))
                for index, resolution in enumerate(RESOLUTIONS):
                    series.change(Change(index, calendar.slice_start(resolution, at_ms), {"n": n}))
            timeline.advance(now_ms)
            if is_seen:
                series.bring_to(timeline.moment)
        series.bring_to(timeline.moment)
    for index, window in enumerate(WINDOWS):
        current, previous = series.window_sums(index)
        span, before = calendar.window(window, now_ms), calendar.previous(window, now_ms)
        if window != "all":
            assert current.flow.get("n", 0) == inside(events, span), window
            assert previous is not None
            assert previous.flow.get("n", 0) == inside(events, before), window
        assert current.tail.get("n", 0) == from_on(events, span.end_ms), window
        if before is not None and previous is not None:
            assert previous.tail.get("n", 0) == from_on(events, before.end_ms), window
    assert series.total.get("n", 0) == sum(n for _, n in events)


messages = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["", "rep=r"]), st.integers(0, 3), st.integers(0, 6)), max_size=25
)


@examples(60)
@given(messages, st.randoms(use_true_random=False))
def test_values_depend_on_what_was_said_and_not_on_its_order(
    said: list[tuple[int, str, int, int]], rng: random.Random
) -> None:
    def rollup_of(sayings: list[CellsMessage]) -> dict[str, object]:
        rules = RollupRules("USD", 2, "event", 10_000, 10_000)
        rollup = Rollup(0, PLAN, CALENDARS["Europe/Berlin"], rules, has_global=True)
        for message in sayings:
            rollup.take(message, 0)
        publication = rollup.publication(0)
        # What was taken back before anything was published may be there, empty, or not.
        return {value.key: value.value for value in publication.values if any(_parts(value))} if publication else {}

    # One partition's cell at a fence is one thing, so its content follows from its place and fence.
    sayings = [
        CellsMessage(p, fence, START_MS, 0, 0, None, {dims: _cells(p, slot, fence)}) for p, dims, slot, fence in said
    ]
    again = [*sayings, *rng.sample(sayings, len(sayings) // 2)]
    rng.shuffle(again)
    assert rollup_of(again) == rollup_of(sayings)


def _parts(published: Published) -> tuple[object, ...]:
    value = published.value
    return value.value, value.numerator, value.denominator, value.previous


def _cells(partition: int, slot: int, fence: int) -> list[CellUpdate]:
    calendar, at_ms = CALENDARS["Europe/Berlin"], START_MS - slot * 7 * HOUR_MS
    sums = Counter({"calls": 1 + fence + partition, "new_customers": fence % 3})
    return [
        CellUpdate(index, calendar.slice_start(resolution, at_ms), fence, dict(+sums), whole=True)
        for index, resolution in enumerate(RESOLUTIONS[:-1])
    ] + [CellUpdate(len(RESOLUTIONS) - 1, 0, fence, {"calls": 100 + fence, "new_customers": 7 + fence})]


@examples(40)
@given(messages)
def test_messages_survive_their_encoding(said: list[tuple[int, str, int, int]]) -> None:
    sayings = [CellsMessage(p, fence, None, 0, 0, 5, {dims: _cells(p, slot, fence)}) for p, dims, slot, fence in said]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sayings), type=list[CellsMessage]) == sayings
