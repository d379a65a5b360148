"""An account as it is stored: its events in order of event time, and the history that they make.

An event in order adds its increment. One out of order is put in its place, and adds *new contributions less old ones*;
so does an amendment that brings a sale to other products, since purchases after it may have counted on the old ones.
Calls, e-mails, visits and service events keep the dimensions that were known when they were folded; they stay in the
record because later events take over the dimensions they state, and because duplicates are recognised by them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from schemas.rows import KIND, Row
from schemas.windows import DAY_MS
from streams.dimensions import Dims
from streams.fold.accumulator import Accumulator
from streams.fold.events import Events, order_of
from streams.fold.history import REPLAYED, History, is_conversation
from streams.fold.items import Products

_OPENED: Final = KIND["email.opened"]
_SPEND: Final = KIND["spend.recorded"]
_RESTATING: Final = frozenset((KIND["deal.won"], KIND["deal.amended"]))
_PRUNE_EVERY_MS: Final = DAY_MS

Opening = tuple[int, str, tuple[str | None, ...]]
"""Event time, event id and dimensions of the first opening of a message; of old ones only the time."""


class AccountRecord(msgspec.Struct, array_like=True, gc=False):
    """What the changelog keeps of an account.

    Args:
        rows: Its events in order of ``(event time, life cycle, event id)``, each a :class:`Row`.
        opens: Message -> its first opening.
        pruned_ms: Up to where old statements have been joined together.
    """

    rows: list[msgspec.Raw]
    opens: dict[str, Opening]
    pruned_ms: int = 0


class Account:
    """One account in memory.

    Args:
        record: What is known of it.
        out: Where its contributions go.
    """

    __slots__ = ("_events", "_history", "_opens", "_out", "_pruned_ms", "_seen", "fence")

    def __init__(self, record: AccountRecord, out: Accumulator, fence: int = -1) -> None:
        self.fence = fence
        self._events = Events(record.rows)
        self._opens = record.opens
        self._pruned_ms = record.pruned_ms
        self._out = out
        rows = self._events.rows()
        self._history = _replay(rows, out, 0)
        self._seen = {row.event_hash for row in rows}

    @property
    def record(self) -> AccountRecord:
        """What the changelog is to keep of it."""
        return AccountRecord(self._events.encoded(), self._opens, self._pruned_ms)

    def fold(self, row: Row, horizon_ms: int, known: Dims | None = None) -> bool:
        """Fold one event.

        Args:
            row: The event; it belongs to the account from now on.
            horizon_ms: Older events need not be recognised as duplicates any more.
            known: Dimensions under which it counts, if it is of those that count as they were first known; None: those
                known by now. An explanation takes events in order that were not folded in order.

        Returns:
            False when it is a duplicate.
        """
        event_hash, seen = row.event_hash, self._seen
        if event_hash in seen:
            return False
        if self._events.first_ms < horizon_ms:
            self._prune(horizon_ms)
        seen.add(event_hash)
        row.section = row.offset = 0
        if self._events.precede(row) and not (row.items and self._history.redistributes(row)):
            self._in_order(row, known)
        else:
            self._late(row)
        return True

    def _in_order(self, row: Row, known: Dims | None) -> None:
        self._events.append(row)
        self._history.apply(row)
        if row.kind not in REPLAYED:
            self._count(row, self._history.dims if known is None else known)

    def _late(self, row: Row) -> None:
        rows = self._events.rows()
        place = bisect_right(rows, order_of(row), key=order_of)
        known = stated_before(rows, place, self._out)
        talk_ms = self._history.first_talk_ms
        new_talk = is_conversation(row) and (talk_ms is None or row.at_ms < talk_ms)
        if row.kind in REPLAYED or new_talk or _changes(self._out.stated(row), known):
            _replay(rows, self._out, -1)
            rows.insert(place, row)
            self._history = _replay(rows, self._out, 1)
        else:
            rows.insert(place, row)
        self._events.replace(rows)
        if row.kind not in REPLAYED:
            stated = zip(self._out.stated(row), known, strict=True)
            self._count(row, [own if own is not None else before for own, before in stated])

    def _count(self, row: Row, dims: Sequence[str | None]) -> None:
        """Add an event that counts as it was first known."""
        if row.kind == _OPENED:
            self._count_opening(row, tuple(dims))
        if row.kind == _SPEND:  # it is nobody's: it has only what it states
            dims = self._out.stated(row)
        self._out.event(row, dims)

    def _count_opening(self, row: Row, dims: tuple[str | None, ...]) -> None:
        """Count a message at its first opening, wherever in the order of arrival that is."""
        message = row.ref or row.event_id
        before = self._opens.get(message)
        if before is not None and (not before[2] or before[:2] <= (row.at_ms, row.event_id)):
            return
        self._opens[message] = (row.at_ms, row.event_id, dims)
        counting = self._out.plan.counting("first_open")
        if before is not None:
            self._out.fact(counting, before[0], before[2], count=-1)
        self._out.fact(counting, row.at_ms, dims)

    def _prune(self, horizon_ms: int) -> None:
        """Join old events that only state dimensions with the next such event, which changes nothing for the others."""
        if horizon_ms < self._pruned_ms + _PRUNE_EVERY_MS:
            return
        self._pruned_ms = horizon_ms
        kept: list[Row] = []
        for row in self._events.rows():
            last = kept[-1] if kept else None
            if last is not None and row.at_ms < horizon_ms and _only_states(last) and _only_states(row):
                self._seen.discard(last.event_hash)
                _take_over(row, last)
                kept[-1] = row
            else:
                kept.append(row)
        self._events.replace(kept)
        self._opens = {
            message: opening if opening[0] >= horizon_ms else (opening[0], "", ())
            for message, opening in self._opens.items()
        }


def _replay(rows: Sequence[Row], out: Accumulator, sign: int) -> History:
    """Take an account's events in order; contributions are added ``sign`` times (0: only the history is wanted)."""
    before, out.sign = out.sign, sign
    history = History(out, _amended(rows, out))
    for row in rows:
        history.apply(row)
    out.sign = before
    return history


def _amended(rows: Sequence[Row], out: Accumulator) -> Mapping[int, Products]:
    """Return the products that amendments among the events leave sales with, by the hash of the win."""
    if not any(row.items and row.kind in _RESTATING for row in rows):
        return {}
    before, out.sign = out.sign, 0
    history = History(out, {})
    for row in rows:
        history.apply(row)
    out.sign = before
    return history.amended


def stated_before(rows: Sequence[Row], place: int, out: Accumulator) -> list[str | None]:
    """Return the dimensions last stated before a place in the order."""
    known: list[str | None] = list(out.unknown)
    for row in reversed(rows[:place]):
        if None not in known:
            break
        known = [value if value is not None else own for value, own in zip(known, out.stated(row), strict=True)]
    return known


def _changes(stated: Dims, known: Dims) -> bool:
    return any(own is not None and own != before for own, before in zip(stated, known, strict=True))


def _only_states(row: Row) -> bool:
    return row.kind not in REPLAYED and not is_conversation(row)


def _take_over(row: Row, earlier: Row) -> None:
    """Let an event state what the one before it did, where it states nothing itself."""
    row.rep = row.rep if row.rep is not None else earlier.rep
    row.team = row.team if row.team is not None else earlier.team
    row.region = row.region if row.region is not None else earlier.region
    row.source = row.source if row.source is not None else earlier.source
    row.channel = row.channel if row.channel is not None else earlier.channel
    row.product = row.product if row.product is not None else earlier.product
    if earlier.fields:
        row.fields = {**earlier.fields, **(row.fields or {})}
