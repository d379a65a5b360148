"""Cost of a tick as live series grow: with nothing new, with one in a hundred changed, and when windows move.

The rollup is that of the owner of the grouping `rep`, with the whole catalogue, as full of reps as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

import msgspec

from schemas.windows import MINUTE_MS
from schemas.wire import CellsMessage, CellUpdate
from streams.publication import Published
from streams.rollup.owner import Rollup
from streams.rollup.upstream import rollup_rules
from streams.time import ceil_to
from tests.benchmarks.growth.rounds import cpu_us, rounds_of
from tests.benchmarks.growth.states import FRAME_EVENTS, floor_events, heard, settings_of_growth, told
from tests.benchmarks.growth.table import FLAT, Column, Plot, Row, Table, met
from tests.harness import PurePipeline

TABLE: Final = Table(
    "Series: CPU ms of a tick, and the values it sends",
    (
        Column("series", "series"),
        Column("idle_ms", "idle", ".3f"),
        Column("changed_ms", "1 %", ",.1f"),
        Column("changed_values", "sent"),
        Column("moved_ms", "10 s", ",.1f"),
        Column("moved_values", "sent"),
        Column("all_ms", "15 min", ",.1f"),
        Column("all_values", "sent"),
    ),
    Plot("series", ("idle_ms", "changed_ms", "moved_ms", "all_ms"), "live series", "CPU ms a tick", ("log", "log")),
)

_MOST_IDLE_MS: Final = 1.0
"""What an idle tick may cost: a thousandth of a core."""
_MOST_OF_FEW: Final = 2.0
"""How much dearer a value may be when few are sent: what a tick costs besides is shared by fewer."""
_STEP_MS: Final = 15 * MINUTE_MS
_SOURCE: Final = "rep="
_PAID: Final = ("changed", "moved", "all")
"""Ticks that send something."""

_Cells = dict[str, list[CellUpdate]]


class _Source:
    """Cells of many reps, of a past and of single calls."""

    def __init__(self, reps: int, events: int) -> None:
        self.pipeline = PurePipeline(settings_of_growth(), partitions=1, frame_events=FRAME_EVENTS)
        self.pipeline.send(floor_events(events, reps=reps))
        self.pipeline.fold_all()
        self.past = self._told()
        self.newest_ms = self.pipeline.folds[0].newest_ms or 0
        self._calls = 0

    def calls(self, dims: Sequence[str], at_ms: int) -> _Cells:
        """Fold one call for each of some reps; returns what changed of their cells."""
        self.pipeline.send(self._call(rep.removeprefix(_SOURCE), at_ms) for rep in dims)
        self.pipeline.fold_all()
        return self._told()

    def _call(self, rep: str, at_ms: int) -> dict[str, object]:
        self._calls += 1
        event = {"event_id": f"growth-{self._calls}", "event_type": "call.completed", "occurred_at": at_ms}
        return event | {"account_id": f"growth-{rep}", "rep_id": rep, "direction": "outbound", "outcome": "connected"}

    def _told(self) -> _Cells:
        (message,) = heard(told(self.pipeline.folds[0]))
        return {dims: cells for dims, cells in message.cells.items() if dims.startswith(_SOURCE) and "," not in dims}


class _Owner:
    """One size: a rollup with so many series, and a clock of its own."""

    def __init__(self, source: _Source, series: int) -> None:
        pipeline = source.pipeline
        rules = msgspec.structs.replace(rollup_rules(pipeline.settings), clock="wall", partitions=1)
        self._rollup = Rollup(0, pipeline.plan, pipeline.calendar, rules, has_global=False)
        self._source = source
        self._fence = 0
        self._values: dict[str, list[Published]] = {}
        self._dims: list[str] = []
        self._now_ms = ceil_to(source.newest_ms, _STEP_MS) + 1
        self.series = self._fill(series)
        self._round = cycle(self._dims)
        self._changing = max(1, round(series / 100 / self._values_of_a_call()))

    def _fill(self, series: int) -> int:
        """Take in rep after rep until there are so many series; returns how many there are."""
        keys: set[str] = set()
        for dims, cells in self._source.past.items():
            if len(keys) >= series:
                break
            self._dims.append(dims)
            self._now_ms += 1_000
            keys.update(value.key for value in self._tick({dims: cells}))
        assert len(keys) >= series, f"{len(self._dims)} reps make {len(keys)} series, not {series}"
        return len(keys)

    def _values_of_a_call(self) -> int:
        for _ in range(2):  # a first call may bring a series into being
            self._now_ms += 1_000
            changed = len(self._tick(self._source.calls(self._dims[:1], self._now_ms)))
        return changed

    def step(self, number: int) -> dict[str, float]:
        """Measure every sort of tick once: milliseconds and values."""
        start_ms = ceil_to(self._now_ms, _STEP_MS) + 1
        found: dict[str, float] = {}
        self._measure(found, "all", start_ms, {})
        self._measure(found, "idle", start_ms + 1_000, {})
        chosen = sorted(set(islice(self._round, self._changing)))
        self._measure(found, "changed", start_ms + 2_000, self._source.calls(chosen, start_ms + 1_500))
        self._measure(found, "moved", start_ms + 10_000, {})
        assert found["idle_values"] == 0, f"round {number}: an idle tick sent {found['idle_values']} values"
        return found

    def _measure(self, found: dict[str, float], name: str, now_ms: int, cells: _Cells) -> None:
        values: list[Published] = []
        self._now_ms = now_ms
        found[f"{name}_ms"] = cpu_us(lambda: values.extend(self._tick(cells))) / 1_000
        found[f"{name}_values"] = len(values)

    def _tick(self, cells: _Cells) -> Sequence[Published]:
        """What a worker does every second: take what the log partition says, if only that it lives, and publish."""
        self._fence += 1
        message = CellsMessage(0, self._fence, self._source.newest_ms, 0, 0, None, cells)
        self._rollup.take(message, self._now_ms)
        publication = self._rollup.publication(self._now_ms)
        return publication.values if publication is not None else ()


def measure(sizes: Sequence[int], rounds: int, reps: int, events: int) -> list[Row]:
    """Measure all sizes.

    Args:
        sizes: Numbers of series.
        rounds: How often.
        reps: How many there are to fill the largest with.
        events: How many they have had.
    """
    source = _Source(reps, events)
    owners = {size: _Owner(source, size) for size in sizes}
    found = rounds_of({size: owner.step for size, owner in owners.items()}, rounds)
    rows: list[Row] = [{"series": owners[size].series, **figures} for size, figures in found.items()]
    for row in rows:
        for name in _PAID:
            row[f"{name}_us_per_value"] = round(1_000 * row[f"{name}_ms"] / max(1, row[f"{name}_values"]), 2)
        row["goal"] = _goal(row, rows[0])
    return rows


def _goal(row: Row, first: Row) -> str:
    """Idle ticks cost next to nothing, others what they send: a value costs the same however many series there are."""
    if row["idle_ms"] > _MOST_IDLE_MS:
        return met(False, f"idle at most {_MOST_IDLE_MS:g} ms")
    growth = max(row[f"{name}_us_per_value"] / first[f"{name}_us_per_value"] for name in ("moved", "all"))
    few = row["changed_us_per_value"] / row["all_us_per_value"]
    return met(growth <= FLAT and few <= _MOST_OF_FEW, f"value {growth - 1:+.0%}")
