"""The HTTP API: values, catalogue and alerts, straight from Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.wall.parameters import parse_kpis, parse_query, parse_windows, refuse_others
from schemas.catalogue.compose import dimensions_of
from schemas.declare import Kpi
from schemas.windows import WINDOWS
from streams.redis_view import Answer, Freshness, RedisReader

_AT_ONCE: Final = 500
_NDJSON: Final = "application/x-ndjson"
_NO_STORE: Final = {"Cache-Control": "no-store"}


def envelope(freshness: Freshness) -> dict[str, Any]:
    """Return ``as_of``, ``watermark`` and ``quality``, which hold for all values of an answer."""
    return {"as_of": freshness.as_of, "watermark": freshness.watermark, "quality": freshness.quality}


class Api:
    """Handlers of ``/api/v1/``, but for the stream.

    Args:
        reader: The live view.
        kpis: All, by name; those that are not in force may be asked for, they just have no values.
        in_force: Those that the settings leave in.
    """

    def __init__(self, reader: RedisReader, kpis: Mapping[str, Kpi], in_force: Sequence[Kpi]) -> None:
        self._reader = reader
        self._kpis = kpis
        self._in_force = in_force

    async def kpis(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/kpis``."""
        found = await self._reader.read(parse_query(request.query, self._kpis))
        lines = _NDJSON in request.headers.get("Accept", "")
        parts = _ndjson(found) if lines else _json(found)
        content_type = _NDJSON if lines else "application/json"
        if len(found.series) <= _AT_ONCE:
            return web.Response(body=b"".join(parts), content_type=content_type, headers=_NO_STORE)
        response = web.StreamResponse(headers={**_NO_STORE, "Content-Type": content_type})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        await response.write_eof()
        return response

    async def catalogue(self, _request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/catalogue``."""
        kpis = self._in_force
        return answer({"kpis": kpis, "windows": WINDOWS, "dimensions": dimensions_of(kpis)})

    async def alerts(self, _request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/alerts``."""
        alerts = await self._reader.alerts()
        return answer({"alerts": [msgspec.Raw(payload) for payload in alerts.values()]})

    async def recent(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/recent``: how global series have moved lately, as far as they were sampled."""
        refuse_others(request.query, ("kpi", "window", "token"))
        names = parse_kpis(request.query, self._kpis)
        series = [
            {"kpi": name, "window": window, "points": [msgspec.Raw(point) for point in points]}
            for window in parse_windows(request.query)
            for name in names
            if (points := await self._reader.recent(name, window))
        ]
        return answer({"series": series})


def _json(found: Answer) -> Iterator[bytes]:
    head = msgspec.json.encode(envelope(found.freshness))
    yield head[:-1] + b',"series":['
    for start in range(0, len(found.series), _AT_ONCE):
        yield (b"," if start else b"") + b",".join(_payloads(found, start))
    yield b"]}"


def _ndjson(found: Answer) -> Iterator[bytes]:
    for start in range(0, len(found.series), _AT_ONCE):
        yield b"\n".join(_payloads(found, start)) + b"\n"


def _payloads(found: Answer, start: int) -> Sequence[bytes]:
    return [payload for _, payload in found.series[start : start + _AT_ONCE]]


def answer(document: object) -> web.Response:
    """Return a document as JSON."""
    return web.Response(body=msgspec.json.encode(document), content_type="application/json", headers=_NO_STORE)
