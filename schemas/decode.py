"""Bytes of a source topic to events: one typed decode when all is well, a second and slow look when it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from schemas.diagnose import decode_slowly, excerpt, is_encodable
from schemas.errors import InvalidEvent
from schemas.events import FREE_TEXTS, BaseEvent, Event

Headers = Sequence[tuple[str, bytes | None]]
"""Headers of a Kafka message, as aiokafka gives them."""

MAX_EVENT_BYTES: Final = 262_144

_BACKSLASH: Final = ord("\\")  # as integers: searched for in a fifth of the time
_DELETE: Final = 0x7F
_DECODER: Final = msgspec.json.Decoder(Event)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def decode(raw: bytes | None, headers: Headers = (), max_bytes: int = MAX_EVENT_BYTES) -> Event:
    """Read and check one message: a plain event, or a CloudEvent in structured or binary mode.

    ``occurred_at`` is left as it came; :func:`instant_ms` reads it.

    Args:
        raw: The message's value, UTF-8 JSON; None is a tombstone.
        headers: The message's headers; ``ce_*`` make it a CloudEvent in binary mode.
        max_bytes: Longer messages are refused unread.

    Raises:
        InvalidEvent: With the reason, the field at fault, what was found there and what is allowed.
    """
    if not raw:
        reason = "tombstone" if raw is None else "empty"
        raise InvalidEvent(reason, "", "no bytes" if raw is None else "0 bytes", "one JSON object")
    if len(raw) > max_bytes:
        raise InvalidEvent("too_large", "", f"{len(raw)} bytes", f"at most {max_bytes} bytes (intake.max_event_bytes)")
    if headers and any(name.startswith("ce_") for name, _ in headers):
        event: Event = decode_slowly(raw, headers)
    else:
        try:
            event = _DECODER.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = decode_slowly(raw, headers)
    # JSON has control characters in strings only as escapes, but for DEL: two scans are cheaper than many looks.
    if _BACKSLASH in raw or _DELETE in raw or headers:
        _check_texts(event)
    return event


def instant_ms(value: str | int, field: str = "occurred_at") -> int:
    """Return a point in time as UTC epoch milliseconds; parts of a millisecond are cut off.

    Args:
        value: RFC 3339 with an offset, or already milliseconds.
        field: What to name in the error.

    Raises:
        InvalidEvent: ``bad_date``: no such time, no offset, or before 1970.
    """
    if isinstance(value, str):
        try:
            milliseconds = (datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND
        except (ValueError, TypeError, OverflowError):
            milliseconds = _lenient_instant_ms(value, field)
    else:
        milliseconds = value
    if milliseconds < 0:
        raise InvalidEvent("bad_date", field, excerpt(value), "a time from 1970 on")
    return milliseconds


def _lenient_instant_ms(value: str, field: str) -> int:
    """RFC 3339 allows ``t`` and ``z`` in small letters, which Python does not read."""
    try:
        return (datetime.fromisoformat(value.upper()) - _EPOCH) // _MILLISECOND
    except (ValueError, TypeError, OverflowError):
        raise InvalidEvent(
            "bad_date",
            field,
            excerpt(value),
            "RFC 3339 with offset, like 2024-05-17T09:30:00Z, or integer milliseconds",
        ) from None


def _check_texts(event: BaseEvent) -> None:
    for field, text in _texts("", event):
        if not text.isprintable():
            _check_characters(field, text)
        if not text.isascii() and not is_encodable(text):
            raise InvalidEvent("invalid_utf8", field, excerpt(text), "Unicode without lone surrogates")


def _check_characters(field: str, text: str) -> None:
    allowed, but = ("\t\n\r", " but tabs and line breaks") if field in FREE_TEXTS else ("", "")
    if any((character < " " or character == "\x7f") and character not in allowed for character in text):
        raise InvalidEvent("wrong_value", field, excerpt(text), f"text without control characters{but}")


def _texts(path: str, value: Any) -> Iterable[tuple[str, str]]:
    """Every text in an event, with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(f"{path}.{name}" if path else name, getattr(value, name))
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield f"{path}.{key}", key
            yield from _texts(f"{path}.{key}", entry)
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from _texts(f"{path}[{index}]", entry)
