"""What the owners of a worker publish, and when they may: never less than what was told before them.

An owner begins once it has read all cells there were when it was assigned, with every series it has; then it says what
changed. Between the loss of partitions and the next assignment nobody knows who owns the series, and nothing is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from agents.cadence import let_others
from schemas.wire import CellsMessage
from streams.clock import wall_ms
from streams.history import History
from streams.publication import Publication
from streams.rollup.owner import Rollup

_MOST_VALUES: Final = 250
"""Values of broken-down series computed in one act: the global series, frames and cells want their turn in between."""


class Publishing:
    """Publications of the rollups that a worker owns.

    Args:
        rollups: The pipeline's, by owner; it adds and removes some.
        patience_ms: How long an owner waits to hear of every log partition before it begins.

    Attributes:
        global_changed: Set when the global series has something to say, or an owner that has not begun yet.
        changed: Set when other series have.
    """

    def __init__(
        self,
        rollups: Mapping[int, Rollup],
        patience_ms: int,
    ) -> None:
        self.global_changed = asyncio.Event()
        self.changed = asyncio.Event()
        self.revoked = False
        """Whether the group is sharing out partitions: nobody knows who owns the series, so nothing is told of them."""
        self._rollups = rollups
        self._patience_ms = patience_ms
        self._from: dict[int, int] = {}
        self._assigned_ms: dict[int, int] = {}
        self._begun: set[int] = set()
        self._complete: set[int] = set()
        self._passed_over = False
        self._turn = 0

    def assign(self, owner: int, begins_at: int) -> None:
        """Let an owner begin once it has read its cells up to an offset, exclusive."""
        self._from[owner] = begins_at
        self._assigned_ms[owner] = wall_ms()
        self.tell_again([owner])

    def distrust(self, owner: int, begins_at: int) -> None:
        """Let an owner begin anew once it has read its cells up to an offset, exclusive."""
        self._from[owner] = begins_at
        self.tell_again([owner])

    def tell_again(self, owners: Iterable[int]) -> None:
        """Let the next publication of some owners be complete, as that of a new owner is."""
        for owner in owners:
            self._begun.discard(owner)
            self._complete.discard(owner)

    def took(self, owner: int, messages: Iterable[CellsMessage]) -> None:
        """Take note that an owner has taken cells."""
        if self._rollups[owner].global_waits or owner not in self._begun:
            self.global_changed.set()
        if any(message.cells.keys() - {""} for message in messages):
            self.changed.set()

    def acknowledged(self) -> None:
        """Take note that Kafka has acknowledged values: owners that waited for it have their turn."""
        if self._passed_over:
            self._passed_over = False
            self.global_changed.set()
            self.changed.set()

    @property
    def unpublished(self) -> list[int]:
        """Owners that have not published all their series yet, because cells are being read or values computed."""
        return sorted(set(self._rollups) - self._complete)

    @property
    def with_global(self) -> list[int]:
        """Owners whose global series has something to say."""
        return [owner for owner, rollup in self._rollups.items() if rollup.global_waits]

    async def publications(self, busy: Container[int] = (), *, global_only: bool) -> AsyncIterator[Publication]:
        """Bring owned rollups that have caught up to the present, but the busy ones; yields what changed.

        Where more changed than there is room for in one act, the owners have it in turn.

        Args:
            busy: Owners that have to wait.
            global_only: What the global series has to say, else what all others have; owners that begin say everything.
        """
        now_ms = wall_ms()
        room = 0 if global_only else _MOST_VALUES
        for owner, rollup, first in self._waiting(busy, now_ms, global_only=global_only):
            if self.revoked:
                return
            if not room and not global_only:
                self.changed.set()
                return
            publication = rollup.publication(
                now_ms,
                complete=first,
                most_values=room,
                without_global=not global_only and not first,
            )
            if rollup.global_waits:
                self.global_changed.set()
            if publication is None:  # before the first event of a replayed history
                self._complete.add(owner)
                continue
            if first:
                publication = await self._completed(publication, rollup, now_ms)
                if self.revoked or self._rollups.get(owner) is not rollup:  # it was handed over meanwhile
                    continue
            self._begun.add(owner)
            room = max(0, room - len(publication.values))
            yield publication
            if rollup.has_more:
                self.changed.set()
            else:
                self._complete.add(owner)

    def histories(self) -> Iterable[History]:
        """Bring the trends of every owner that has published to the present; yields what changed."""
        now_ms = wall_ms()
        for owner in sorted(self._complete & self._rollups.keys()):
            history = self._rollups[owner].history(now_ms)
            if history is not None:
                yield history

    def _waiting(self, busy: Container[int], now_ms: int, *, global_only: bool) -> Iterator[tuple[int, Rollup, bool]]:
        """Go through the owners that may publish now, with whether it is their first time."""
        for owner, rollup in self._in_turn():
            first = owner not in self._begun
            if not first and not (rollup.global_waits if global_only else rollup.is_due(now_ms)):
                continue
            if owner in busy:
                self._passed_over = True
            elif not first or self._may_begin(owner, rollup, now_ms):
                yield owner, rollup, first

    def _in_turn(self) -> list[tuple[int, Rollup]]:
        """Return the owners, each time beginning with another one."""
        owners = list(self._rollups.items())
        self._turn += 1
        first = self._turn % max(1, len(owners))
        return owners[first:] + owners[:first]

    def _may_begin(self, owner: int, rollup: Rollup, now_ms: int) -> bool:
        """Tell whether an owner may publish: its cells are read, and every log partition was heard or waited for."""
        if rollup.position + 1 < self._from[owner]:
            return False
        return rollup.quality(now_ms) != "partial" or now_ms - self._assigned_ms[owner] > self._patience_ms

    async def _completed(self, publication: Publication, rollup: Rollup, now_ms: int) -> Publication:
        """Return the whole of an owner's first publication, of which this is the first part.

        It takes the place of all that a view holds of this owner, so it must not go out in parts. It is computed in
        parts all the same, for the loop to go on in between; what changes meanwhile comes with the later ones. Half of
        it comes back where it must not be told any more.
        """
        values = {value.key: value for value in publication.values}
        while rollup.has_more and not self.revoked:
            await let_others()
            more = rollup.publication(now_ms, most_values=_MOST_VALUES)
            if more is not None:
                publication = more
                values.update((value.key, value) for value in more.values)
        return msgspec.structs.replace(publication, values=list(values.values()), complete=True)
