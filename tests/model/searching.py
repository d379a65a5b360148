"""The random search: how hypothesis draws schedules, and how many it takes to find one that ends wrong."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import run_state_machine_as_test

from schemas.errors import StateError
from tests.model.machine import Schedules

_EACH_ANEW: Final = "each schedule anew"
# Hypothesis varies every schedule that it draws five times, which finds next to nothing here. For backends that are not
# its own it draws each anew (and shrinks what ends wrong as ever), so its own goes by another name.
AVAILABLE_PROVIDERS[_EACH_ANEW] = HypothesisProvider


def search(
    schedules: int, steps: int, *, machine: type[Schedules] = Schedules, is_repeated: bool = True, shrinks: bool = True
) -> None:
    """Play random schedules; raise what is wrong at the end of the first one that ends wrong.

    Args:
        schedules: How many.
        steps: Of each, the first of which only lets events happen.
        machine: What they are of.
        is_repeated: Whether they are the same each time.
        shrinks: Whether the one that ends wrong is cut down to what matters.
    """
    with _rare_collections():
        run_state_machine_as_test(
            machine,
            settings=settings(
                backend=_EACH_ANEW,
                max_examples=schedules,
                stateful_step_count=steps,
                deadline=None,
                derandomize=is_repeated,
                database=None,
                report_multiple_bugs=False,
                phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
                suppress_health_check=list(HealthCheck),
            ),
        )


def schedules_until_wrong(most: int, steps: int) -> int | None:
    """Return how many random schedules it takes until one ends wrong; None when none of them does.

    Half a state that the product itself refuses is wrong as well.
    """
    played = 0

    class Counted(Schedules):
        def __init__(self) -> None:
            nonlocal played
            played += 1
            super().__init__()

    try:
        search(most, steps, machine=Counted, shrinks=False)
    except (AssertionError, StateError):
        return max(1, played - _REPLAYED)
    return None


_REPLAYED: Final = 2
"""How often hypothesis plays a schedule again that ends wrong: to be sure (but the first of all), and to tell of it."""


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage rarely: as often as usual it is a quarter of the work."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 5, 10)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
