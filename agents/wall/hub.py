"""Brings changes from Redis to everyone who listens: one reader of the stream of updates for any number of clients."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from agents.ending import end
from agents.wall.moments import RecentMoments
from schemas.errors import UnavailableError
from streams.redis_view import Freshness, Query, RedisReader, Update, entry_order

_LOG: Final = logging.getLogger(__name__)
_POLL_S: Final = 1.0
_GATHER_S: Final = 0.01
_AT_MOST_EVERY_S: Final = 0.05
_MOST_PENDING: Final = 5_000


class Subscriber:
    """What one client has not been sent yet: the newest value of each series it asked for.

    Attributes:
        query: What it asked for.
        wake: Set when there is something to send.
        freshness: The newest, or None before the first.
        reset: Whether it needs a snapshot: it is new, or so slow that deltas would cost more, or some were lost.
        since: Entries up to this one are in its snapshot already.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.wake = asyncio.Event()
        self.freshness: Freshness | None = None
        self.reset = True
        self.since = "0-0"
        self._matches = {window: query.matcher(window) for window in query.windows}
        self._pending: dict[str, Update] = {}
        self._moments: list[bytes] = []

    def offer(self, freshness: Freshness, entries: list[Update], *, wake: bool = True) -> None:
        """Take what is new.

        Args:
            freshness: Of all values.
            entries: What changed.
            wake: Whether how fresh they are is worth an event even if nothing of it was asked for.
        """
        self.freshness = freshness
        for entry in entries:
            kpi, window, dims = entry.key.split("|", 2)
            if window in self._matches and self._matches[window](kpi, dims):
                self._pending[entry.key] = entry
        if len(self._pending) > _MOST_PENDING:
            self.ask_snapshot()
        if wake or self._pending or self.reset:
            self.wake.set()

    def celebrate(self, moments: Iterable[bytes]) -> None:
        """Take moments worth celebrating."""
        self._moments += moments
        if self._moments:
            self.wake.set()

    def take_moments(self) -> list[bytes]:
        """Take out the moments that it has not been told of yet."""
        moments, self._moments = self._moments, []
        return moments

    def ask_snapshot(self) -> None:
        """Have a snapshot sent instead of what is pending."""
        self._pending.clear()
        self.reset = True
        self.wake.set()

    def take(self) -> list[Update]:
        """Take out what is pending and not in the snapshot."""
        pending, self._pending = self._pending, {}
        return [entry for entry in pending.values() if entry.order > entry_order(self.since)]


class Hub:
    """Reads changes while anybody listens.

    Args:
        reader: The live view.
    """

    def __init__(self, reader: RedisReader) -> None:
        self._reader = reader
        self._subscribers: set[Subscriber] = set()
        self._pump_task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._last_id = ""
        self._shown: Freshness | None = None
        self._said_s = 0.0
        self._moments = RecentMoments()

    @asynccontextmanager
    async def subscribed(self, query: Query) -> AsyncIterator[Subscriber]:
        """Listen to what a query asks for."""
        subscriber = Subscriber(query)
        self._subscribers.add(subscriber)
        if self._pump_task is not None and self._shown is not None:
            subscriber.celebrate(self._moments.all(self._shown.now_ms))
        if self._pump_task is None:
            self._moments = RecentMoments()
            self._pump_task = asyncio.create_task(self._keep_pumping(), name="wall-hub")
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers and self._pump_task is not None:
                task, self._pump_task = self._pump_task, None
                await end(task)

    async def _keep_pumping(self) -> None:
        """Pump until cancelled: whatever goes wrong must not leave those who listen without news for good."""
        while True:
            try:
                await self._pump()
            except Exception:  # noqa: BLE001  whatever it is, they must hear of changes again
                _LOG.exception("reading what changes failed; it begins anew")
            self._show_silence()
            await asyncio.sleep(_POLL_S)
            for subscriber in self._subscribers:
                subscriber.ask_snapshot()  # nobody knows what changed meanwhile

    async def _pump(self) -> None:
        listening = asyncio.create_task(self._listen(), name="wall-hub-listen")
        self._last_id = ""
        try:
            while True:
                began_s = time.monotonic()
                self._news.clear()
                await self._poll()
                try:
                    async with asyncio.timeout(_POLL_S):
                        await self._news.wait()
                    # The other owners write in the same moment.
                    await asyncio.sleep(max(_GATHER_S, began_s + _AT_MOST_EVERY_S - time.monotonic()))
                except TimeoutError:
                    pass  # how fresh the values are changes by itself
        finally:
            await end(listening)

    async def _listen(self) -> None:
        async for _ in self._reader.changes():
            self._news.set()

    async def _poll(self) -> None:
        try:
            if not self._last_id:
                self._last_id = (await self._reader.read(Query(()))).last_id
            updates = await self._reader.updates(self._last_id)
        except UnavailableError:
            self._show_silence()
            return
        self._last_id = updates.last_id
        is_news = _differ(self._shown, updates.freshness) and self._is_time_to_say(updates.freshness)
        moments = self._moments.take(updates.moments, updates.freshness.now_ms)
        for subscriber in self._subscribers:
            subscriber.celebrate(moments)
            if updates.gap:
                subscriber.ask_snapshot()
            elif updates.entries or is_news or subscriber.reset:
                subscriber.offer(updates.freshness, updates.entries, wake=is_news)
        if is_news:
            self._shown, self._said_s = updates.freshness, time.monotonic()

    def _is_time_to_say(self, freshness: Freshness) -> bool:
        """Tell whether to say how fresh the values are: it changes with every write, so once a second will do."""
        is_other = self._shown is None or self._shown.quality != freshness.quality
        return is_other or time.monotonic() - self._said_s >= _POLL_S

    def _show_silence(self) -> None:
        """Redis is away: what is shown is stale, as nobody knows what has become of it."""
        nothing = Freshness(None, None, "stale", 0, None, 0)
        silent = msgspec.structs.replace(self._shown or nothing, quality="stale")
        if _differ(self._shown, silent):
            for subscriber in self._subscribers:
                subscriber.offer(silent, [])
        self._shown = silent


def _differ(one: Freshness | None, other: Freshness) -> bool:
    return one is None or (one.as_of, one.watermark, one.quality) != (other.as_of, other.watermark, other.quality)
