"""The cells of a few series, as the rollup that owns them has them: its changelog, and what came in after it.

Read is one partition of the rollup's changelog, and not the fold's changelogs of all log partitions: it holds the same
cells in one place, exactly those that the published value was computed from, and its marker says where in the cells
topic to read on, so that nothing is missing that a checkpoint has not seen yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from agents.changelogs import read_changelogs
from agents.generations import StateNames
from agents.kafka import TopicPartition
from agents.reading import begin_offsets, read_to_end
from agents.recovery import grouping_of, owner_of
from schemas.kpi import dims_key
from schemas.settings import Settings
from schemas.wire import CellsMessage
from streams.explain.parts import Moment
from streams.fold.goals import PREFIX, goal_of
from streams.plan import Plan
from streams.rollup.goals import GROUPING
from streams.rollup.marker import MARKER_KEY
from streams.rollup.owner import Rollup
from streams.rollup.upstream import rollup_rules
from streams.time import Calendar
from streams.worktime import WorkTime

_decoder: Final = msgspec.msgpack.Decoder(list[CellsMessage])
Wanted = Callable[[str], bool]


class CellsReader:
    """Reads the cells of a few series.

    Args:
        settings: Where they are.
        plan: The catalogue in force.
        calendar: Local days and periods.
        worktime: Working time, for goals.
        names: Of the generation of state.
    """

    def __init__(
        self, settings: Settings, plan: Plan, calendar: Calendar, worktime: WorkTime, names: StateNames
    ) -> None:
        self._names = names
        self._settings = settings
        self._plan = plan
        self._calendar = calendar
        self._worktime = worktime
        # At the moment of the value, whatever clock that is by; and at once.
        self._rules = msgspec.structs.replace(rollup_rules(settings), clock="wall", broken_down_every_ms=0)

    async def of_series(self, dims: str, now_ms: int) -> Moment:
        """Return one series at a moment.

        Raises:
            UnavailableError: Kafka does not answer.
            StateError: What is stored cannot be used.
        """
        return await self._read(owner_of(grouping_of(dims), self._settings.kafka.partitions), dims.__eq__, now_ms)

    async def of_goals(self, now_ms: int) -> Moment:
        """Return all goals at a moment, and the series that they are about.

        Raises:
            UnavailableError: Kafka does not answer.
            StateError: What is stored cannot be used.
        """
        owner = owner_of(GROUPING, self._settings.kafka.partitions)
        goals = await self._read(owner, _is_goal, now_ms)
        names = (name for series in goals.series.values() for name, count in series.total.items() if count > 0)
        about = {dims_key(goal_of(name).dimensions) for name in names if name.startswith(PREFIX)}
        return await self._read(owner, lambda dims: dims in about or not dims or _is_goal(dims), now_ms)

    async def _read(self, owner: int, wanted: Wanted, now_ms: int) -> Moment:
        rollup = await self._recovered(owner, wanted)
        cells = TopicPartition(self._names.cells, owner)
        async for records in read_to_end(self._settings, [cells], starts={cells: rollup.position + 1}):
            for record in records:
                for message in _decoder.decode(record.value or b"\x90"):
                    message.cells = {dims: updates for dims, updates in message.cells.items() if wanted(dims)}
                    rollup.take(message, now_ms)
        publication = rollup.publication(now_ms)
        values = {said.key: said for said in publication.values} if publication is not None else {}
        return Moment(now_ms, rollup.series, values)

    async def _recovered(self, owner: int, wanted: Wanted) -> Rollup:
        changelog = TopicPartition(self._names.changelogs["rollup"], owner)
        cells = TopicPartition(self._names.cells, owner)
        found = await read_changelogs(
            self._settings, [changelog], wanted=lambda key: key == MARKER_KEY or wanted(_dims_of(key))
        )
        starts = await begin_offsets(self._settings, [cells])
        rollup = Rollup(
            owner,
            self._plan,
            self._calendar,
            self._rules,
            has_global=owner == owner_of("", self._settings.kafka.partitions),
            worktime=self._worktime,
            generation=self._names.number,
        )
        rollup.recover(found[changelog].records, (), starts[cells])
        return rollup


def _dims_of(key: bytes) -> str:
    """The dimension key in the changelog key of a block of cells."""
    return key.decode().split("|", 3)[-1]


def _is_goal(dims: str) -> bool:
    return grouping_of(dims) == GROUPING
