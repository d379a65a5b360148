"""Names of the keys in Redis, and of the fields in them. Other programs read these."""

from __future__ import annotations

from typing import NamedTuple

from schemas.kpi import unescape


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

    def history(self, kpi: str, window: str) -> str:
        """Capped list of ``[ms, value]``, oldest first, of a global series."""
        return f"{self.prefix}:history:{kpi}:{window}"


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


def split_key(key: str) -> SeriesKey:
    """Take ``kpi|window|dims`` apart."""
    kpi, window, dims = key.split("|", 2)
    return SeriesKey(kpi, window, dims)
