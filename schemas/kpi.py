"""A KPI value: the one object that KPI topics, Redis, HTTP and the command line carry, and the key of its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Quality = Literal["live", "catching_up", "stale", "partial"]
Unit = Literal["count", "money", "ratio", "seconds", "score"]

_ESCAPES = str.maketrans({"%": "%25", "|": "%7C", "=": "%3D", ",": "%2C"})


class KpiValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """One value of one series at one moment.

    ``value`` is None when unknown. Money: ``value`` in major units, ``numerator`` the exact integer of minor units.
    Durations in seconds, ratios from 0 to 1. Times are RFC 3339 in UTC. Consumers keep the highest
    ``(window_end, revision)``.
    """

    kpi: str
    window: str
    dimensions: dict[str, str]
    value: float | int | None
    unit: Unit
    currency: str | None
    numerator: int | None
    denominator: int | None
    window_start: str | None
    window_end: str
    previous: float | int | None
    difference: float | None
    change: float | None
    watermark: str | None
    revision: int
    quality: Quality
    emitted_at: str
    rank: int | msgspec.UnsetType | None = msgspec.UNSET
    label: str | msgspec.UnsetType | None = msgspec.UNSET

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this value as builtins."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


def escape(value: str) -> str:
    """Percent-encode the four characters that a series key gives a meaning to."""
    return value.translate(_ESCAPES)


def unescape(value: str) -> str:
    """Undo :func:`escape`."""
    return value.replace("%2C", ",").replace("%3D", "=").replace("%7C", "|").replace("%25", "%")


def dims_key(dimensions: Mapping[str, str]) -> str:
    """Return the dimension part of a series key: ``a=x,b=y`` in alphabetical order; empty for the global series."""
    return ",".join(f"{name}={escape(dimensions[name])}" for name in sorted(dimensions))


def parse_dims(key: str) -> dict[str, str]:
    """Undo :func:`dims_key`."""
    if not key:
        return {}
    pairs = (part.split("=", 1) for part in key.split(","))
    return {name: unescape(value) for name, value in pairs}


def series_key(kpi: str, window: str, dimensions: Mapping[str, str]) -> str:
    """Return the stable key of a series, ``kpi|window|dim=value,...``: the message key on the KPI topics."""
    return f"{kpi}|{window}|{dims_key(dimensions)}"
