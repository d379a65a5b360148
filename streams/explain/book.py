"""The events of source topics account by account, small enough to hold a million, in the order in which they arrived.

Intake takes partitions in order of event time as far as they allow, so the order of arrival is that of the highest
event time up to a message in its partition: late events come where they came, a backfill as if it had been live.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec

from schemas.errors import InvalidEvent
from schemas.rows import Row
from schemas.settings import Settings
from streams.explain.attribution import Attribution
from streams.explain.document import Gathering
from streams.intake.normalise import Normaliser
from streams.intake.reader import Message

_PLACE: Final = struct.Struct(">qiq")
_NEVER_REFUSED_MS: Final = 1 << 52
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Row)


class Book:
    """Rows of some of the accounts.

    Args:
        settings: What intake needs to make rows.
        kinds: Those that matter; others are passed over.
        refused: By slot, the offsets of dead letters: what intake did not count is not counted here.
        share: Which accounts it takes: their part, of how many parts.
    """

    def __init__(
        self,
        settings: Settings,
        kinds: frozenset[int],
        refused: Mapping[int, Collection[int]],
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._normaliser = Normaliser(settings)
        self._max_bytes = settings.intake.max_event_bytes
        self._kinds = kinds
        self._refused = refused
        self._part, self._parts = share
        self._highest: dict[int, int] = {}
        self._accounts: dict[str, list[bytes]] = {}

    def take(self, slot: int, messages: Iterable[Message]) -> None:
        """Take messages of one source partition, in the order of their offsets; what is no event is passed over.

        Args:
            slot: What rows of the partition get as their ``section``.
            messages: As the client library gives them.
        """
        refused = self._refused.get(slot, ())
        highest = self._highest.get(slot, -1)
        for message in messages:
            if message.offset in refused:
                continue
            try:
                row = self._normaliser.take(
                    message.value, message.headers, slot, message.offset, _NEVER_REFUSED_MS, self._max_bytes
                )
            except InvalidEvent:
                continue
            highest = max(highest, row.at_ms)
            if row.kind in self._kinds and crc32(row.account.encode()) % self._parts == self._part:
                packed = _PLACE.pack(highest, slot, message.offset) + _encoder.encode(row)
                self._accounts.setdefault(row.account, []).append(packed)
        self._highest[slot] = highest

    def attribute(self, attribution: Attribution, gathering: Gathering) -> None:
        """Have all accounts attributed; their rows are gone afterwards."""
        while self._accounts:
            _, packed = self._accounts.popitem()
            if attribution.concerns(packed):
                gathering.take(attribution.of_account(list(_arrived(packed))))


def _arrived(packed: Sequence[bytes]) -> Iterator[Row]:
    """Yield rows in order of arrival: their places, big endian, sort as bytes."""
    for each in sorted(packed):
        yield _decoder.decode(memoryview(each)[_PLACE.size :])
