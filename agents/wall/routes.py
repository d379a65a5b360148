"""All routes of the wall, and the server that serves them alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from agents.access import guarded
from agents.pages import serve
from agents.problems import ProblemError
from agents.wall.api import Api
from agents.wall.explain import Explain
from agents.wall.metrics import Metrics
from agents.wall.openapi import openapi
from agents.wall.pages import Pages
from agents.wall.stream import Stream
from schemas.catalogue.compose import catalogue_of, dimensions_of, known_kpis
from schemas.errors import SalesPulseError, UnavailableError
from schemas.playlist import playlist
from schemas.settings import Settings
from streams.redis_view import RedisReader

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_PAGE_HEADERS: Final = {
    # Everything comes from here: the page works in a network without a way out.
    "Content-Security-Policy": "default-src 'none'; "
    + "; ".join(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "Cache-Control": "no-cache",
}


def wall_routes(settings: Settings, reader: RedisReader | None = None) -> list[web.RouteDef]:
    """Return every route of the wall: page, API, stream, health.

    Args:
        settings: ``[redis]``, ``[http]``, what the page shows, and ``[kafka]`` for explanations.
        reader: The live view; one of its own when not given, which lasts as long as the process.

    Raises:
        SettingsError: The playlist of the settings makes no sense.
    """
    token = settings.http.token
    kpis, catalogue = known_kpis(settings), catalogue_of(settings)
    in_force = catalogue.kpis
    view = reader if reader is not None else RedisReader(settings)
    shown = playlist(settings.wall, in_force, own=catalogue.tiles)
    api, pages = Api(view, kpis, in_force), Pages(settings, view, kpis, shown)
    why = Explain(settings, view, in_force)
    stream = Stream(settings, view, kpis, shown, pages.version)
    document = msgspec.json.encode(openapi(kpis, dimensions_of(kpis.values()), token=bool(token)))

    async def description(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=document, content_type="application/json")

    async def alive(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "alive"})

    async def ready(_request: web.Request) -> web.StreamResponse:
        reasons = await _reasons_not_ready(view)
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return web.json_response(body, status=503 if reasons else 200)

    return [
        web.get("/", _page),
        web.get("/static/{path:.+}", _static),
        web.get("/api/v1/kpis", guarded(api.kpis, token)),
        web.get("/api/v1/catalogue", guarded(api.catalogue, token)),
        web.get("/api/v1/alerts", guarded(api.alerts, token)),
        web.get("/api/v1/recent", guarded(api.recent, token)),
        web.get("/api/v1/history", guarded(pages.history, token)),
        web.get("/api/v1/explain", guarded(why.explain, token)),
        web.get("/api/v1/wall", guarded(pages.wall, token)),
        web.get("/api/v1/stream", guarded(stream.handle, token)),
        web.get("/openapi.json", description),
        web.get("/healthz", alive),
        web.get("/readyz", ready),
        web.get("/api/{path:.*}", guarded(_not_found, token)),
    ]


class WallServer:
    """A wall that is being served.

    Attributes:
        url: Where, without a slash at the end.
    """

    def __init__(self, url: str, runner: web.AppRunner, reader: RedisReader) -> None:
        self.url = url
        self._runner = runner
        self._reader = reader

    async def stop(self) -> None:
        """Stop serving and disconnect from Redis."""
        await self._runner.cleanup()
        await self._reader.close()


async def start_wall(settings: Settings, extra_routes: Sequence[web.RouteDef] = ()) -> WallServer:
    """Serve the wall on the address of the settings; Redis may be away, also now.

    Args:
        settings: Port 0 takes a free one.
        extra_routes: Further routes; of two for one path these win.

    Raises:
        UnavailableError: The port is taken.
        SettingsError: The playlist of the settings makes no sense.
    """
    reader = RedisReader(settings)
    metrics = Metrics(settings, reader, catalogue_of(settings).kpis)
    try:
        own = [web.get("/metrics", metrics.handle), *wall_routes(settings, reader)]
        runner, url = await serve(settings, [*extra_routes, *own])
    except SalesPulseError:
        await reader.close()
        raise
    return WallServer(url, runner, reader)


async def _not_found(request: web.Request) -> web.StreamResponse:
    raise ProblemError(404, "not-found", "No such resource", f"{request.path}: see /openapi.json for what there is.")


async def _page(request: web.Request) -> web.StreamResponse:
    return _file(request, "index.html")


async def _static(request: web.Request) -> web.StreamResponse:
    return _file(request, request.match_info["path"])


def _file(request: web.Request, name: str) -> web.StreamResponse:
    path = (_STATIC / name).resolve()
    if not path.is_relative_to(_STATIC) or not path.is_file() or path.suffix not in _TYPES:
        raise ProblemError(404, "not-found", "No such file", f"{request.path} is no part of the wall page.")
    headers = {**_PAGE_HEADERS, "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"}
    return web.FileResponse(path, headers=headers)


async def _reasons_not_ready(reader: RedisReader) -> list[str]:
    try:
        freshness = await reader.freshness()
    except UnavailableError as error:
        return [str(error)]
    if freshness.as_of is None:
        return ["Redis holds no values: no worker has written any lately"]
    if freshness.age_ms is not None and freshness.stale:
        return [f"the values are stale: last confirmed {freshness.age_ms / 1_000:.0f} s ago"]
    return [] if freshness.quality == "live" else [f"values are {freshness.quality}"]
