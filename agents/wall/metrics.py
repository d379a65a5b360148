"""``/metrics`` of the wall: the KPI series of the live view, whatever workers they are of, and this process.

A worker shows the series it owns, the wall those of all of them. Who lets Prometheus collect both has everything twice
(apart in the label ``instance``); ``?collect[]=process`` leaves the KPI series out, and reads nothing from Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import msgspec
from aiohttp import web

from agents.access import is_allowed
from schemas.declare import Kpi
from schemas.errors import UnavailableError
from schemas.kpi import KpiValue
from schemas.settings import Settings
from schemas.windows import WINDOWS
from streams.metrics.exporter import Exporter
from streams.publication import Publication, Published
from streams.redis_view import Answer, Query, RedisReader, Selection

_FRESH_S: Final = 1.0
_EVERYTHING: Final = Query(WINDOWS, (Selection(by="*"),))
_OWNER: Final = 0
_DECODER: Final = msgspec.json.Decoder(KpiValue)


class Metrics:
    """The handler of ``/metrics``.

    Args:
        settings: ``[metrics]``, ``[money]`` and ``http.token``: without it nobody gets to see the KPI series.
        reader: The live view.
        in_force: Those whose values are shown; others may be left in Redis from before a change of the settings.
    """

    def __init__(self, settings: Settings, reader: RedisReader, in_force: Iterable[Kpi]) -> None:
        self._token = settings.http.token
        self._reader = reader
        self._kpis = {kpi.name: kpi for kpi in in_force}
        self._process = Exporter(settings)
        self._whole = Exporter(settings, catalogue=self._kpis.values())
        self._one_at_a_time = asyncio.Lock()
        self._read_s = -_FRESH_S

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET /metrics``; without the KPI series while Redis is away, as what nobody confirms must vanish."""
        accept = request.headers.get("Accept", "")
        if "collect[]" in request.query or not is_allowed(request, self._token):
            body, content_type = self._process.negotiate(accept)
        else:
            async with self._one_at_a_time:
                await self._refresh()
                # In a thread, as what others wait for must not wait for ten thousand lines.
                body, content_type = await asyncio.to_thread(self._whole.negotiate, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_s < _FRESH_S:
            return
        try:
            found = await self._reader.read(_EVERYTHING)
        except UnavailableError:
            self._whole.forget(_OWNER)
            return
        await self._whole.publish(await asyncio.to_thread(self._publication, found))
        self._read_s = time.monotonic()

    def _publication(self, found: Answer) -> Publication:
        values = [_published(key, payload) for key, payload in found.series if key.partition("|")[0] in self._kpis]
        now_ms = found.freshness.now_ms
        return Publication(
            owner=_OWNER,
            position=found.freshness.version,
            clock_ms=now_ms,
            watermark_ms=None,
            quality=found.freshness.quality,
            emitted_at_ms=now_ms,
            values=values,
            complete=True,
        )


def _published(key: str, payload: bytes) -> Published:
    value = _DECODER.decode(payload)
    return Published(key, value.kpi, value.window, key.rpartition("|")[2], value, payload)
