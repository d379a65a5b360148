"""How fresh the view is: read from the meta hash, judged by the clock of the Redis server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.kpi import Quality

_QUALITIES: Final[tuple[Quality, ...]] = ("live", "catching_up", "partial", "stale")


class Freshness(msgspec.Struct, frozen=True):
    """How fresh all values are.

    Args:
        as_of: RFC 3339; when the longest silent owner last confirmed its values. None: there is nothing in Redis.
        watermark: RFC 3339; event time up to which the values are complete.
        quality: The worst of all owners, or ``stale`` when one has been silent for too long.
        version: Rises with every message that went into the values.
        age_ms: Since the longest silent owner confirmed its values, on the server's clock.
        now_ms: That clock, UTC milliseconds.
    """

    as_of: str | None
    watermark: str | None
    quality: Quality
    version: int
    age_ms: int | None
    now_ms: int

    @property
    def stale(self) -> bool:
        """Whether values must be shown as stale, whatever they say themselves."""
        return self.quality == "stale"


def judge(meta: Mapping[bytes, bytes], now_ms: int, stale_after_ms: int) -> Freshness:
    """Judge a meta hash.

    Args:
        meta: Its fields; empty when it has expired or never was.
        now_ms: The Redis server's clock.
        stale_after_ms: Silence after which values are stale.
    """
    seen = [int(value) for name, value in meta.items() if name.startswith(b"seen:")]
    if not seen:
        return Freshness(None, None, "stale", 0, None, now_ms)
    age_ms = max(0, now_ms - min(seen))
    stated = meta.get(b"quality", b"stale").decode()
    known: Quality = next((quality for quality in _QUALITIES if quality == stated), "stale")
    return Freshness(
        as_of=meta.get(b"updated_at", b"").decode() or None,
        watermark=meta.get(b"watermark", b"").decode() or None,
        quality="stale" if age_ms > stale_after_ms else known,
        version=int(meta.get(b"version", b"0")),
        age_ms=age_ms,
        now_ms=now_ms,
    )
