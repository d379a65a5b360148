"""Dead letters: messages that could not be counted, as they came, with headers that say where from and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.decode import instant_ms
from schemas.errors import InvalidEvent
from streams.time import fixed_width

Headers = Sequence[tuple[str, bytes | None]]

MAX_VALUE_BYTES: Final = 9 * 1024 * 1024
"""What is longer is cut: a dead letter must fit its topic, else one message could hold up intake for ever."""

_OWN: Final = ("topic", "partition", "offset", "epoch", "reason", "field", "found", "allowed", "failed_at", "cut_from")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One message that could not be counted.

    Args:
        topic: Source topic it came from.
        partition: Its partition there.
        offset: Its offset there.
        epoch: How often that topic had been made anew.
        reason: One word of ``DEAD_LETTER_REASONS``.
        field: The JSON field at fault, dotted; empty when the whole message is.
        found: What stood there, shortened.
        allowed: What is allowed there.
        failed_at_ms: Wall clock of intake, UTC milliseconds.
        cut_from: Length before it was cut; 0 when it is whole.
        key: The message's key.
        value: The message's value; None for a tombstone.
        headers: The message's own headers.
    """

    topic: str
    partition: int
    offset: int
    epoch: int = 1
    reason: str
    field: str = ""
    found: str = ""
    allowed: str = ""
    failed_at_ms: int
    cut_from: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def source(self) -> tuple[str, int, int, int]:
        """What tells dead letters apart: a restart of intake may send one again."""
        return self.topic, self.epoch, self.partition, self.offset

    def summary(self) -> str:
        """One line for people: where, why, which field, what was found and what is allowed."""
        place = f"{self.topic}/{self.partition}@{self.offset}"
        field = f" {self.field}" if self.field else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        cut = f" (cut from {self.cut_from} bytes)" if self.cut_from else ""
        return f"{place} {self.reason}:{field} found {self.found or 'nothing'}{allowed}{cut}"


def dead_letter(
    source: tuple[str, int, int, int],
    error: InvalidEvent,
    failed_at_ms: int,
    message: tuple[bytes | None, bytes | None, Headers],
) -> DeadLetter:
    """Make the dead letter of a message.

    Args:
        source: Its topic, epoch, partition and offset.
        error: What is wrong with it.
        failed_at_ms: Wall clock, UTC milliseconds.
        message: Its key, value and headers.
    """
    topic, epoch, partition, offset = source
    key, value, headers = message
    too_long = value is not None and len(value) > MAX_VALUE_BYTES
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        epoch=epoch,
        reason=error.reason,
        field=error.field,
        found=error.found,
        allowed=error.allowed,
        failed_at_ms=failed_at_ms,
        cut_from=len(value) if value is not None and too_long else 0,
        key=key,
        value=value[:MAX_VALUE_BYTES] if value is not None and too_long else value,
        headers=tuple((name, content or b"") for name, content in headers),
    )


def to_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter's message: its own as UTF-8 text, then the original ones as ``original-``."""
    texts = {
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "epoch": str(letter.epoch),
        "reason": letter.reason,
        "field": letter.field,
        "found": letter.found,
        "allowed": letter.allowed,
        "failed_at": fixed_width(letter.failed_at_ms),
        **({"cut_from": str(letter.cut_from)} if letter.cut_from else {}),
    }
    own = [(name, text.encode("utf-8", "backslashreplace")) for name, text in texts.items()]
    return own + [(f"original-{name}", content) for name, content in letter.headers]


def from_message(key: bytes | None, value: bytes | None, headers: Headers) -> DeadLetter | None:
    """Read a message of the dead-letter topic; None when its headers are not those of a dead letter."""
    found = {name: (content or b"").decode("utf-8", "replace") for name, content in headers if name in _OWN}
    try:
        return DeadLetter(
            topic=found["topic"],
            partition=int(found["partition"]),
            offset=int(found["offset"]),
            epoch=int(found.get("epoch", "1")),
            reason=found["reason"],
            field=found.get("field", ""),
            found=found.get("found", ""),
            allowed=found.get("allowed", ""),
            failed_at_ms=instant_ms(found["failed_at"], "failed_at"),
            cut_from=int(found.get("cut_from", "0")),
            key=key,
            value=None if found["reason"] == "tombstone" else value,
            headers=tuple(
                (name.removeprefix("original-"), content or b"")
                for name, content in headers
                if name.startswith("original-")
            ),
        )
    except (KeyError, ValueError, InvalidEvent):
        return None
