"""Recovery: folds and rollups as the changelogs hold them, ready to read on behind their fences."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from agents.changelogs import Newest, read_changelogs
from agents.generations import StateNames
from agents.kafka import TopicPartition
from agents.patience import patiently
from agents.progress import RecoveryProgress
from agents.reading import begin_and_end_offsets, end_offsets
from schemas.catalogue.compose import catalogue_of
from schemas.errors import StateError
from schemas.playlist import playlist
from schemas.settings import Settings
from schemas.windows import EVENT_DIMENSIONS
from streams.compression import Compression
from streams.fold.partition import PartitionFold, Recovered
from streams.fold.rules import fold_rules
from streams.plan import Plan
from streams.rollup.owner import Rollup
from streams.rollup.trends import trends_of
from streams.rollup.upstream import rollup_rules
from streams.time import Calendar
from streams.worktime import work_time

FOLD_TABLES: Final = ("cells", "accounts", "markers")
"""The tables of a fold, in the order in which a checkpoint writes them."""

_LOG: Final = logging.getLogger(__name__)

_BOARD: Final = frozenset(("", *EVENT_DIMENSIONS, "target"))
"""Groupings with one owner: a goal may be about any of them, and rolls up its children's."""


def owner_of(grouping: str, partitions: int) -> int:
    """Return the partition of the cells topic that owns all series of a grouping (its dimension names)."""
    return crc32(b"" if grouping in _BOARD else grouping.encode()) % partitions


def grouping_of(dims: str) -> str:
    """Return the grouping of a dimension key: its dimension names, joined by commas."""
    return ",".join(part.partition("=")[0] for part in dims.split(",")) if dims else ""


class RecoveredRollup(NamedTuple):
    """A rollup, and the end of its topic when it was assigned: before that is read it must not publish."""

    rollup: Rollup
    publishes_from: int


class StateReader:
    """Builds folds and rollups from the changelogs.

    Args:
        settings: Where they are.
        plan: The catalogue in force.
        names: Of the generation of state.
    """

    def __init__(self, settings: Settings, plan: Plan, names: StateNames) -> None:
        self._settings = settings
        self._plan = plan
        self._names = names
        self._calendar = Calendar(settings.time.zone, settings.time.week_start)
        self._worktime = work_time(settings, self._calendar)
        catalogue = catalogue_of(settings)
        self._trends = trends_of(playlist(settings.wall, catalogue.kpis, own=catalogue.tiles))
        self._compression = Compression()
        self._ends: dict[tuple[str, int], int] = {}
        self.progress = RecoveryProgress()

    def end(self, table: str, partition: int) -> int:
        """Return the offset up to which a changelog partition was read."""
        return self._ends.get((table, partition), 0)

    async def folds(self, partitions: Sequence[int]) -> dict[int, PartitionFold]:
        """Return the folds of log partitions; a broker that is away for a moment is waited for.

        Raises:
            StateError: What is stored cannot be used.
            UnavailableError: Kafka stays away.
        """
        return await patiently(lambda: self._folds(partitions))

    async def rollups(self, owners: Sequence[int]) -> dict[int, RecoveredRollup]:
        """Return the rollups of partitions of the cells topic; a broker that is away for a moment is waited for.

        Raises:
            StateError: What is stored cannot be used.
            UnavailableError: Kafka stays away.
        """
        return await patiently(lambda: self._rollups(owners))

    async def cells_ends(self, owners: Sequence[int]) -> dict[int, int]:
        """Return the ends of partitions of the cells topic; a broker that is away for a moment is waited for.

        Raises:
            UnavailableError: Kafka stays away.
        """
        where = [TopicPartition(self._names.cells, owner) for owner in owners]
        found = await patiently(lambda: end_offsets(self._settings, where)) if where else {}
        return {partition.partition: end for partition, end in found.items()}

    async def _folds(self, partitions: Sequence[int]) -> dict[int, PartitionFold]:
        started = time.monotonic()
        states = await self._read(FOLD_TABLES, partitions)
        starts, ends = await self._offsets(self._settings.topics.log, partitions)
        folds: dict[int, PartitionFold] = {}
        for partition in partitions:
            cells, accounts, markers = (states[table, partition] for table in FOLD_TABLES)
            marker = next(iter(markers.records.values()), None)
            recovered = Recovered(cells.records, accounts.records, marker, cells.repair, accounts.repair)
            rules = fold_rules(self._settings)
            fold = folds[partition] = PartitionFold(partition, self._plan, self._calendar, rules, self._compression)
            fold.recover(recovered, starts[partition])
        self._check_log(folds, ends)
        self.progress.end()
        count, took_s = sum(fold.accounts for fold in folds.values()), time.monotonic() - started
        _LOG.info("recovered log partitions %s: %d accounts in %.1f s", list(partitions), count, took_s)
        return folds

    def _check_log(self, folds: Mapping[int, PartitionFold], ends: Mapping[int, int]) -> None:
        """Refuse a log that is shorter than what was folded of it: all that comes would count as folded already."""
        if not self._settings.kafka.idempotence:
            return  # Tansu does not tell the right end
        topic = self._settings.topics.log
        for partition, fold in folds.items():
            fence, end = fold.fence, ends[partition]
            if fence >= end:
                raise StateError(
                    f"log partition {partition}: {topic} ends at {end}, the state at {fence}: the log was deleted"
                    " and made again, or lost its end. Bring it back, or take all source topics in anew under another"
                    " app.id and topics.log"
                )

    async def _rollups(self, owners: Sequence[int]) -> dict[int, RecoveredRollup]:
        states = await self._read(("rollup",), owners)
        starts, ends = await self._offsets(self._names.cells, owners)
        rollups: dict[int, RecoveredRollup] = {}
        for owner in owners:
            rollup = Rollup(
                owner,
                self._plan,
                self._calendar,
                rollup_rules(self._settings),
                has_global=owner == owner_of("", self._settings.kafka.partitions),
                worktime=self._worktime,
                trends=self._trends,
                generation=self._names.number,
            )
            newest = states["rollup", owner]
            rollup.recover(newest.records, newest.repair, starts[owner])
            rollups[owner] = RecoveredRollup(rollup, ends[owner])
        self.progress.end()
        return rollups

    async def _read(self, tables: Sequence[str], partitions: Sequence[int]) -> dict[tuple[str, int], Newest]:
        wanted = {
            TopicPartition(self._names.changelogs[table], partition): (table, partition)
            for table in tables
            for partition in partitions
        }
        kept_as = {self._names.changelogs["accounts"]: self._compression.compress}
        found = await read_changelogs(self._settings, list(wanted), kept_as=kept_as, progress=self.progress)
        states = {wanted[where]: newest for where, newest in found.items()}
        self._ends.update({where: newest.end for where, newest in states.items()})
        return states

    async def _offsets(self, topic: str, partitions: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return where partitions of a topic begin, and where they end."""
        where = [TopicPartition(topic, partition) for partition in partitions]
        begins, ends = await begin_and_end_offsets(self._settings, where)
        return {p.partition: begins[p] for p in where}, {p.partition: ends[p] for p in where}
