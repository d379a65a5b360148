"""What the settings say of working time: public holidays by country, and the hours of a day.

The only place that knows the library ``holidays``. It is loaded when a country is named, and not before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Final

MINUTES_OF_DAY: Final = 24 * 60
_TIME: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_SHOWN: Final = 20


def parse_hours(hours: Sequence[str]) -> tuple[int, int] | None:
    """Read working hours such as ``["09:00", "17:30"]``.

    Returns:
        Begin and end in minutes of the local day; None for no hours: whole days are worked.

    Raises:
        ValueError: They are not two times of a day, the first before the second; says what is allowed.
    """
    if not hours:
        return None
    minutes = [_minutes(text) for text in hours]
    begin, end = (minutes[0], minutes[1]) if len(minutes) == 2 else (None, None)
    if begin is None or end is None or not begin < end <= MINUTES_OF_DAY:
        raise ValueError('allowed are two times of the day in order, such as ["09:00", "17:30"], or [] for whole days')
    return begin, end


def _minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    return int(match[1]) * 60 + int(match[2]) if match else None


@cache
def holidays_in(region: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country, or of a part of one, in a year; none where no region is named.

    A holiday that is observed on another day, as it falls on a weekend, is off on that day as well.

    Args:
        region: ``DE``, ``DE-BY``, or empty; see :func:`check_region`.
        year: Of the local calendar.
    """
    if not region:
        return frozenset()
    from holidays import country_holidays  # noqa: PLC0415  most installations name no country

    country, _, part = region.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year).keys())


def check_region(region: str) -> None:
    """Check that a region's holidays are known.

    Raises:
        ValueError: They are not; says what is allowed, or what was probably meant.
    """
    if not region:
        return
    known = _regions()
    country, dash, part = region.partition("-")
    if country not in known:
        raise ValueError(f"allowed is a country such as DE, or a part of one such as DE-BY{_meant(region)}")
    if dash and part not in known[country]:
        parts = [f"{country}-{name}" for name in known[country]]
        if len(parts) > _SHOWN:
            parts = [*parts[:_SHOWN], f"and {len(parts) - _SHOWN} more"]
        listed = f" or a part of it: {', '.join(parts)}" if parts else ", which is not divided"
        raise ValueError(f"allowed is {country}{listed}")


def _regions() -> Mapping[str, Sequence[str]]:
    from holidays import list_supported_countries  # noqa: PLC0415  most installations name no country

    return list_supported_countries(include_aliases=False)


def _meant(region: str) -> str:
    """Say which countries are named or written like that, where there are any."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415  most installations name no country

    codes = {names[0].lower(): names[1] for names in COUNTRIES.values()}
    named = difflib.get_close_matches(region.lower().replace(" ", ""), codes, n=1)
    close = difflib.get_close_matches(region.upper(), sorted(codes.values()), n=3, cutoff=0.5)
    meant = [codes[name] for name in named] or close
    return f"; did you mean {' or '.join(meant)}?" if meant else ""
