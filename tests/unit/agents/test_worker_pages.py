"""The worker's own pages: numbers only for who has the token, health for everybody."""

from __future__ import annotations

import aiohttp
import pytest

from agents.pages import serve, worker_routes
from schemas.settings import settings_from
from streams.metrics.exporter import Exporter

SETTINGS = settings_from({"http": {"port": 0, "token": "s3cret"}})


class Ready:
    """A worker without anything to say against itself."""

    exporter = Exporter(SETTINGS)

    def reasons_not_ready(self) -> list[str]:
        return []


@pytest.mark.asyncio
async def test_a_token_guards_the_metrics_but_not_health() -> None:
    runner, url = await serve(SETTINGS, worker_routes(Ready(), SETTINGS.http.token))
    try:
        async with aiohttp.ClientSession(url) as http:

            async def status(path: str, token: str = "") -> int:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                async with http.get(path, headers=headers) as response:
                    return response.status

            assert [await status("/metrics"), await status("/metrics", "other")] == [401, 401]
            assert await status("/metrics", "s3cret") == 200
            assert [await status("/healthz"), await status("/readyz")] == [200, 200]
    finally:
        await runner.cleanup()
