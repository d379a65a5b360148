"""Fields of the user's own in events: what the catalogue's files ask for beyond the declared ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.declare import Dimension
from schemas.diagnose import document_of, excerpt, is_encodable
from schemas.errors import InvalidEvent
from schemas.events import MAX_AMOUNT, MAX_TEXT
from schemas.facts import EVENT_FACTS
from schemas.measures import COUNT, Measure
from schemas.rows import COLUMNS, EVENT_TYPES

Fields = dict[str, str | int]

_MARK: Final = "specversion"
_Text = str | int | float | bool | None


class OwnFields:
    """Reads them off messages, by event type.

    Args:
        dimensions: Their fields are texts; of every event type that has no such field of its own.
        measures: Those over events whose quantity is no field that rows have a column for; it is an integer.
    """

    def __init__(self, dimensions: Iterable[Dimension], measures: Iterable[Measure]) -> None:
        texts = dict.fromkeys(dimension.field for dimension in dimensions)
        integers: dict[str, dict[str, None]] = {}
        for measure in measures:
            known = EVENT_FACTS.get(measure.fact)
            if known is not None and measure.quantity not in (COUNT, *known.quantities):
                integers.setdefault(measure.fact, {})[measure.quantity] = None
        self._of_kind = [
            _OfType(
                [name for name in texts if name not in COLUMNS[event_type].values()], list(integers.get(event_type, ()))
            )
            for event_type in EVENT_TYPES
        ]

    def __bool__(self) -> bool:
        return any(self._of_kind)

    def read(self, kind: int, raw: bytes) -> Fields | None:
        """Return the fields that a message states; None where it states none.

        Args:
            kind: Code of its event type.
            raw: The message, known to be an event.

        Raises:
            InvalidEvent: One of them is neither a text, a number nor a boolean, or no integer where one is needed.
        """
        of_type = self._of_kind[kind]
        return of_type.read(raw) if of_type else None


class _OfType:
    """The fields of one event type."""

    def __init__(self, texts: list[str], integers: list[str]) -> None:
        self._texts = [name for name in texts if name not in integers]
        self._integers = integers
        fields = [(name, _Text, None) for name in self._texts] + [(name, int | None, None) for name in integers]
        struct = msgspec.defstruct("OwnFields", [*fields, (_MARK, Any, None)], gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(struct)

    def __bool__(self) -> bool:
        return bool(self._texts or self._integers)

    def read(self, raw: bytes) -> Fields | None:
        try:
            found = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._read_slowly(document_of(raw))
        if getattr(found, _MARK) is not None:
            return self._read_slowly(document_of(raw))
        stated = {name: getattr(found, name) for name in (*self._texts, *self._integers)}
        return self._checked({name: value for name, value in stated.items() if value is not None})

    def _read_slowly(self, document: Mapping[str, Any]) -> Fields | None:
        names = (*self._texts, *self._integers)
        return self._checked({name: document[name] for name in names if document.get(name) is not None})

    def _checked(self, stated: Mapping[str, Any]) -> Fields | None:
        fields: Fields = {}
        for name, value in stated.items():
            if name in self._integers:
                fields[name] = _integer(name, value)
            elif text := _text(name, value):
                fields[name] = text
        return fields or None


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidEvent("wrong_type", name, excerpt(value), "an integer, as a measure of catalogue.files adds it up")
    if abs(value) > MAX_AMOUNT:
        raise InvalidEvent("out_of_range", name, excerpt(value), f"an integer from {-MAX_AMOUNT} to {MAX_AMOUNT}")
    return value


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise InvalidEvent("wrong_type", name, excerpt(value), "a text, as a dimension of catalogue.files needs it")
    if len(value) > MAX_TEXT:
        raise InvalidEvent("too_large", name, excerpt(value), f"text of at most {MAX_TEXT} characters")
    if any(character < " " or character == "\x7f" for character in value):
        raise InvalidEvent("wrong_value", name, excerpt(value), "text without control characters")
    if not is_encodable(value):
        raise InvalidEvent("invalid_utf8", name, excerpt(value), "Unicode without lone surrogates")
    return value
