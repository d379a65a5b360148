"""Names of windows, resolutions and dimensions, and their fixed facts."""

from __future__ import annotations

from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

ROLLING_MS: Final[dict[str, int]] = {
    "5m": 5 * MINUTE_MS,
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
}
"""Rolling windows and their lengths in milliseconds."""

TO_DATE: Final = ("today", "wtd", "mtd", "qtd", "ytd")
"""Windows from the start of the running local period to now."""

WINDOWS: Final = (*ROLLING_MS, *TO_DATE, "all")
"""All eleven windows, in the order in which they are shown."""

SLICE_MS: Final[dict[str, int]] = {"10s": 10 * SECOND_MS, "1m": MINUTE_MS, "15m": 15 * MINUTE_MS}
"""Resolutions of a fixed length; ``1d`` is one local day and ``all`` is one cell for ever."""

RESOLUTIONS: Final = (*SLICE_MS, "1d", "all")
"""All resolutions, finest first."""

RETENTION_MS: Final[dict[str, int]] = {
    "10s": 3 * HOUR_MS,
    "1m": 50 * HOUR_MS,
    "15m": 65 * DAY_MS,
    "1d": 800 * DAY_MS,
}
"""How long cells of a resolution are kept behind the watermark; ``all`` is never dropped."""

WINDOW_RESOLUTION: Final[dict[str, str]] = {
    "5m": "10s",
    "1h": "10s",
    "24h": "1m",
    **dict.fromkeys(("7d", "30d", *TO_DATE, "all"), "15m"),
}
"""The resolution to which a window's end is rounded up."""

EVENT_DIMENSIONS: Final = ("rep", "team", "region", "source", "channel", "product")
"""The six dimensions an event may state; the order is that of the columns of a row."""
