"""What only targets have, as it stands in a row: JSON in the reporting currency and in milliseconds."""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from schemas.decode import instant_ms
from schemas.diagnose import excerpt
from schemas.errors import InvalidEvent
from schemas.events import TargetSet
from schemas.windows import EVENT_DIMENSIONS
from streams.intake.money import Factors, convert, factor_of
from streams.time import LAST_MS

_OF_A_KPI: Final = ("number", "currency")
"""Kinds of goals that are reached by a KPI; tasks are done, or not, whatever is counted."""


def target_fields(event: TargetSet, currency: str, known: Factors) -> str:
    """Return a target's own fields as JSON with sorted keys.

    Args:
        event: The event.
        currency: The reporting currency, in which a value of kind ``currency`` is given.
        known: Currencies that can be converted.

    Raises:
        InvalidEvent: A field is missing, or its value makes no sense for a target.
    """
    dimensions = {name: value for name, value in (event.dimensions or {}).items() if value}
    _check(event, dimensions)
    value = event.value or 0
    if event.kind == "currency":
        if not isinstance(value, int):
            raise InvalidEvent("wrong_type", "value", str(value), "an integer of minor units for kind currency")
        value = convert(value, factor_of(event.currency or currency, known), "value") or 0
    fields = {
        "dimensions": dimensions,
        "done": int(event.done or 0),
        "kind": event.kind,
        "kpi": event.kpi or None,
        "parent": event.parent or None,
        "period": event.period,
        "start": _start(event.start),
        "value": value,
        "withdrawn": event.withdrawn,
    }
    return msgspec.json.encode(fields, order="sorted").decode()


def _check(event: TargetSet, dimensions: dict[str, str]) -> None:
    if len(dimensions) > 1:
        raise InvalidEvent("wrong_value", "dimensions", f"{len(dimensions)} dimensions", "at most one dimension a goal")
    for name in dimensions:
        if name not in EVENT_DIMENSIONS:
            raise InvalidEvent("wrong_value", f"dimensions.{name}", name, f"one of {', '.join(EVENT_DIMENSIONS)}")
    if event.withdrawn:
        return
    if not event.kpi and event.kind in _OF_A_KPI:
        raise InvalidEvent("missing_field", "kpi", "nothing", f"the KPI that a goal of kind {event.kind} is about")
    if not event.period:
        raise InvalidEvent("missing_field", "period", "nothing", "what every goal has, unless it is withdrawn")


def _start(value: str | int | None) -> str | int | None:
    """A date stays one (it is a local day); a time becomes milliseconds."""
    if value is None or value == "":
        return None
    is_date = isinstance(value, str) and len(value) == len("2024-05-17")
    start_ms = instant_ms(f"{value}T00:00:00Z" if is_date else value, "start")
    if start_ms > LAST_MS:
        raise InvalidEvent("out_of_range", "start", excerpt(value), "a day or time before the year 9999")
    return date.fromisoformat(str(value).upper()).isoformat() if is_date else start_ms
