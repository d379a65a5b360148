"""Names of the keys in Redis, and of the fields in them. Other programs read these."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.kpi import unescape
from streams.history import HistoryStep
from streams.time import iso


class Keys(NamedTuple):
    """Key names under one prefix."""

    prefix: str

    @property
    def meta(self) -> str:
        """Hash: watermark, quality, version, updated_at of the whole, and ``field:{owner}`` of each owner."""
        return f"{self.prefix}:meta"

    @property
    def updates(self) -> str:
        """Capped stream: one entry a changed value, with the fields ``key`` and ``value``."""
        return f"{self.prefix}:updates"

    @property
    def changes(self) -> str:
        """Channel: one message a write that changed something."""
        return f"{self.prefix}:changes"

    @property
    def alerts(self) -> str:
        """Hash: fingerprint -> alert as JSON."""
        return f"{self.prefix}:alerts"

    def window(self, window: str) -> str:
        """Hash: ``kpi|dims`` -> KPI value as JSON."""
        return f"{self.prefix}:kpi:{window}"

    def rank(self, kpi: str, dimension: str, window: str) -> str:
        """Sorted set: value of the dimension -> value of the KPI."""
        return f"{self.prefix}:rank:{kpi}:{dimension}:{window}"

    def recent(self, kpi: str, window: str) -> str:
        """Capped list of ``[ms, value]``, oldest first: how a global series has moved lately."""
        return f"{self.prefix}:recent:{kpi}:{window}"

    def history(self, kpi: str, step: HistoryStep) -> str:
        """Hash: ``dims|start`` -> value, numerator and denominator of that hour or day as JSON."""
        return f"{self.prefix}:history:{kpi}:{step}"

    @property
    def moments(self) -> str:
        """Capped stream: one entry a moment worth celebrating, with the fields ``id`` and ``moment``."""
        return f"{self.prefix}:moments"


class SeriesKey(msgspec.Struct, frozen=True, gc=False):
    """The parts of ``kpi|window|dims``, and where the series lies in Redis.

    Args:
        kpi: Name of the KPI.
        window: Name of the window.
        dims: Dimension part; empty for the global series.
        field: In the hash of its window.
        ranking: KPI, dimension and window, for a series of exactly one dimension; else None.
        member: The value of that dimension; else empty.
    """

    kpi: str
    window: str
    dims: str
    field: str
    ranking: tuple[str, str, str] | None
    member: str


class PointKey(NamedTuple):
    """Which point of history."""

    kpi: str
    step: HistoryStep
    dims: str
    start_ms: int

    @property
    def field(self) -> str:
        """Its field in the hash of its KPI and step; among those of one series the texts sort as the times do."""
        return f"{self.dims}|{iso(self.start_ms)}"


@lru_cache(maxsize=1 << 17)
def split_key(key: str) -> SeriesKey:
    """Take ``kpi|window|dims`` apart: once a series, not once a value."""
    kpi, window, dims = key.split("|", 2)
    ranking, member = None, ""
    if dims and "," not in dims:
        dimension, _, value = dims.partition("=")
        ranking, member = (kpi, dimension, window), unescape(value)
    return SeriesKey(kpi, window, dims, f"{kpi}|{dims}", ranking, member)
