"""Cost per event as reps grow, in one partition and at a live cadence: folded, rolled up and valued every second.

More reps are more cells and more series that one second's events touch; what is global stays what it was.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from tests.benchmarks.growth.rounds import Figures, cpu_us, rounds_of
from tests.benchmarks.growth.states import RATE, floor_events, fold_frames, heard, settings_of_growth, told
from tests.benchmarks.growth.table import Column, Plot, Row, Table, flat
from tests.harness import PurePipeline

TABLE: Final = Table(
    f"Reps: CPU us, cells and values an event; {RATE:g} events/s, all out every second",
    (
        Column("reps", "reps"),
        Column("fold_us", "fold", ".1f"),
        Column("rollup_us", "rollup", ".1f"),
        Column("values_us", "values", ".1f"),
        Column("us", "all", ".1f"),
        Column("cells", "cells", ".1f"),
        Column("values", "values", ".1f"),
        Column("us_per_value", "us/value", ".1f"),
    ),
    Plot("reps", ("fold_us", "rollup_us", "values_us", "us"), "reps", "CPU µs an event"),
)

_TICK_EVENTS: Final = int(RATE)
_CHECKPOINT_TICKS: Final = 3
_COSTS: Final = ("fold_us", "rollup_us", "values_us")


class _Floor:
    """One size: its events, second by second."""

    def __init__(self, reps: int, before: int, after: int) -> None:
        self._pipeline = PurePipeline(settings_of_growth(), partitions=1, frame_events=_TICK_EVENTS)
        events = floor_events(before + after, reps=reps)
        self._pipeline.run(islice(events, before), 0)
        self._ticks = len(self._pipeline.logs[0])
        self._pipeline.send(events)

    def step(self, ticks: int) -> Callable[[int], Figures]:
        """Return what is measured in a round: so many seconds of events, figures an event."""

        def run(_number: int) -> Figures:
            taken: dict[str, float] = defaultdict(float)
            for _ in range(ticks):
                self._tick(taken)
            found = {name: figure / (ticks * _TICK_EVENTS) for name, figure in taken.items()}
            return {
                **found,
                "us": sum(found[name] for name in _COSTS),
                "us_per_value": taken["values_us"] / taken["values"],
            }

        return run

    def _tick(self, taken: dict[str, float]) -> None:
        fold, rollup = self._pipeline.folds[0], self._pipeline.rollup
        payload, folded = b"", 0
        values: Sequence[object] = ()

        def folding() -> None:
            nonlocal payload, folded
            folded = fold_frames(fold, self._pipeline.logs[0][self._ticks : self._ticks + 1])
            payload = told(fold)
            if self._ticks % _CHECKPOINT_TICKS == 0:
                fold.checkpoint()

        def rolling() -> None:
            for message in heard(payload):
                rollup.take(message, 0)
            if self._ticks % _CHECKPOINT_TICKS == 0:
                deque(rollup.checkpoint().records, maxlen=0)  # packed as they are asked for

        def valuing() -> None:
            nonlocal values
            publication = rollup.publication(0)
            values = publication.values if publication is not None else ()

        taken["fold_us"] += cpu_us(folding)
        assert folded == _TICK_EVENTS, f"{folded} of {_TICK_EVENTS} events were new"
        taken["rollup_us"] += cpu_us(rolling)
        taken["values_us"] += cpu_us(valuing)
        taken["cells"] += sum(len(each) for message in heard(payload) for each in message.cells.values())
        taken["values"] += len(values)
        self._ticks += 1


def measure(sizes: Sequence[int], ticks: int, rounds: int, before: int = 20_000) -> list[Row]:
    """Measure all sizes.

    Args:
        sizes: Numbers of reps.
        ticks: Seconds of event time in a round.
        rounds: How often.
        before: How many events come first.
    """
    after = (rounds + 1) * ticks * _TICK_EVENTS
    floors = {size: _Floor(size, before, after) for size in sizes}
    found = rounds_of({size: floor.step(ticks) for size, floor in floors.items()}, rounds)
    rows: list[Row] = [{"reps": size, **figures} for size, figures in found.items()]
    for row, goal in zip(rows, flat(row["us"] for row in rows), strict=True):
        row["goal"] = goal
    return rows
