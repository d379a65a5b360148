"""Names of the keys in Redis, and of the fields in them. Other programs read these."""

from __future__ import annotations

from typing import NamedTuple

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


class SeriesKey(NamedTuple):
    """The parts of ``kpi|window|dims``."""

    kpi: str
    window: str
    dims: str

    @property
    def field(self) -> str:
        """Its field in the hash of its window."""
        return f"{self.kpi}|{self.dims}"

    def ranked(self) -> tuple[str, str] | None:
        """Dimension and its value, for a series of exactly one dimension; else None."""
        if not self.dims or "," in self.dims:
            return None
        dimension, _, value = self.dims.partition("=")
        return dimension, unescape(value)


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


def split_key(key: str) -> SeriesKey:
    """Take ``kpi|window|dims`` apart."""
    kpi, window, dims = key.split("|", 2)
    return SeriesKey(kpi, window, dims)
