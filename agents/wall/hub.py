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
_AT_MOST_EVERY_S: Final = 0.03
_MOST_PENDING: Final = 5_000


class Subscriber:
    """What one client has not been sent yet: the newest value of each series it asked for.

    Attributes:
        query: What it asked for.
        wake: Set when there is something to send.
        freshness: The newest, or None before the first.
        reset: Whether it needs a snapshot: it is new, or so slow that deltas would cost more, or some were lost, or
            what it has was sent as stale and is not any more.
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
        self._told: Freshness | None = None
        self._told_s = 0.0

    def offer(self, freshness: Freshness, entries: Iterable[Update]) -> None:
        """Take how fresh all values are, and what changed; not all of it is worth an event."""
        self.freshness = freshness
        for entry in entries:
            kpi, window, dims = entry.key.split("|", 2)
            if window in self._matches and self._matches[window](kpi, dims):
                self._pending[entry.key] = entry
        is_back = self._told is not None and self._told.stale and not freshness.stale
        if is_back or len(self._pending) > _MOST_PENDING:
            self.ask_snapshot()
        if self._pending or self.reset or self._is_worth_telling(freshness):
            self.wake.set()

    def begin_snapshot(self) -> None:
        """Note that a snapshot is read now: what is lost from here on needs another one."""
        self.reset = False
        self._told = None

    def end_snapshot(self, last_id: str, freshness: Freshness) -> None:
        """Note that a snapshot with entries up to this one is sent; what was offered meanwhile may be in it."""
        self.since = last_id
        self.tell(freshness)
        self._pending = {entry.key: entry for entry in self.take()}
        if not (self._pending or self.reset):
            self.wake.clear()

    def tell(self, freshness: Freshness) -> None:
        """Note that the client is told now how fresh the values are."""
        self.freshness = self._told = freshness
        self._told_s = time.monotonic()

    def _is_worth_telling(self, freshness: Freshness) -> bool:
        """Tell whether freshness alone makes an event: it changes with every write, so once a second will do."""
        told = self._told
        if told is None or told.quality != freshness.quality:
            return True
        is_other = (told.as_of, told.watermark) != (freshness.as_of, freshness.watermark)
        return is_other and time.monotonic() - self._told_s >= _POLL_S

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
        self._freshness: Freshness | None = None
        self._moments = RecentMoments()

    @asynccontextmanager
    async def subscribed(self, query: Query) -> AsyncIterator[Subscriber]:
        """Listen to what a query asks for."""
        subscriber = Subscriber(query)
        self._subscribers.add(subscriber)
        if self._pump_task is not None and self._freshness is not None:
            subscriber.celebrate(self._moments.all(self._freshness.now_ms))
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
        self._last_id, self._freshness = updates.last_id, updates.freshness
        moments = self._moments.take(updates.moments, updates.freshness.now_ms)
        for subscriber in self._subscribers:
            subscriber.celebrate(moments)
            if updates.gap:
                subscriber.ask_snapshot()
            else:
                subscriber.offer(updates.freshness, updates.entries)

    def _show_silence(self) -> None:
        """Redis is away: what is shown is stale, as nobody knows what has become of it."""
        last = self._freshness or Freshness(None, None, "stale", 0, None, 0)
        silent = msgspec.structs.replace(last, quality="stale")
        for subscriber in self._subscribers:
            subscriber.offer(silent, ())
