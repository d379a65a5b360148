"""How one cell of a CSV file is read: texts, numbers, amounts, dates; errors say what is allowed."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

ValueType = Literal["text", "integer", "number", "amount", "date", "boolean"]
Case = Literal["keep", "lower", "upper"]

_TRUE: Final = ("true", "yes", "y", "1")
_FALSE: Final = ("false", "no", "n", "0")
_ISO: Final = "iso"


def clean_text(text: str, replace: dict[str, str], case: Case) -> str:
    """Trim a text, join runs of white space to one blank, change its case, then replace whole values."""
    cleaned = " ".join(text.split())
    cleaned = {"keep": cleaned, "lower": cleaned.lower(), "upper": cleaned.upper()}[case]
    return replace.get(cleaned, cleaned)


def read_amount(text: str, scale: int, decimal: str, thousands: str) -> int:
    """Read an amount of money as an integer of minor units.

    Args:
        text: Digits with an optional sign, decimal mark and thousands separators.
        scale: Minor units in one unit of the file: 100 where the file has dollars, 1 where it has cents.
        decimal: The decimal mark.
        thousands: What separates thousands; empty: nothing.

    Raises:
        ValueError: It is not a number, or has more digits than minor units can hold; says what is allowed.
    """
    number = _decimal(text, decimal, thousands) * scale
    if number != number.to_integral_value():
        raise ValueError(f"an amount without parts of a minor unit (scale {scale})")
    return int(number)


def read_integer(text: str) -> int:
    """Read a whole number; raises ValueError with what is allowed."""
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def read_number(text: str, decimal: str, thousands: str) -> float:
    """Read a number; raises ValueError with what is allowed."""
    return float(_decimal(text, decimal, thousands))


def read_boolean(text: str) -> bool:
    """Read true, yes, y, 1 or false, no, n, 0; raises ValueError with what is allowed."""
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"one of {', '.join(_TRUE + _FALSE)}")


def read_moment(text: str, formats: Sequence[str], zone: tzinfo, time_of_day: time) -> int:
    """Read a date, or a date with a time, as UTC milliseconds.

    Args:
        text: The cell.
        formats: Tried in order: ``strptime`` patterns, or ``iso`` for ISO 8601.
        zone: Zone of texts that state no offset.
        time_of_day: Taken where text and format have no time.

    A local time that occurs twice (clocks set back) means the first; one that does not occur is read as if the clocks
    had not yet been set forward.

    Raises:
        ValueError: No format fits; says which are allowed.
    """
    for pattern in formats:
        try:
            moment = datetime.fromisoformat(text) if pattern == _ISO else datetime.strptime(text, pattern)
        except ValueError:
            continue
        if not _states_time(text, pattern):
            moment = datetime.combine(moment.date(), time_of_day)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return round(moment.astimezone(UTC).timestamp() * 1000)
    raise ValueError(f"a date like {' or '.join(_example(pattern, time_of_day) for pattern in formats)}")


def read_time_of_day(text: str) -> time:
    """Read ``HH:MM`` or ``HH:MM:SS``; raises ValueError with what is allowed."""
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError("a time of day like 09:00 or 17:30:15") from None


def read_zone(name: str) -> tzinfo:
    """Find an IANA zone; raises ValueError with what is allowed."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("an IANA zone like UTC or Europe/Berlin") from None


def _decimal(text: str, decimal: str, thousands: str) -> Decimal:
    plain = text.replace(thousands, "") if thousands else text
    try:
        number = Decimal(plain.replace(decimal, ".") if decimal != "." else plain)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"a number with {decimal!r} before its decimals")
    return number


def _states_time(text: str, pattern: str) -> bool:
    if pattern == _ISO:
        return len(text) > len("2017-03-01")
    return any(code in pattern for code in ("%H", "%I", "%X", "%c", "%s"))


def _example(pattern: str, time_of_day: time) -> str:
    moment = datetime.combine(datetime(2017, 3, 31, tzinfo=UTC).date(), time_of_day)
    return moment.isoformat(" ") if pattern == _ISO else f"{moment.strftime(pattern)} ({pattern})"
