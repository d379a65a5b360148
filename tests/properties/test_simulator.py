"""Invariants of the simulated floor, whatever the seed and the settings."""

import itertools

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulator import ConversionDrop, Currency, LivePace, SimulationConfig, live, simulate
from streams.simulator.diary import Diary
from streams.simulator.journey import journey
from streams.simulator.world import World
from tests.unit.streams.simulator_checks import DAY_MS, START_MS, complaints, occurred_ms

HOUR_MS = 3_600_000.0

configs = st.builds(
    SimulationConfig,
    seed=st.integers(0, 2**40),
    events_per_second=st.sampled_from([0.01, 0.2, 4.0, 300.0]),
    teams=st.integers(1, 9),
    reps=st.integers(1, 120),
    speed=st.sampled_from([1.0, 60.0, 1440.0]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Los_Angeles"]),
    currencies=st.sampled_from([(), (Currency("EUR", 0.5, 1.1),)]),
    omit_share=st.floats(0, 1),
    conversion_drop=st.none() | st.builds(ConversionDrop, after_s=st.floats(0, 1e6), factor=st.floats(0, 1)),
    time_format=st.sampled_from(["rfc3339", "ms", "mixed"]),
    max_open=st.sampled_from([1, 50, 100_000]),
)
starts_ms = st.integers(START_MS, START_MS + 400 * DAY_MS)


@settings(max_examples=40, deadline=None)
@given(configs, starts_ms, st.integers(1, 40 * DAY_MS))
def test_a_history_is_ordered_unique_well_formed_and_of_its_length(
    config: SimulationConfig, start_ms: int, length_ms: int
) -> None:
    length_ms = min(length_ms, int(3_000_000 / config.events_per_second))
    last_ms: dict[object, int] = {}
    ids: set[object] = set()
    before_ms = start_ms
    count = 0
    for topic, key, event, at_ms in simulate(config, start_ms, start_ms + length_ms):
        assert complaints(topic, event) == []
        assert before_ms <= at_ms < start_ms + length_ms
        assert occurred_ms(event) == at_ms
        assert event["event_id"] not in ids
        if topic not in ("spend", "targets"):
            assert key == event["account_id"]
            assert at_ms > last_ms.get(key, -1)
            last_ms[key] = at_ms
        ids.add(event["event_id"])
        before_ms = at_ms
        count += 1
    goals_at_least = config.reps + config.teams + 20
    expected = config.events_per_second * length_ms / 1000
    assert expected * 0.95 - 2 <= count <= expected * 1.05 + goals_at_least


@settings(max_examples=15, deadline=None)
@given(configs, starts_ms)
def test_equal_seeds_give_equal_bytes_and_others_do_not(config: SimulationConfig, start_ms: int) -> None:
    def lines(config: SimulationConfig) -> list[bytes]:
        events = itertools.islice(live(config, start_ms, LivePace(backfill_days=2, backfill_limit=500)), 1_500)
        return [orjson.dumps([event.topic, event.key, event.event, event.at_ms]) for event in events]

    first = lines(config)
    assert lines(config) == first
    other = SimulationConfig(seed=config.seed + 1, events_per_second=config.events_per_second)
    assert lines(other) != first


@settings(max_examples=15, deadline=None)
@given(configs, starts_ms)
def test_an_endless_history_begins_like_any_and_does_not_end(config: SimulationConfig, start_ms: int) -> None:
    events = list(itertools.islice(simulate(config, start_ms), 800))
    times_ms = [event.at_ms for event in events]
    assert len(events) == 800
    assert times_ms == sorted(times_ms)
    assert times_ms[0] >= start_ms


@given(st.lists(st.tuples(st.floats(0, 50 * HOUR_MS), st.booleans())))
def test_a_diary_gives_back_in_order_what_was_put_in(steps: list[tuple[float, bool]]) -> None:
    world = World(SimulationConfig(), "", 0)
    account = world.new_account()
    diary = Diary()
    added: list[float] = []
    taken: list[float] = []
    now_ms = 0.0
    for number, (wait_ms, take) in enumerate(steps):
        diary.add((now_ms + wait_ms, number, journey(world, account), account, "", {}))
        added.append(now_ms + wait_ms)
        if take and (due := diary.take()) is not None:
            now_ms = due[0]
            taken.append(now_ms)
    while (due := diary.take()) is not None:
        taken.append(due[0])
    assert taken == sorted(added)
