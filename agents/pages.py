"""The worker's own pages: metrics, alive, ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import orjson
from aiohttp import web

from agents.access import guarded
from agents.problems import as_problems
from schemas.errors import UnavailableError
from schemas.settings import Settings
from streams.metrics.exporter import Exporter


class Readiness(Protocol):
    """Something that knows why it is not ready, and what its metrics are."""

    exporter: Exporter

    def reasons_not_ready(self) -> list[str]:
        """Return the reasons; empty when it is ready."""


def worker_routes(readiness: Readiness, token: str = "") -> list[web.RouteDef]:
    """Return ``/metrics``, which asks for the token as it shows numbers, ``/healthz`` and ``/readyz`` of a worker."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        body, content_type = readiness.exporter.negotiate(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(_request: web.Request) -> web.Response:
        reasons = readiness.reasons_not_ready()
        body = orjson.dumps({"status": "not ready" if reasons else "ready", "reasons": reasons})
        return web.Response(body=body, status=503 if reasons else 200, content_type="application/json")

    return [web.get("/metrics", guarded(metrics, token)), web.get("/healthz", alive), web.get("/readyz", ready)]


async def serve(
    settings: Settings, routes: Sequence[web.RouteDef], more: Sequence[web.RouteDef] = ()
) -> tuple[web.AppRunner, str]:
    """Serve routes on the address of the settings; of two for the same path the first is taken.

    Returns:
        The runner, to clean up, and the URL.

    Raises:
        UnavailableError: The port is taken.
    """
    app = web.Application(middlewares=[as_problems])
    taken: set[tuple[str, str]] = set()
    for route in (*routes, *more):
        if (route.method, route.path) not in taken:
            taken.add((route.method, route.path))
            app.router.add_routes([route])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, settings.http.host, settings.http.port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise UnavailableError(
            f"http://{settings.http.host}:{settings.http.port} cannot be served: {error.strerror}; choose another "
            "port with --port or the setting http.port"
        ) from None
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"
