"""Whatever crashes, sleeps, is lost, sent twice or out of order: what is stored and published is what the events say.

The product runs as it is: intake, fold, checkpoints, recovery, rollup, publication, on a broker and a clock in memory.
A schedule that ends wrong is cut down to the few steps that matter, and printed as calls of the rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.errors import StateError
from tests.model.machine import Schedules
from tests.model.mutations import MUTATIONS, Mutation
from tests.model.scenarios import SCENARIOS, play

_CI_SCHEDULES = 1_200
_CI_STEPS = 5
_SOAK_SCHEDULES = 20_000
_SOAK_STEPS = 30


def _run(schedules: int, steps: int, *, is_new_each_time: bool = False) -> float:
    """Run so many schedules; returns the seconds it took."""
    began = time.perf_counter()
    run_state_machine_as_test(
        Schedules,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not is_new_each_time,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return time.perf_counter() - began


def _tell(capsys: pytest.CaptureFixture[str], schedules: int, seconds: float) -> None:
    with capsys.disabled():
        print(f"\nmodel: {schedules} schedules in {seconds:.0f} s")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.__name__ for scenario in SCENARIOS])
def test_what_went_wrong_in_other_designs_goes_well(scenario: Callable[[Schedules], None]) -> None:
    play(scenario)


def test_every_schedule_ends_right(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(capsys, _CI_SCHEDULES, _run(_CI_SCHEDULES, _CI_STEPS))


@pytest.mark.soak
def test_every_long_schedule_ends_right(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(capsys, _SOAK_SCHEDULES, _run(_SOAK_SCHEDULES, _SOAK_STEPS, is_new_each_time=True))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_it_is_seen_when(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation.apply(monkeypatch)
    assert any(_goes_wrong(scenario) for scenario in SCENARIOS), "no schedule ends wrong"


def _goes_wrong(scenario: Callable[[Schedules], None]) -> bool:
    """Tell whether a schedule is found to end wrong; half a state is refused by the product itself."""
    try:
        play(scenario)
    except (AssertionError, StateError):
        return True
    return False
