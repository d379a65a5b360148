"""Cost per event as accounts grow: folding into accounts that were lately seen, and into any of all.

A fold keeps the accounts that it lately saw as objects; those of any other are decoded and replayed first. Live events
are mostly about accounts with a journey under way, however many there ever were; a backfill may be about any.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from schemas.rows import Row as EventRow
from tests.benchmarks.growth.rounds import Figures, cpu_us, rounds_of
from tests.benchmarks.growth.states import (
    Past,
    copies,
    copy_name,
    fold_frames,
    frames_of,
    past_of,
    recovered_fold,
    settings_of_growth,
)
from tests.benchmarks.growth.table import Column, Plot, Row, Table, flat
from tests.harness import PurePipeline

TABLE: Final = Table(
    "Accounts: CPU us an event folded, its share of checkpoints included",
    (Column("accounts", "accounts"), Column("recent_us", "under way", ".1f"), Column("any_us", "any of all", ".1f")),
    Plot("accounts", ("recent_us", "any_us"), "accounts", "CPU µs an event"),
)

_BEFORE: Final = 20_000


class _Folding:
    """One size: a fold with so many accounts, and the events that it has got so far."""

    def __init__(self, pipeline: PurePipeline, past: Past, accounts: int) -> None:
        self._fold = recovered_fold(pipeline, past, copies(past.accounts, accounts))
        self._reached = past.reached
        self._copies = max(1, accounts // len(past.accounts))

    def step(self, parts: Sequence[Sequence[EventRow]], *, recent: bool) -> Callable[[int], Figures]:
        """Return what is measured in a round: the events of its part, to accounts under way or to any."""

        def run(number: int) -> Figures:
            rng = random.Random(number)
            rows = [row if recent else self._spread(row, rng) for row in parts[number]]
            frames = frames_of(rows, self._reached)
            self._reached += len(rows)
            return {"us": cpu_us(lambda: self._take(frames, len(rows))) / len(rows)}

        return run

    def _spread(self, row: EventRow, rng: random.Random) -> EventRow:
        if row.account.startswith("\0"):
            return row
        copy = rng.randrange(self._copies)
        return msgspec.structs.replace(row, account=copy_name(row.account.encode(), copy).decode())

    def _take(self, frames: Sequence[bytes], events: int) -> None:
        folded = fold_frames(self._fold, frames)
        assert folded == events, f"{folded} of {events} events were new"
        self._fold.take_changed()
        self._fold.checkpoint()


def measure(sizes: Sequence[int], events: int, rounds: int, before: int = _BEFORE) -> list[Row]:
    """Measure all sizes.

    Args:
        sizes: Numbers of accounts.
        events: How many are folded in a round.
        rounds: How often.
        before: How many events make the accounts that are copied.
    """
    turns = rounds + 1
    past = past_of(before, 2 * turns * events)
    parts = [past.rows[first : first + events] for first in range(0, 2 * turns * events, events)]
    pipeline = PurePipeline(settings_of_growth(), partitions=1)
    folds = {size: _Folding(pipeline, past, size) for size in sizes}
    recent = rounds_of({size: fold.step(parts[:turns], recent=True) for size, fold in folds.items()}, rounds)
    spread = rounds_of({size: fold.step(parts[turns:], recent=False) for size, fold in folds.items()}, rounds)
    rows: list[Row] = [{"accounts": n, "recent_us": recent[n]["us"], "any_us": spread[n]["us"]} for n in sizes]
    verdicts = [flat(row[key] for row in rows) for key in ("recent_us", "any_us")]
    for row, first, second in zip(rows, *verdicts, strict=True):
        row["goal"] = "-" if row is rows[0] else f"under way {first}, any {second}"
    return rows
