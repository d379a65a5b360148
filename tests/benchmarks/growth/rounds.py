"""Rounds in which all sizes take part in turn, and the CPU time that each takes."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import median
from typing import TypeVar

Size = TypeVar("Size", bound=Hashable)


def as_the_worker_does() -> None:
    """Set the collector as a worker sets it (`agents.worker.Worker.start`)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def cpu_us(act: Callable[[], object]) -> float:
    """Return the CPU time that something takes, microseconds."""
    began_ns = time.process_time_ns()
    act()
    return (time.process_time_ns() - began_ns) / 1_000


Figures = Mapping[str, float]


def rounds_of(steps: Mapping[Size, Callable[[int], Figures]], rounds: int) -> dict[Size, dict[str, float]]:
    """Run the steps of every size in turn, in another order every round; a round before them only warms up.

    Args:
        steps: Size -> what is measured: takes the number of the round, returns its figures by name.
        rounds: How many count.

    Returns:
        The medians of each size.
    """
    found: dict[Size, list[Figures]] = {size: [] for size in steps}
    order = list(steps)
    for number in range(rounds + 1):
        for size in order:
            figures = steps[size](number)
            if number:
                found[size].append(figures)
        order = [*order[1:], order[0]]
    return {size: medians(rows) for size, rows in found.items()}


def medians(rows: Sequence[Figures]) -> dict[str, float]:
    """Return the median of every figure."""
    return {name: round(median(row[name] for row in rows), 4) for name in rows[0]}
