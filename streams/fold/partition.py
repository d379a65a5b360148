"""The fold of one log partition: frames in, state out; same log prefix, same state, to the byte.

No wall clock, no randomness, no iteration over sets in here. Recovered accounts and blocks may be ahead of the marker;
they hold their frames already, and the fold passes over them until the log has caught up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.errors import StateError
from schemas.rows import Frame, Row, Section
from schemas.wire import STATE_VERSION, CellUpdate, Covered, Marker, Restated, Win, body_of, pack
from streams.compression import Compression
from streams.counting import CountingPlan
from streams.fold.accounts import AccountStore, Records
from streams.fold.accumulator import Accumulator
from streams.fold.cells import CellStore
from streams.fold.gathering import Levels
from streams.fold.restating import RESTATING, Restating
from streams.fold.rules import FoldRules
from streams.time import Calendar

MARKER_KEY: Final = b"marker"
_EXPIRE_EVERY_MS: Final = 600_000
_NEVER_MS: Final = -(1 << 62)

_marker_decoder: Final = msgspec.msgpack.Decoder(Marker)


class Checkpoint(NamedTuple):
    """What a checkpoint writes: cells, accounts, marker, each acknowledged before the next."""

    fence: int
    cells: Records
    accounts: Records
    marker: Records

    @property
    def steps(self) -> tuple[Records, Records, Records]:
        """The records in the order in which they must be written."""
        return self.cells, self.accounts, self.marker


class Recovered(NamedTuple):
    """What the changelogs of one partition hold: per key the record of the highest fence.

    ``repair`` are the keys whose last written record is not that one.
    """

    cells: Mapping[bytes, bytes]
    accounts: Mapping[bytes, bytes]
    marker: bytes | None
    repair_cells: Iterable[bytes] = ()
    repair_accounts: Iterable[bytes] = ()


class LogGapError(Exception):
    """The log skipped messages; nothing was folded, the reader must go back to ``wanted``."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        super().__init__(f"next log offset to fold is {wanted}")


class PartitionFold:
    """State of one log partition.

    Args:
        partition: Its number.
        plan: Which measures facts add to.
        calendar: Days and periods of the business zone.
        rules: Horizons, limits and stages.
        compression: Of accounts' records, if :class:`Recovered` has them compressed already.
    """

    def __init__(
        self,
        partition: int,
        plan: CountingPlan,
        calendar: Calendar,
        rules: FoldRules,
        compression: Compression | None = None,
    ) -> None:
        self.partition = partition
        self.fence = -1
        self.newest_ms: int | None = None
        self.cells = CellStore(calendar)
        self.events_folded = 0
        self.duplicates = 0
        self.missing: dict[tuple[str, int], int] = {}
        """Source partition -> how many messages of it should have come before what came last, which was refused."""
        self._out = Accumulator(plan, calendar, rules)
        self._restating = Restating(plan, self._out)
        self._horizon_ms = rules.dedupe_horizon_ms
        self._covered: dict[tuple[str, int], tuple[int, int]] = {}
        self._accounts = AccountStore(self._out, compression or Compression())
        self._replay_until = -1
        self._pending_offset = -1
        self._expired_ms = 0
        self.adopts = False
        """Whether coverage begins wherever the log does: when it is folded anew, and its beginning is gone."""

    def recover(self, recovered: Recovered, log_start: int = 0) -> None:
        """Take over what the changelogs hold; the fold goes on at ``fence + 1``.

        Args:
            recovered: Records of this partition.
            log_start: First offset that the log still has; where a partition without state begins.

        Raises:
            StateError: The state was written by a newer version.
        """
        self.fence = log_start - 1
        if recovered.marker is not None:
            marker = _marker_decoder.decode(body_of(recovered.marker))
            if marker.version != STATE_VERSION:
                raise StateError(
                    f"log partition {self.partition}: stored state has version {marker.version}, this program knows "
                    f"{STATE_VERSION}; run the version that wrote it, or rebuild under a new app.id"
                )
            self.fence, self.newest_ms = marker.fence, marker.newest_ms
            self._covered = {(c.topic, c.partition): (c.epoch, c.end) for c in marker.covered}
            if self.fence + 1 < log_start:
                raise StateError(
                    f"log partition {self.partition}: the log begins at {log_start}, the state ends at {self.fence}; "
                    "frames between them were deleted: rebuild under a new app.id, or raise the log's retention"
                )
            self._require_all(marker, recovered)
        self._replay_until = max(
            self.cells.restore(recovered.cells.items(), self.fence, recovered.repair_cells),
            self._accounts.restore(recovered.accounts, self.fence, recovered.repair_accounts),
        )
        self._drop_expired()

    def _require_all(self, marker: Marker, recovered: Recovered) -> None:
        """Refuse half a state: what was folded left accounts behind, and cells where the marker says so."""
        lost = [
            *(["accounts"] if marker.newest_ms is not None and not recovered.accounts else []),
            *(["cells"] if marker.has_cells and not recovered.cells else []),
        ]
        if lost:
            raise StateError(
                f"log partition {self.partition}: the changelog of {' and '.join(lost)} is empty, the state ends at"
                f" {self.fence}: it was deleted, and made again; `salespulse rebuild --force` counts anew from the log"
            )

    def fold(self, offset: int, frame: Frame) -> int:
        """Fold one frame.

        Returns:
            How many events of it were new.

        Raises:
            LogGapError: The frame is not the next one; nothing was folded.
        """
        if offset <= self.fence:
            return 0
        if offset != self.fence + 1:
            raise LogGapError(self.fence + 1)
        starts = [self._accept(section) for section in frame.sections]
        before = self.events_folded
        if frame.rows:
            self._fold_rows(frame.rows, starts, offset)
        self.fence = self._pending_offset = offset
        if offset <= self._replay_until:
            self.settle()
        return self.events_folded - before

    def _fold_rows(self, rows: Iterable[Row], starts: Sequence[int | None], offset: int) -> None:
        """Fold the rows of a frame that are new; ``starts`` are the first new offsets by section, None: not taken."""
        newest = self.newest_ms if self.newest_ms is not None else _NEVER_MS
        horizon_ms, closed_ms = newest - self._horizon_ms, newest
        if self.newest_ms is not None:
            closed_ms = self._out.calendar.day_start(newest)
        accounts, restating = self._accounts, self._restating
        for row in rows:
            start = starts[row.section]
            if start is None or row.offset < start:
                continue
            at_ms, name = row.at_ms, row.account
            if at_ms > newest:  # noqa: PLR1730  a call an event
                newest = at_ms
            account = accounts.account(name)
            if account.fence >= offset:
                continue
            if at_ms >= closed_ms and row.kind not in RESTATING:
                is_new = account.fold(row, horizon_ms)
            else:
                is_new = restating.fold(account, row, horizon_ms, offset, closed_ms)
            if is_new:
                self.events_folded += 1
                accounts.changed(name)
            else:
                self.duplicates += 1
        if newest > _NEVER_MS:
            self.newest_ms = newest

    def settle(self) -> None:
        """Fan out what frames have added since the last time."""
        self._fan_out(self._out.drain())

    def _fan_out(self, levels: Levels) -> None:
        if any(levels) and self.newest_ms is not None:
            self.cells.add(levels, self._pending_offset, self.newest_ms)

    def tidy(self) -> None:
        """Do what a checkpoint does for memory: fan out what frames added, drop what is expired, let accounts go."""
        self.settle()
        if self.newest_ms is not None:
            self.cells.drop_expired(self.newest_ms)
        self._accounts.let_go(self.fence)

    def take_changed(self) -> dict[str, list[CellUpdate]]:
        """Return the cells changed since the last time, by dimension key."""
        self.settle()
        return self.cells.take_changed(self.fence)

    def take_changed_global(self) -> dict[str, list[CellUpdate]]:
        """Return the cells of the global series changed since the last time; the others wait for `take_changed`."""
        self._fan_out(self._out.drain_global())
        return self.cells.take_changed_global(self.fence)

    def take_wins(self) -> list[Win]:
        """Return the deals won since the last time."""
        wins, self._out.wins = self._out.wins, []
        return wins

    def take_restated(self) -> list[Restated]:
        """Return what events changed in days that are over, since the last time."""
        return self._restating.take()

    def checkpoint(self) -> Checkpoint:
        """Return what must be written to make the state durable at the present fence."""
        self.settle()
        self._drop_expired()
        accounts = self._accounts.take_unsaved(self.fence)
        covered = [Covered(*source, *reached) for source, reached in sorted(self._covered.items())]
        cells = self.cells.take_unsaved(self.fence, self.newest_ms or 0)
        marker = Marker(STATE_VERSION, self.fence, self.newest_ms, covered, self.cells.has_cells)
        return Checkpoint(self.fence, cells, accounts, [(MARKER_KEY, pack(self.fence, marker))])

    @property
    def unsaved(self) -> bool:
        """Whether records found ahead of the marker, or below an older one, wait to be written again."""
        return self.cells.unsaved or self._accounts.unsaved

    @property
    def accounts(self) -> int:
        """How many accounts the partition holds."""
        return len(self._accounts)

    def _accept(self, section: Section) -> int | None:
        """Move the coverage on; returns the first offset that is new, or None when the section is refused."""
        source = (section.topic, section.partition)
        reached = self._covered.get(source)
        if reached is None or section.epoch > reached[0]:
            if not section.base and not self.adopts:
                self.missing[source] = max(1, section.start)
                return None
            start = section.start
        elif section.epoch < reached[0]:
            return None
        elif section.start > reached[1]:
            self.missing[source] = section.start - reached[1]
            return None
        else:
            start = reached[1]
        self._covered[source] = (section.epoch, max(start, section.end))
        if self.missing:
            self.missing.pop(source, None)
        return start

    def _drop_expired(self) -> None:
        if self.newest_ms is not None and self.newest_ms >= self._expired_ms + _EXPIRE_EVERY_MS:
            self._expired_ms = self.newest_ms
            self.cells.drop_expired(self.newest_ms)
