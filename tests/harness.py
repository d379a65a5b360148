"""The whole computation without a broker: events in, cells and KPI values out, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

import msgspec
import orjson

from schemas.catalogue.compose import catalogue_of
from schemas.restatements import Restatement
from schemas.rows import Frame, Row, Section
from schemas.settings import Settings
from schemas.windows import RESOLUTIONS
from schemas.wire import CellsMessage, CellUpdate
from streams.compression import Compression
from streams.fold.partition import PartitionFold
from streams.fold.rules import fold_rules
from streams.intake.normalise import Normaliser
from streams.plan import plan_of
from streams.publication import Published
from streams.rollup.owner import Rollup
from streams.rollup.upstream import rollup_rules
from streams.time import Calendar
from streams.worktime import work_time

GROUPINGS = ("", "rep")
_encoder = msgspec.msgpack.Encoder()
_frames = msgspec.msgpack.Decoder(Frame)
_cells = msgspec.msgpack.Decoder(list[CellsMessage])


class PurePipeline:
    """Folds and one rollup in memory; every message goes through its encoding."""

    def __init__(self, settings: Settings, partitions: int = 3, frame_events: int = 50) -> None:
        self.settings = settings
        self.plan = plan_of(catalogue_of(settings))
        self.calendar = Calendar(settings.time.zone, settings.time.week_start)
        self.logs: list[list[bytes]] = [[] for _ in range(partitions)]
        self.folds = [self.new_fold(partition) for partition in range(partitions)]
        self.rollup = self.new_rollup()
        self.values: dict[str, Published] = {}
        self._normaliser = Normaliser(settings)
        self._frame_events = frame_events
        self._offset = 0
        self._restatements: list[Restatement] = []

    def new_fold(self, partition: int, compression: Compression | None = None) -> PartitionFold:
        return PartitionFold(partition, self.plan, self.calendar, fold_rules(self.settings), compression)

    def new_rollup(self) -> Rollup:
        """The owner of all series, as it begins."""
        rules = msgspec.structs.replace(rollup_rules(self.settings), partitions=len(self.logs), broken_down_every_ms=0)
        worktime = work_time(self.settings, self.calendar)
        return Rollup(0, self.plan, self.calendar, rules, has_global=True, worktime=worktime)

    def send(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Put events into the logs, in frames."""
        waiting: list[Row] = []
        for event in events:
            waiting.append(self._normaliser.take(orjson.dumps(event), (), 0, self._offset, 1 << 52))
            self._offset += 1
            if len(waiting) >= self._frame_events:
                self._append(waiting)
                waiting = []
        self._append(waiting)

    def _append(self, rows: list[Row]) -> None:
        start = rows[0].offset if rows else self._offset
        for partition, log in enumerate(self.logs):
            mine = [row for row in rows if crc32(row.account.encode()) % len(self.logs) == partition]
            section = Section("events", 0, 0, start, self._offset, base=start == 0)
            log.append(_encoder.encode(Frame((section,), mine, 0, 0)))

    def fold_all(self) -> None:
        """Fold what the logs hold beyond the folds' fences."""
        for fold, log in zip(self.folds, self.logs, strict=True):
            for offset in range(fold.fence + 1, len(log)):
                fold.fold(offset, _frames.decode(log[offset]))

    def messages(self) -> list[CellsMessage]:
        """What changed, as the folds tell the owners of series."""
        found = [
            CellsMessage(
                fold.partition,
                fold.fence,
                fold.newest_ms,
                0,
                0,
                None,
                fold.take_changed(),
                fold.take_wins(),
                fold.take_restated(),
            )
            for fold in self.folds
        ]
        return _cells.decode(_encoder.encode(found))

    def emit(self, wall_ms: int) -> None:
        """Hand changed cells to the rollup."""
        for message in self.messages():
            self.rollup.take(message, wall_ms)
            for restatements in self.rollup.restatements(message, wall_ms):
                self._restatements += restatements

    def take_restatements(self) -> list[Restatement]:
        """Return what changed in closed periods since the last time."""
        taken, self._restatements = self._restatements, []
        return taken

    def publish(self, wall_ms: int) -> dict[str, Published]:
        """Return the last value of every series."""
        publication = self.rollup.publication(wall_ms)
        if publication is not None:
            self.values.update((value.key, value) for value in publication.values)
        return self.values

    def run(self, events: Iterable[Mapping[str, Any]], wall_ms: int) -> dict[str, Published]:
        """Send, fold, emit and publish."""
        self.send(events)
        self.fold_all()
        self.emit(wall_ms)
        return self.publish(wall_ms)

    def cells(self) -> dict[tuple[str, str, int], dict[str, int]]:
        """Return the cells of all log partitions added up, without zeros and histograms."""
        return add_cells(self.folds)


def add_cells(folds: Iterable[PartitionFold]) -> dict[tuple[str, str, int], dict[str, int]]:
    """Add up the cells of several log partitions; zeros and histograms are left out."""
    added: dict[tuple[str, str, int], dict[str, int]] = {}
    for fold in folds:
        fold.settle()
        for dims, resolution, start, sums in fold.cells.cells():
            cell = added.setdefault((dims, RESOLUTIONS[resolution], start), {})
            for measure, value in sums.items():
                if "#" not in measure:
                    cell[measure] = cell.get(measure, 0) + value
    cleaned = {place: {m: v for m, v in sums.items() if v} for place, sums in added.items()}
    return {place: sums for place, sums in cleaned.items() if sums}


__all__ = ["CellUpdate", "PurePipeline", "add_cells"]
