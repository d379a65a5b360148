"""What exactly is wrong with a message: read again, slowly, to name the field, what was found and what is allowed."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

import msgspec

from schemas.errors import InvalidEvent
from schemas.events import (
    EVENT_CLASSES,
    MAX_AMOUNT,
    MAX_ITEMS,
    MAX_TEXT,
    Category,
    Direction,
    Event,
    GoalKind,
    Outcome,
    Period,
    Purpose,
)
from schemas.rows import EVENT_TYPES

_FOUND_LENGTH: Final = 80
_NUMBER_LENGTH: Final = 25  # digits; more is no amount of anything
_NOT_NUMBERS: Final = frozenset({"nan", "inf", "-inf", "+inf", "infinity", "-infinity"})
_NUMBERS: Final = frozenset({"amount", "cost", "quantity", "duration_s", "score", "scale", "value", "done"})
_ENVELOPE: Final = {"event_id": "id", "event_type": "type", "occurred_at": "time"}
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_ID: Final = f"text of 1 to {MAX_TEXT} characters"
_DATE: Final = "RFC 3339 with offset, like 2024-05-17T09:30:00Z, or integer milliseconds"


def _choice(literal: Any) -> str:
    return "one of " + ", ".join(get_args(literal))


_ALLOWED: Final[dict[str, str]] = {
    **dict.fromkeys(("event_id", "account_id", "deal_id", "message_id", "target_id", "to_stage"), _ID),
    **dict.fromkeys(("amount", "cost"), f"an integer of minor units from 0 to {MAX_AMOUNT}"),
    **dict.fromkeys(("quantity", "duration_s"), f"an integer from 0 to {2**31}"),
    **dict.fromkeys(("score", "scale", "value"), f"a number from 0 to {MAX_AMOUNT}"),
    **dict.fromkeys(("occurred_at", "start"), _DATE),
    **dict.fromkeys(("advertisement", "withdrawn"), "true or false"),
    "done": f"true, false or an integer from 0 to {2**31}",
    "items": f"a list of at most {MAX_ITEMS} objects with product, quantity, amount and cost",
    "dimensions": "an object of texts",
    "direction": _choice(Direction),
    "outcome": _choice(Outcome),
    "purpose": _choice(Purpose),
    "category": _choice(Category),
    "period": _choice(Period),
    "kind": _choice(GoalKind),
}
_TEXT_ALLOWED: Final = f"text of at most {MAX_TEXT} characters"


class _Odd:
    """A number as it was written that is none (NaN) or none that fits."""

    def __init__(self, text: str, *, is_number: bool) -> None:
        self.text = text
        self.is_number = is_number

    def __repr__(self) -> str:
        return self.text


def excerpt(value: object) -> str:
    """Return a value as JSON would show it, cut to 80 characters."""
    if isinstance(value, _Odd):
        text = value.text
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, default=repr)
        except (ValueError, RecursionError):
            text = type(value).__name__
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _FOUND_LENGTH else f"{text[: _FOUND_LENGTH - 1]}…"


def decode_slowly(raw: bytes, headers: Sequence[tuple[str, bytes | None]] = ()) -> Event:
    """Read one message step by step; what the quick way cannot read may still be an event (a CloudEvent, a BOM).

    Raises:
        InvalidEvent: With reason, field, what was found and what is allowed.
    """
    document = _parse(raw)
    envelope: dict[str, Any] = {
        name: (value or b"").decode("utf-8", "replace")
        for name, value in ((key.removeprefix("ce_"), value) for key, value in headers if key.startswith("ce_"))
    }
    prefix = ""
    if not envelope and _is_envelope(document):
        envelope, document, prefix = document, _data_of(document), "data."
    names = {ours: theirs for ours, theirs in _ENVELOPE.items() if theirs in envelope and ours not in document}
    document = document | {ours: envelope[theirs] for ours, theirs in names.items()}
    try:
        return _convert(document)
    except InvalidEvent as error:
        field = names.get(error.field, f"{prefix}{error.field}" if error.field else "")
        raise InvalidEvent(error.reason, field, error.found, error.allowed) from None


def document_of(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a message, that inside it for a CloudEvent in structured mode.

    Raises:
        InvalidEvent: It is none.
    """
    document = _parse(raw)
    return _data_of(document) if _is_envelope(document) else document


def _is_envelope(document: Mapping[str, Any]) -> bool:
    return "specversion" in document and "event_type" not in document


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} at position {error.start}"
        raise InvalidEvent("invalid_utf8", "", found, "UTF-8") from None
    if not text.strip():
        raise InvalidEvent("empty", "", f"{len(raw)} bytes of white space", "one JSON object")
    try:
        document = json.loads(
            text,
            parse_constant=lambda name: _Odd(name, is_number=False),
            parse_int=lambda digits: int(digits) if len(digits) <= _NUMBER_LENGTH else _Odd(digits, is_number=True),
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        found = f"{excerpt(text[max(0, error.pos - 20) : error.pos + 20])} ({error.msg}, character {error.pos})"
        raise InvalidEvent("broken_json", "", found, "one JSON object") from None
    except RecursionError:
        raise InvalidEvent("broken_json", "", "values nested too deeply", "one flat JSON object") from None
    if not isinstance(document, dict):
        raise InvalidEvent("not_an_object", "", excerpt(document), "one JSON object")
    for path, value in _leaves("", document):
        if isinstance(value, _Odd) and not value.is_number:
            raise InvalidEvent("not_a_number", path, value.text, _allowed(path))
    return document


def _float(text: str) -> float | _Odd:
    number = float(text)
    return _Odd(text, is_number=True) if number in (float("inf"), float("-inf")) else number


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _leaves(f"{path}[{index}]", entry)
    else:
        yield path, value


def _data_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The event inside a CloudEvent in structured mode."""
    if "data_base64" in envelope:
        try:
            return _parse(base64.b64decode(envelope["data_base64"], validate=True))
        except (binascii.Error, TypeError, ValueError):
            found = excerpt(envelope["data_base64"])
            raise InvalidEvent("wrong_type", "data_base64", found, "the event as base64") from None
    if "data" not in envelope:
        raise InvalidEvent("missing_field", "data", "nothing", "the event as an object")
    if not isinstance(envelope["data"], dict):
        raise InvalidEvent("wrong_type", "data", excerpt(envelope["data"]), "the event as an object")
    return dict(envelope["data"])


def _convert(document: Mapping[str, Any]) -> Event:
    name = document.get("event_type")
    if name is None:
        raise InvalidEvent("missing_field", "event_type", "nothing", "a type like deal.won")
    if not isinstance(name, str):
        raise InvalidEvent("wrong_type", "event_type", excerpt(name), "text like deal.won")
    if name not in EVENT_CLASSES:
        close = difflib.get_close_matches(name, EVENT_TYPES, n=1)
        hint = f" (is {close[0]} meant?)" if close else ""
        raise InvalidEvent("unknown_type", "event_type", excerpt(name), f"one of the {len(EVENT_TYPES)} types{hint}")
    try:
        event: Event = msgspec.convert(document, Event)
    except msgspec.ValidationError as error:
        raise _explain(str(error), document) from None
    except UnicodeEncodeError:  # a text with half a character where no text is allowed
        raise _half_a_character(document) from None
    return event


def _half_a_character(document: Mapping[str, Any]) -> InvalidEvent:
    """Name the first text that is no Unicode."""
    texts = ((path, value) for path, value in _leaves("", document) if isinstance(value, str))
    path, found = next(((path, text) for path, text in texts if not is_encodable(text)), ("", "a key"))
    return InvalidEvent("invalid_utf8", path, excerpt(found), "Unicode without lone surrogates")


def is_encodable(text: str) -> bool:
    """Tell whether a text is Unicode, without halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explain(message: str, document: Mapping[str, Any]) -> InvalidEvent:
    """Turn the decoder's message into a reason; only the place is taken from it, the rest from what stands there."""
    text, _, place = message.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    missing = _MISSING.search(text)
    if missing:
        field = f"{path}.{missing[1]}".lstrip(".")
        return InvalidEvent("missing_field", field, "nothing", _allowed(field))
    if path == "dimensions[...]" or path.startswith("key"):
        return InvalidEvent("wrong_type", "dimensions", excerpt(document["dimensions"]), _allowed("dimensions"))
    found = _value_at(document, path)
    return InvalidEvent(_reason(path, found), path, excerpt(found), _allowed(path))


def _value_at(document: Mapping[str, Any], path: str) -> object:
    """Return what stands at a path like ``items[1].amount``."""
    value: Any = document
    for name, index in _STEP.findall(path):
        value = value[int(index)] if index else value.get(name)
    return value


def _reason(path: str, found: object) -> str:
    name = _name(path)
    numeric = name in _NUMBERS
    if found is None:
        return "wrong_type" if path.endswith("]") else "missing_field"
    if isinstance(found, str):
        return _reason_of_text(name, found, numeric=numeric)
    if numeric and isinstance(found, _Odd):
        return "out_of_range"
    if numeric and isinstance(found, int | float) and not isinstance(found, bool):
        return _reason_of_number(found)
    return "too_large" if isinstance(found, list) and len(found) > MAX_ITEMS else "wrong_type"


def _reason_of_number(found: float) -> str:
    if found < 0:
        return "negative"
    # An integer that is refused and not negative is too large; a small number with decimals stands for an integer.
    return "out_of_range" if isinstance(found, int) or found > MAX_AMOUNT else "wrong_type"


def _reason_of_text(name: str, found: str, *, numeric: bool) -> str:
    if numeric:
        return "not_a_number" if found.strip().lower() in _NOT_NUMBERS else "wrong_type"
    if name in _ALLOWED and _ALLOWED[name].startswith("one of"):
        return "wrong_value"
    if name in ("items", "dimensions", "advertisement", "withdrawn"):
        return "wrong_type"
    if len(found) > MAX_TEXT:
        return "too_large"
    return "empty_id" if name.endswith("_id") else "wrong_value"


def _allowed(path: str) -> str:
    return _ALLOWED.get(_name(path), _TEXT_ALLOWED)


def _name(path: str) -> str:
    """``amount`` of ``items[1].amount``, ``items`` of ``items[1]``."""
    return path.rpartition(".")[2].partition("[")[0]
