"""Dead letters that would perhaps have counted: those of a window, of event types that a KPI counts."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from schemas.decode import instant_ms
from schemas.errors import InvalidEvent
from schemas.explanation import Letter, Letters
from schemas.rows import KIND
from streams.intake.deadletters import DeadLetter
from streams.time import Span, iso

_SHOWN: Final = 20
_DECISIVE: Final = {"rep": "rep_id", "team": "team_id", "region": "region"}
"""Dimensions in which an event's own statement always decides; source and channel may be the customer's."""

_Place = tuple[int, int, int]
"""Place in the order of letters: newest first, then by when they failed, then as they came; no two have the same."""


class Told(NamedTuple):
    """What a letter's bytes still tell; None where they do not."""

    event_type: str | None
    event_id: str | None
    at_ms: int | None
    fields: Mapping[str, Any]


def told_by(letter: DeadLetter) -> Told:
    """Read what can be read of a letter: a plain event, or a CloudEvent in either mode."""
    headers = {name: content.decode("utf-8", "replace") for name, content in letter.headers}
    try:
        body = orjson.loads(letter.value or b"")
    except orjson.JSONDecodeError:
        body = None
    body = body if isinstance(body, dict) else {}
    data = body.get("data")
    fields = data if "specversion" in body and isinstance(data, dict) else body
    said = {
        "event_type": headers.get("ce_type") or fields.get("event_type") or body.get("type"),
        "event_id": headers.get("ce_id") or fields.get("event_id") or body.get("id"),
        "occurred_at": headers.get("ce_time") or fields.get("occurred_at") or body.get("time"),
    }
    return Told(_text(said["event_type"]), _text(said["event_id"]), _instant(said["occurred_at"]), fields)


class WindowLetters:
    """Picks out the letters of a window; keeps the newest of them, without their bytes, and counts the others.

    Args:
        span: The window; a letter falls into it by its own time, else by when it failed.
        event_types: What the KPI counts; what has no type, or one that is none, may be of any.
        dimensions: Of the series; what states another rep, team or region does not concern it.
    """

    def __init__(self, span: Span, event_types: Iterable[str], dimensions: Mapping[str, str]) -> None:
        self._span = span
        self._event_types = frozenset(event_types)
        self._dimensions = dimensions
        self._newest: list[tuple[_Place, Letter]] = []
        self._counts: Counter[str] = Counter()
        self._first: dict[str, _Place] = {}

    def take(self, number: str, letter: DeadLetter) -> None:
        """Take the next letter."""
        told = told_by(letter)
        at_ms = told.at_ms if told.at_ms is not None else letter.failed_at_ms
        if not self._concerns(told, at_ms):
            return
        place = (-at_ms, letter.failed_at_ms, self._counts.total())
        self._counts[letter.reason] += 1
        self._first[letter.reason] = min(place, self._first.get(letter.reason, place))
        insort(self._newest, (place, _shown(number, letter, told)))
        del self._newest[_SHOWN:]

    def letters(self) -> Letters:
        """Return what was picked: newest first, reasons by how often they occur."""
        reasons = sorted(self._counts, key=lambda reason: (-self._counts[reason], self._first[reason]))
        return Letters(
            count=self._counts.total(),
            reasons={reason: self._counts[reason] for reason in reasons},
            letters=[letter for _, letter in self._newest],
        )

    def _concerns(self, told: Told, at_ms: int) -> bool:
        known_type = told.event_type in KIND
        if not self._span.start_ms <= at_ms < self._span.end_ms or (
            known_type and told.event_type not in self._event_types
        ):
            return False
        stated = {name: told.fields.get(field) for name, field in _DECISIVE.items() if name in self._dimensions}
        return not any(value and value != self._dimensions[name] for name, value in stated.items())


def _shown(number: str, letter: DeadLetter, told: Told) -> Letter:
    return Letter(
        number=number,
        topic=letter.topic,
        reason=letter.reason,
        event_type=told.event_type,
        event_id=told.event_id,
        occurred_at=iso(told.at_ms) if told.at_ms is not None else None,
        failed_at=iso(letter.failed_at_ms),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(value: object) -> int | None:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return None
    try:
        found = instant_ms(value)
    except InvalidEvent:
        return None
    return found if found < 253_402_300_800_000 else None  # the year 10000, which has no name
