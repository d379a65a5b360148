"""Moments worth celebrating, as long as they are fresh: each is told once, and those of long ago never; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

FRESH_MS: Final = 60_000


class _Moment(msgspec.Struct):
    id: str
    occurred_at: datetime


class RecentMoments:
    """The moments of the last minute, by when they happened and not by when they were told."""

    def __init__(self) -> None:
        self._fresh: dict[str, tuple[int, bytes]] = {}

    def take(self, moments: Iterable[bytes], now_ms: int) -> list[bytes]:
        """Remember moments, given as JSON, and return the fresh ones that were not known; others are passed over.

        Args:
            moments: Those in Redis, oldest first; mostly known already.
            now_ms: The Redis server's clock.
        """
        self._forget(now_ms)
        new = []
        for payload in moments:
            try:
                moment = msgspec.json.decode(payload, type=_Moment)
                at_ms = round(moment.occurred_at.timestamp() * 1_000)
            except (msgspec.MsgspecError, OverflowError):
                continue
            if moment.id not in self._fresh and now_ms - at_ms < FRESH_MS:
                self._fresh[moment.id] = (at_ms, payload)
                new.append(payload)
        return new

    def all(self, now_ms: int) -> list[bytes]:
        """Return the fresh ones."""
        self._forget(now_ms)
        return [payload for _, payload in self._fresh.values()]

    def _forget(self, now_ms: int) -> None:
        self._fresh = {name: held for name, held in self._fresh.items() if now_ms - held[0] < FRESH_MS}
