"""What ends a checkpoint of a rollup."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from schemas.errors import StateError
from schemas.wire import STATE_VERSION, body_of

MARKER_KEY: Final = b"marker"


class Marker(NamedTuple):
    """What ends a checkpoint of a rollup.

    Args:
        version: Of all stored state.
        position: Last offset of the cells topic that was taken.
        newest_ms: Newest event time, for the clock not to go back.
        restated: Log partition -> last log offset whose restatements were told.
    """

    version: int
    position: int
    newest_ms: int | None
    restated: dict[int, int]


_decoder: Final = msgspec.msgpack.Decoder(Marker)
_version: Final = msgspec.msgpack.Decoder(list[object])


def read_marker(record: bytes, owner: int, topic_start: int) -> Marker:
    """Read a marker's changelog record.

    Args:
        record: With its fence.
        owner: Whose it is, for errors.
        topic_start: First offset that the cells topic still has.

    Raises:
        StateError: The state is of another version, or messages after it are gone.
    """
    version = _version.decode(body_of(record))[0]
    if version != STATE_VERSION:
        raise StateError(
            f"rollup {owner}: stored state has version {version}, this program knows {STATE_VERSION}; run the version "
            "that wrote it, or `salespulse rebuild`"
        )
    marker = _decoder.decode(body_of(record))
    if marker.position + 1 < topic_start:
        raise StateError(
            f"rollup {owner}: the cells topic begins at {topic_start}, the state ends at {marker.position}; messages "
            "between them were deleted: `salespulse rebuild` makes it anew"
        )
    return marker
