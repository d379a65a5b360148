"""The events of one account, in order of event time; those that were written are kept as they are encoded.

Encoded, an event takes a fifth of the memory, and is not encoded again by every checkpoint. They are decoded when an
event comes out of order, which is rare.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.rows import LIFE_CYCLE, Row

_NEVER_MS: Final = 1 << 62
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Row)


def order_of(row: Row) -> tuple[int, int, str]:
    """Return an event's place among those of its account: event time, life cycle, event id."""
    return (row.at_ms, LIFE_CYCLE[row.kind], row.event_id)


class Events:
    """Events in their order.

    Args:
        encoded: Those there are, as they are stored.

    Attributes:
        first_ms: Event time of the first; far ahead where there is none.
    """

    __slots__ = ("_encoded", "_last_ms", "_rows", "first_ms")

    def __init__(self, encoded: list[msgspec.Raw]) -> None:
        self._encoded = encoded
        self._rows: list[Row] = []
        self.first_ms = _decoder.decode(encoded[0]).at_ms if encoded else _NEVER_MS
        self._last_ms = self._last.at_ms if encoded else -_NEVER_MS

    def precede(self, row: Row) -> bool:
        """Tell whether an event comes after all of them."""
        at_ms, last_ms = row.at_ms, self._last_ms
        return at_ms > last_ms or (at_ms == last_ms and order_of(row) > order_of(self._last))

    @property
    def _last(self) -> Row:
        return self._rows[-1] if self._rows else _decoder.decode(self._encoded[-1])

    def append(self, row: Row) -> None:
        """Add an event that comes after all of them; it must not be changed any more."""
        self._rows.append(row)
        self._last_ms = row.at_ms
        self.first_ms = min(self.first_ms, row.at_ms)

    def rows(self) -> list[Row]:
        """Return all of them, in a list of its own."""
        return [*map(_decoder.decode, self._encoded), *self._rows]

    def replace(self, rows: list[Row]) -> None:
        """Take others in the place of all of them, in order."""
        self._encoded, self._rows = [], rows
        self.first_ms, self._last_ms = rows[0].at_ms, rows[-1].at_ms

    def encoded(self) -> list[msgspec.Raw]:
        """Return all of them as they are stored, and keep them so."""
        self._encoded += [msgspec.Raw(_encoder.encode(row)) for row in self._rows]
        self._rows = []
        return self._encoded
