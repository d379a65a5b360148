"""What is right, worked out beside the model: the fold of every prefix of the log, and a batch over all events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from agents.generations import StateNames
from agents.kafka import OffsetAndMetadata, TopicPartition
from agents.recovery import grouping_of, owner_of
from schemas.frames import decode_frame
from schemas.kpi import KpiValue
from schemas.settings import Settings
from schemas.wire import CellsMessage, Marker, body_of, fence_of
from streams.fold.partition import PartitionFold
from streams.fold.rules import fold_rules
from streams.intake.deadletters import from_message
from streams.plan import Plan
from streams.rollup.owner import MARKER_KEY, Rollup
from streams.rollup.upstream import rollup_rules
from streams.time import Calendar
from tests.exactness import compared_cells
from tests.harness import add_cells
from tests.log_rule import take
from tests.model.broker import Broker, Record
from tests.oracle import OracleSettings, cell_differences, cells, world_of

_slices = msgspec.msgpack.Decoder(dict[int, dict[str, int]])
_marker = msgspec.msgpack.Decoder(Marker)

_NOTHING_FOLDED: dict[str, Any] = {"markers": (None, [])}
_TABLES = ("cells", "accounts", "markers")

Where = tuple[str, int, bytes]
"""Table, partition, key."""


class Said(NamedTuple):
    """The numbers of a KPI value."""

    value: float | None
    numerator: int | None
    denominator: int | None
    previous: float | None


class Truth:
    """Judges what stands in the broker.

    Args:
        settings: Everything that is set.
        plan: What is counted.
        names: Of the generation of state.
        broker: What is judged.
        calendar: Days and periods of the business zone.
    """

    def __init__(self, settings: Settings, plan: Plan, names: StateNames, broker: Broker, calendar: Calendar) -> None:
        self._settings = settings
        self._plan = plan
        self._names = names
        self._broker = broker
        self._counted = frozenset(name for name, groupings in plan.groupings.items() if groupings)
        self._calendar = calendar
        rules = fold_rules(settings)
        numbers = range(settings.kafka.partitions)
        self.folds = [PartitionFold(number, plan, self._calendar, rules) for number in numbers]
        self._states: dict[Where, list[tuple[int, Any]]] = {}
        self._judged: dict[TopicPartition, int] = {}
        self._durable: dict[tuple[str, int], int] = {}

    def _log(self, partition: int, start: int = 0) -> list[bytes]:
        """Return the frames of a log partition, from an offset on; nothing of it is ever compacted."""
        return [record.value or b"" for record in self._broker.at(self._settings.topics.log, partition).records[start:]]

    def _follow(self) -> None:
        """Fold what came into the log, noting every record as it stands at every offset."""
        for fold in self.folds:
            for offset, frame in enumerate(self._log(fold.partition, fold.fence + 1), fold.fence + 1):
                fold.fold(offset, decode_frame(frame))
                _, *written = fold.checkpoint()
                for table, records in zip(_TABLES, written, strict=True):
                    for key, value in records:
                        states = self._states.setdefault((table, fold.partition, key), [])
                        states.append((offset, _content(table, value)))

    def judge_changelogs(self) -> None:
        """Check every record that came into a changelog: it must be the fold of the log up to its fence."""
        self._follow()
        for table in (*_TABLES, "rollup"):
            for number in range(self._settings.kafka.partitions):
                where = TopicPartition(self._names.changelogs[table], number)
                judged, partition = self._judged.get(where, 0), self._broker.partition(where)
                for record in reversed(partition.records):
                    if record.offset < judged:
                        break
                    self._judge(table, number, record)
                self._judged[where] = partition.end

    def _judge(self, table: str, number: int, record: Record) -> None:
        key, value = record.key or b"", record.value
        fence = fence_of(value) if value is not None else -1
        if key == MARKER_KEY:
            self._durable[table, number] = max(fence, self._durable.get((table, number), -1))
        if table != "rollup":
            states = [state for offset, state in self._states.get((table, number, key), ()) if offset <= fence]
            expected = states[-1] if states else _NOTHING_FOLDED.get(table)
            assert _content(table, value) == expected, f"{table} {key!r} at fence {fence} is not the fold of the log"

    def judge_acknowledged(self, topic: str, partition: int, offset: int) -> None:
        """Check that what a worker acknowledges is durable."""
        self.judge_changelogs()
        table = "markers" if topic == self._settings.topics.log else "rollup"
        durable = self._durable.get((table, partition), -1)
        assert offset <= durable, f"{topic}[{partition}] {offset} is acknowledged, the marker stands at {durable}"

    def judge_commits(self, offsets: dict[TopicPartition, OffsetAndMetadata], bad: set[tuple[str, int, int]]) -> None:
        """Check that what intake commits is in the log or, if it cannot be counted, among the dead letters."""
        covered = [take(self._log(fold.partition))[1] for fold in self.folds]
        for where, commit in offsets.items():
            for number, found in enumerate(covered):
                end = max((end for place, end in found.items() if place[:2] == tuple(where)), default=0)
                assert commit.offset <= end, f"{commit.offset} of {where} is committed, log {number} covers {end}"
            lost = {place for place in bad - self.dead_letters() if place[:2] == where and place[2] < commit.offset}
            assert not lost, f"{where} is committed up to {commit.offset}, no dead letter tells of {lost}"

    def dead_letters(self) -> set[tuple[str, int, int]]:
        """Return where the dead letters came from."""
        letters = (from_message(*record[3:]) for record in self._broker.at(self._settings.topics.deadletter).records)
        return {(letter.topic, letter.partition, letter.offset) for letter in letters if letter is not None}

    def judge_cells(self, held: Iterable[Iterable[PartitionFold]], events: list[dict[str, Any]], zone: str) -> None:
        """Compare what workers hold at the end with the oracle, cell by cell."""
        oracle = OracleSettings(zone=zone)
        newest_ms = max(int(event["occurred_at"]) for event in events)
        found = world_of(self._in_order_of_arrival(events), oracle, newest_ms + 1).found
        expected = cells((step for step in found if step[0].partition("@")[0] in self._counted), oracle)
        is_compared = compared_cells(self._plan, newest_ms)

        def is_counted(measure: str, dims: str, resolution: str, start_ms: int) -> bool:
            return measure.partition("@")[0] in self._counted and is_compared(measure, dims, resolution, start_ms)

        held_by_first, *held_by_others = (add_cells(folds) for folds in held)
        differing = cell_differences(expected, held_by_first, is_counted)
        assert not differing, f"cells differ from the batch: {differing[:3]}"
        for other in held_by_others:
            assert other == held_by_first, "cells differ between two workers that have read everything"

    def _in_order_of_arrival(self, events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the events as they came into the log: calls count under what was known of their account by then."""
        rows = (row for fold in self.folds for _, row in take(self._log(fold.partition))[0])
        place = {name: number for number, name in enumerate(dict.fromkeys(row.event_id for row in rows))}
        lost = [event["event_id"] for event in events if event["event_id"] not in place]
        assert not lost, f"events that are not in the log, or refused there for ever: {lost}"
        return sorted(events, key=lambda event: place[event["event_id"]])

    def values(self) -> dict[str, Said]:
        """Return what rollups publish that hear everything at once."""
        self._follow()
        found: dict[str, Said] = {}
        messages = [self._by_owner(fold) for fold in self.folds]
        rules = msgspec.structs.replace(rollup_rules(self._settings), broken_down_every_ms=0)
        for owner in range(self._settings.kafka.partitions):
            has_global = owner == owner_of("", self._settings.kafka.partitions)
            if not has_global and not any(by_owner[owner].cells for by_owner in messages):
                continue
            rollup = Rollup(owner, self._plan, self._calendar, rules, has_global=has_global)
            for by_owner in messages:
                rollup.take(by_owner[owner], 0)
            publication = rollup.publication(0, complete=True)
            for value in publication.values if publication is not None else ():
                found[value.key] = content_of(value.value)
        return found

    def _by_owner(self, fold: PartitionFold) -> list[CellsMessage]:
        owners = self._settings.kafka.partitions
        shares: list[dict[str, Any]] = [{} for _ in range(owners)]
        for dims, resolution, start, sums in _sorted_cells(fold):
            update = [resolution, start, fold.fence, sums, True]
            shares[owner_of(grouping_of(dims), owners)].setdefault(dims, []).append(update)
        rows = [[fold.partition, fold.fence, fold.newest_ms, 0, 0, None, share] for share in shares]
        return msgspec.convert(rows, list[CellsMessage])


def _sorted_cells(fold: PartitionFold) -> Iterator[tuple[str, int, int, dict[str, int]]]:
    yield from sorted(fold.cells.cells(), key=lambda cell: cell[:3])


def _content(table: str, value: bytes | None) -> Any:
    if value is None:
        return None
    if table == "cells":
        return _slices.decode(body_of(value))
    if table == "markers":
        marker = _marker.decode(body_of(value))
        return marker.newest_ms, marker.covered
    return bytes(body_of(value))


def content_of(value: KpiValue) -> Said:
    """Return what a KPI value says, whoever says it and when."""
    return Said(value.value, value.numerator, value.denominator, value.previous)


def is_empty(said: Said) -> bool:
    """Tell whether a series has become empty: all its events were resolved anew to other dimension values."""
    return not any(said)
