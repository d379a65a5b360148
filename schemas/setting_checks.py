"""What a setting's type cannot tell of its value: zones, regions, rates, stages. Limits are in `schemas.limits`."""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.errors import SettingsError
from schemas.sections import Settings
from schemas.setting_errors import Origins
from schemas.tables import did_you_mean
from schemas.working_time import check_region, parse_hours

_REDIS: Final = ("redis", "rediss", "unix")


def check_values(settings: Settings, origins: Origins) -> None:
    """Check every value that needs it.

    Raises:
        SettingsError: One is wrong: where it is from, key, what was found and what is allowed.
    """
    for key, found, check in _checks(settings):
        try:
            check(found)
        except ValueError as error:
            raise SettingsError(origins.refuse(key, found, str(error))) from None


def _checks(settings: Settings) -> Iterator[tuple[str, Any, Callable[[Any], object]]]:
    """Yield keys, values, and what raises ValueError, with what is allowed, when the value is wrong."""
    kpi = settings.kpi
    yield "time.zone", settings.time.zone, _zone
    yield "redis.url", settings.redis.url, _redis_url
    yield "kpi.working_hours", list(kpi.working_hours), parse_hours
    yield "kpi.holidays", kpi.holidays, check_region
    yield "kpi.stages", list(kpi.stages), _stages
    for stage in kpi.stage_limits:
        yield f"kpi.stage_limits.{stage}", stage, partial(_one_of, kpi.stages)
    for code, rate in settings.money.rates.items():
        yield f"money.rates.{code}", rate, _rate


def _zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("allowed is an IANA zone like Europe/Berlin") from None


def _redis_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _REDIS and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("allowed is a URL like redis://host:6379/0; rediss:// and unix:// are possible too")


def _rate(rate: str | float) -> None:
    try:
        number = Decimal(str(rate))
        valid = number.is_finite() and number > 0
    except InvalidOperation:
        valid = False
    if not valid:
        raise ValueError("allowed is a number above 0")


def _stages(stages: list[str]) -> None:
    twice = [stage for stage, count in Counter(stages).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice; allowed is each stage once, in their order")


def _one_of(names: Iterable[str], found: str) -> None:
    allowed = list(names)
    if found not in allowed:
        raise ValueError(f"{did_you_mean(found, allowed)}expected one of kpi.stages: {', '.join(allowed)}")
