"""Faust tables whose recovery is ours: they give co-assignment and the hook, the state itself lives in the pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import faust
from faust.types import TP

from schemas.errors import SalesPulseError


class StateKeeper(Protocol):
    """Holds the state behind the tables."""

    async def reassign(self, table: str, owned: set[int], gained: set[int]) -> None:
        """Let go of what is not owned any more, and recover what is new, up to the changelogs' ends."""

    def changelog_end(self, table: str, partition: int) -> int:
        """Return the offset up to which a changelog partition was read."""

    def fail(self, error: BaseException) -> None:
        """Remember why the worker has to stop; nothing is folded or committed of partitions without a state."""


class StateTable(faust.Table[Any, Any]):
    """A table that is read by its keeper at a rebalance; Faust finds nothing left to recover.

    Stock recovery keeps the record written last, which an old owner that woke up may have written.
    """

    keeper: StateKeeper

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's signature
        newly_assigned: set[TP],
        generation_id: int = 0,  # noqa: ARG002 - Faust's signature
    ) -> None:
        """Hand the partitions of this table to its keeper; an error that is told in a line crashes nothing in Faust."""
        topic = self.changelog_topic.get_topic_name()
        try:
            await self.keeper.reassign(
                self.name,
                {tp.partition for tp in assigned if tp.topic == topic},
                {tp.partition for tp in newly_assigned if tp.topic == topic},
            )
        except SalesPulseError as error:
            self.keeper.fail(error)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last offset that was read, so that Faust reads none again."""
        return self.keeper.changelog_end(self.name, tp.partition) - 1

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Ignore stragglers: a record written after the recovery is an old owner's, and ours will be above it."""
