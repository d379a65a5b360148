"""``GET /api/v1/stream``: server-sent events, a snapshot and then deltas.

The wall gets at most one a second, which is as often as people can follow; those who ask for series get what changes
soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.wall.api import envelope
from agents.wall.board import over_window, query_of
from agents.wall.hub import Hub, Subscriber
from agents.wall.pages import parse_window
from agents.wall.parameters import parse_flag, parse_query, refuse_others
from schemas.declare import Kpi
from schemas.errors import UnavailableError
from schemas.playlist import Page
from schemas.settings import Settings
from streams.clock import wall_ms
from streams.redis_view import Freshness, Query, RedisReader, as_stale

_WALL_EVERY_S: Final = 1.0
_EVERY_S: Final = 0.02  # the hub says how often: what comes a little early must not wait for an interval
_COMMENT_EVERY_S: Final = 15.0
_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that gathers output would hold every event back
}
_INTERVALS_TO_STALE: Final = 6


class Stream:
    """The handler of the stream.

    Args:
        settings: What the page needs to judge freshness by, and the business zone and currency.
        reader: The live view.
        kpis: All, by name.
        pages: The playlist, for those who want what it shows.
        version: Of the playlist; a page that was told another loads itself anew.
    """

    def __init__(
        self, settings: Settings, reader: RedisReader, kpis: Mapping[str, Kpi], pages: Sequence[Page], version: str
    ) -> None:
        self._reader = reader
        self._kpis = kpis
        self._pages = pages
        self._hub = Hub(reader)
        self._page = {
            "interval_ms": settings.pipeline.stale_after // _INTERVALS_TO_STALE,
            "ttl_ms": int(settings.redis.ttl),
            "watermark_bound_ms": int(settings.time.out_of_orderness) if settings.time.clock == "wall" else None,
            "zone": settings.time.zone,
            "currency": settings.money.currency,
            "version": version,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client goes."""
        query = self._query(request)
        every_s = _WALL_EVERY_S if parse_flag(request.query, "wall") else _EVERY_S
        response = web.StreamResponse(headers=_HEADERS)
        async with self._hub.subscribed(query) as subscriber:
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            await self._send_for_ever(response, subscriber, every_s)
        return response

    def _query(self, request: web.Request) -> Query:
        if not parse_flag(request.query, "wall"):
            return parse_query(request.query, self._kpis)
        refuse_others(request.query, ("wall", "window", "token"))
        window = parse_window(request)
        return query_of(self._pages if window is None else over_window(self._pages, window))

    async def _send_for_ever(self, response: web.StreamResponse, subscriber: Subscriber, every_s: float) -> None:
        while True:
            await response.write(await self._next_event(subscriber) + _moments(subscriber))
            await asyncio.sleep(every_s)
            while not subscriber.wake.is_set():
                try:
                    async with asyncio.timeout(_COMMENT_EVERY_S):
                        await subscriber.wake.wait()
                except TimeoutError:
                    await response.write(b": nothing new\n\n")

    async def _next_event(self, subscriber: Subscriber) -> bytes:
        subscriber.wake.clear()
        if subscriber.reset:
            try:
                return await self._snapshot(subscriber)
            except UnavailableError:  # an error status would make the browser give up for good
                subscriber.reset = True
                silent = _silent(subscriber.freshness)
                subscriber.tell(silent)
                return _event("delta", subscriber.since, _about(silent), ())
        freshness = subscriber.freshness
        assert freshness is not None, "it comes with what woke us"
        subscriber.tell(freshness)
        entries = subscriber.take()
        last_id = max(entries, key=lambda entry: entry.order).id if entries else subscriber.since
        payloads = [as_stale(entry.payload) if freshness.stale else entry.payload for entry in entries]
        return _event("delta", last_id, _about(freshness), payloads)

    async def _snapshot(self, subscriber: Subscriber) -> bytes:
        subscriber.begin_snapshot()
        answer = await self._reader.read(subscriber.query)
        subscriber.end_snapshot(answer.last_id, answer.freshness)
        about = _about(answer.freshness) | {"page": self._page}
        return _event("snapshot", answer.last_id, about, [payload for _, payload in answer.series])


def _about(freshness: Freshness) -> dict[str, Any]:
    return envelope(freshness) | {"now_ms": freshness.now_ms}


def _silent(freshness: Freshness | None) -> Freshness:
    last = freshness or Freshness(None, None, "stale", 0, None, 0)
    return msgspec.structs.replace(last, quality="stale", now_ms=wall_ms())


def _moments(subscriber: Subscriber) -> bytes:
    """Return what is to be celebrated, an event each."""
    return b"".join(_message(subscriber.since, "moment", moment) for moment in subscriber.take_moments())


def _event(name: str, entry_id: str, about: Mapping[str, Any], payloads: Sequence[bytes]) -> bytes:
    data = msgspec.json.encode({**about, "series": [msgspec.Raw(payload) for payload in payloads]})
    return _message(entry_id, name, data)


def _message(entry_id: str, name: str, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (entry_id.encode(), name.encode(), data)
