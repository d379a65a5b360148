"""Reads the live view: values, freshness, alerts, history, moments, and news of changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from redis.asyncio.client import Pipeline

from schemas.catalogue.compose import known_kpis
from schemas.settings import Settings
from streams.history import HistoryStep
from streams.redis_view.connection import AWAY, connect, connect_subscriber, unavailable
from streams.redis_view.freshness import Freshness, judge
from streams.redis_view.keys import Keys
from streams.redis_view.query import Query, pick

_QUALITY: Final = re.compile(rb'"quality": ?"[a-z_]+"')  # within a text of the value the quotes would be escaped
_AT_MOST: Final = 20_000
_AGAIN_AFTER_S: Final = 1.0
_MOMENTS: Final = 20


class Answer(msgspec.Struct, frozen=True):
    """Values and how fresh they are, read in one step.

    Args:
        freshness: Of all values.
        series: Series key and JSON, as it is in Redis; but with quality ``stale`` when the view is stale.
        last_id: Last entry of the stream of updates when they were read.
    """

    freshness: Freshness
    series: list[tuple[str, bytes]]
    last_id: str


class Update(msgspec.Struct, frozen=True):
    """An entry of the stream of updates."""

    id: str
    key: str
    payload: bytes

    @property
    def order(self) -> tuple[int, int]:
        """Its place in the stream."""
        return entry_order(self.id)


class Updates(msgspec.Struct, frozen=True):
    """What has changed since an entry.

    Args:
        freshness: Of all values.
        entries: Oldest first.
        last_id: Where to go on.
        gap: Whether entries in between are gone already: read the values anew.
        moments: The newest moments worth celebrating, whenever they were; oldest first, as JSON.
    """

    freshness: Freshness
    entries: list[Update]
    last_id: str
    gap: bool
    moments: list[bytes]


class RedisReader:
    """Reads what :class:`streams.redis_view.RedisSink` wrote; nothing connects before the first read.

    Every method raises ``UnavailableError`` when Redis does not answer.

    Args:
        settings: ``[redis]`` and ``pipeline.stale_after``.
        kpis: Names of all KPIs, in the order of answers; those that the settings know when not given.
    """

    def __init__(self, settings: Settings, kpis: Iterable[str] | None = None) -> None:
        self._url = settings.redis.url
        self._keys = Keys(settings.redis.prefix)
        self._stale_after_ms = int(settings.pipeline.stale_after)
        self._client = connect(self._url)
        self._kpis = tuple(kpis) if kpis is not None else tuple(known_kpis(settings))
        self._order = {name: rank for rank, name in enumerate(self._kpis)}

    async def freshness(self) -> Freshness:
        """How fresh the values are."""
        async with self._transaction() as pipe:
            _ask_freshness(pipe, self._keys)
            time, meta = await pipe.execute()
        return self._judge(time, meta)

    async def read(self, query: Query) -> Answer:
        """Read values of several windows, all of one moment."""
        fields = {window: query.fields(window, self._kpis) for window in query.windows}
        async with self._transaction() as pipe:
            _ask_freshness(pipe, self._keys)
            pipe.xrevrange(self._keys.updates, count=1)
            for window, named in fields.items():
                if named is None:
                    pipe.hgetall(self._keys.window(window))
                elif named:
                    pipe.hmget(self._keys.window(window), named)
            time, meta, last, *hashes = await pipe.execute()
        freshness = self._judge(time, meta)
        series: list[tuple[str, bytes]] = []
        asked = ((window, named) for window, named in fields.items() if named != ())
        for (window, named), found in zip(asked, hashes, strict=True):
            values = _named(found) if named is None else _held(named, found)
            series += pick(query, window, values, lambda kpi: self._order.get(kpi, len(self._order)))
        if freshness.stale:
            series = [(key, as_stale(payload)) for key, payload in series]
        return Answer(freshness, series, last[0][0].decode() if last else "0-0")

    async def updates(self, since: str) -> Updates:
        """Read what changed after an entry of the stream.

        Args:
            since: ``last_id`` of an earlier answer.
        """
        async with self._transaction() as pipe:
            _ask_freshness(pipe, self._keys)
            pipe.xrange(self._keys.updates, count=1)
            pipe.xrevrange(self._keys.updates, count=1)
            pipe.xrange(self._keys.updates, min=f"({since}", count=_AT_MOST)
            pipe.xrevrange(self._keys.moments, count=_MOMENTS)
            time, meta, first, last, found, moments = await pipe.execute()
        first_id, last_id = (entry_order(entry[0][0].decode()) if entry else (0, 0) for entry in (first, last))
        # Nothing below a capped stream's first entry is known; and one that ends before `since` is another stream.
        gap = first_id > entry_order(since) or last_id < entry_order(since) or len(found) == _AT_MOST
        entries = [Update(entry_id.decode(), body[b"key"].decode(), body[b"value"]) for entry_id, body in found]
        at = last[0][0].decode() if last else "0-0"
        told = [body[b"moment"] for _, body in reversed(moments)]
        return Updates(self._judge(time, meta), entries, at, gap, told)

    async def recent(self, kpi: str, window: str) -> list[bytes]:
        """Read how a global series has moved lately: points ``[ms, value]`` as JSON, oldest first."""
        async with self._transaction() as pipe:
            pipe.lrange(self._keys.recent(kpi, window), 0, -1)
            (found,) = await pipe.execute()
        return list(found)

    async def history(self, kpi: str, step: HistoryStep, dims: str) -> list[tuple[str, bytes]]:
        """Read the points of one series, oldest first: start of the slice (RFC 3339, UTC), and its JSON."""
        async with self._transaction() as pipe:
            pipe.hgetall(self._keys.history(kpi, step))
            (found,) = await pipe.execute()
        points = ((*field.rpartition("|")[::2], payload) for field, payload in _named(found).items())
        return sorted((start, payload) for of, start, payload in points if of == dims)

    async def alerts(self) -> dict[str, bytes]:
        """Read all alerts: fingerprint -> JSON, in order of the fingerprints."""
        async with self._transaction() as pipe:
            pipe.hgetall(self._keys.alerts)
            (found,) = await pipe.execute()
        return dict(sorted(_named(found).items()))

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever something changed, and once on every (re)connection; reconnects for ever, never raises."""
        while True:
            client = connect_subscriber(self._url)
            try:
                async with client.pubsub() as channel:
                    await channel.subscribe(self._keys.changes)
                    async for _ in channel.listen():  # the first message is the subscription's own
                        yield
            except AWAY:
                await asyncio.sleep(_AGAIN_AFTER_S)
            finally:
                await client.aclose()
                await client.connection_pool.disconnect()

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Pipeline]:
        try:
            async with self._client.pipeline(transaction=True) as pipe:
                yield pipe
        except AWAY as error:
            raise unavailable(self._url, error) from None

    def _judge(self, time: tuple[int, int], meta: Mapping[bytes, bytes]) -> Freshness:
        return judge(meta, time[0] * 1_000 + time[1] // 1_000, self._stale_after_ms)


def as_stale(payload: bytes) -> bytes:
    """Return a value's JSON with quality ``stale``, otherwise to the byte as it was."""
    return _QUALITY.sub(b'"quality":"stale"', payload, count=1)


def _ask_freshness(pipe: Pipeline, keys: Keys) -> None:
    pipe.time()
    pipe.hgetall(keys.meta)


def _named(found: Mapping[bytes, Any]) -> dict[str, bytes]:
    return {field.decode(): payload for field, payload in found.items()}


def _held(fields: Iterable[str], found: Iterable[bytes | None]) -> dict[str, bytes]:
    return {field: payload for field, payload in zip(fields, found, strict=True) if payload is not None}


def entry_order(entry_id: str) -> tuple[int, int]:
    """Return milliseconds and sequence number of an entry of the stream, which sort as the entries do."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
