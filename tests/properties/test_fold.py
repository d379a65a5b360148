"""Whatever crashes, sleeps or is sent twice: the state is that of a fold that was never interrupted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.crash_logs import log_of
from tests.properties.crash_model import Action, Rules, World
from tests.properties.profile import examples

LOGS = 6
_WEIGHTS = {
    "read": 8,
    "skip": 1,
    "emit": 3,
    "send": 3,
    "checkpoint": 4,
    "write": 6,
    "crash": 3,
    "pause": 2,
    "compact": 1,
    "take": 3,
    "publish": 2,
    "snapshot": 1,
    "save": 2,
    "reader crash": 1,
    "reader pause": 1,
}
_NAMES = [name for name, weight in _WEIGHTS.items() for _ in range(weight)]

schedules = st.lists(
    st.tuples(st.sampled_from(_NAMES), st.integers(0, 2), st.integers(1, 7)), min_size=10, max_size=60
)


def run(log_seed: int, schedule: list[Action], rules: Rules | None = None) -> None:
    world = World(log_of(log_seed), rules or Rules())
    world.run(schedule)
    world.finish()


def random_schedule(seed: int) -> list[Action]:
    rng = random.Random(seed)
    return [(rng.choice(_NAMES), rng.choice((0, 0, 1, 2)), rng.randint(1, 7)) for _ in range(60)]


@examples(200)
@given(st.integers(0, LOGS - 1), schedules)
def test_any_schedule_of_crashes_and_zombies_ends_in_the_state_of_an_uninterrupted_fold(
    log_seed: int, schedule: list[Action]
) -> None:
    run(log_seed, schedule)
