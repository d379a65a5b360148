"""The HTTP API: values, catalogue, alerts and history, straight from Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.wall.parameters import dimensions_of, parse_kpis, parse_query, parse_windows
from agents.wall.problems import ProblemError
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
        answer = await self._reader.read(parse_query(request.query, self._kpis))
        lines = _NDJSON in request.headers.get("Accept", "")
        parts = _ndjson(answer) if lines else _json(answer)
        content_type = _NDJSON if lines else "application/json"
        if len(answer.series) <= _AT_ONCE:
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
        return _answer({"kpis": kpis, "windows": WINDOWS, "dimensions": dimensions_of(kpis)})

    async def alerts(self, _request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/alerts``."""
        alerts = await self._reader.alerts()
        return _answer({"alerts": [msgspec.Raw(payload) for payload in alerts.values()]})

    async def history(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/history``."""
        names = parse_kpis(request.query, self._kpis)
        if not names:
            raise ProblemError(
                400, "missing-parameter", "A parameter is missing", "kpi: say which, such as kpi=revenue"
            )
        series = [
            {"kpi": name, "window": window, "points": [msgspec.Raw(point) for point in points]}
            for window in parse_windows(request.query)
            for name in names
            if (points := await self._reader.recent(name, window))
        ]
        return _answer({"series": series})


def _json(answer: Answer) -> Iterator[bytes]:
    head = msgspec.json.encode(envelope(answer.freshness))
    yield head[:-1] + b',"series":['
    for start in range(0, len(answer.series), _AT_ONCE):
        yield (b"," if start else b"") + b",".join(_payloads(answer, start))
    yield b"]}"


def _ndjson(answer: Answer) -> Iterator[bytes]:
    for start in range(0, len(answer.series), _AT_ONCE):
        yield b"\n".join(_payloads(answer, start)) + b"\n"


def _payloads(answer: Answer, start: int) -> Sequence[bytes]:
    return [payload for _, payload in answer.series[start : start + _AT_ONCE]]


def _answer(document: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type="application/json", headers=_NO_STORE)
