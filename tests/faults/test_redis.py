"""Redis away, empty, slow, full: the pipeline does not notice, and nobody is shown an older number as live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.brokers import Broker, RedisServer, free_port
from schemas.settings import Settings
from streams.simulator import SimulatedEvent
from tests.e2e.history import History
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import Payloads, from_latest, from_redis
from tests.faults.conftest import SETTINGS
from tests.faults.oracle import assert_exact
from tests.faults.proxy import ByteProxy
from tests.faults.record import Figures
from tests.faults.scene import Scene, Truths
from tests.polling import end, until

_TICK_S: Final = 1.0
_AWAY_S: Final = 2.0
_PROXY_PORT: Final = free_port()


@pytest.fixture
def product(kafka: Broker, own_valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    assert own_valkey.pid
    tables = SETTINGS | {"pipeline": {"checkpoint_interval": "500ms", "stale_after": "6s"}}
    url = f"redis://127.0.0.1:{_PROXY_PORT}/0"
    with installed(tmp_path / "product", kafka.bootstrap_servers, url, topic_prefix, tables) as found:
        yield found


@pytest.fixture
def scene(product: Installation, history: History, truths: Truths, figures: Figures) -> Scene:
    return Scene(product, history, truths, figures)


class Watcher:
    """Reads the hashes again and again, as a wall does, and notes versions that fall.

    Args:
        settings: Where they are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: dict[str, tuple[str, int]] = {}
        self.falling: list[str] = []
        self.read = 0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            await end(task)

    async def _watch(self) -> None:
        while True:
            try:
                found = await from_redis(self._settings)
            except (RedisError, OSError):
                found = {}
            for key, payload in found.items():
                version = _version(payload)
                if version < self._seen.get(key, version):
                    self.falling.append(f"{key}: {version} after {self._seen[key]}")
                self._seen[key] = max(version, self._seen.get(key, version))
            self.read += len(found)
            await asyncio.sleep(0.2)


def _version(payload: bytes) -> tuple[str, int]:
    value = orjson.loads(payload)
    return value["window_end"], value["revision"]


@pytest.mark.fault(20)
@pytest.mark.asyncio
async def test_redis_down_flushed_slow_and_full(scene: Scene, own_valkey: RedisServer) -> None:
    proxy = ByteProxy(own_valkey.port, _PROXY_PORT)
    watcher = Watcher(scene.settings)
    async with proxy.serving(), watcher.watching():
        await scene.begin()
        parts = iter(scene.messages(5))
        await _flows(scene, next(parts))
        await _until_whole(scene, await from_latest(scene.settings))
        before = scene.resident_mib()

        await own_valkey.stop()
        await _flows(scene, next(parts))
        await own_valkey.start()
        await _repaired(scene, "down")

        client: Redis = Redis.from_url(own_valkey.url)
        await client.flushall()
        await _flows(scene, next(parts))
        await _repaired(scene, "flushed")

        proxy.latency_s = 0.4
        await _flows(scene, next(parts))
        proxy.latency_s = 0.0
        await _repaired(scene, "slow")

        await client.config_set("maxmemory", "1mb")
        await client.config_set("maxmemory-policy", "allkeys-random")
        await _flows(scene, next(parts))
        await client.config_set("maxmemory", "0")
        await client.aclose()
        await _repaired(scene, "full")

        scene.figures["grown_mib"] = grown = scene.resident_mib() - before
        assert grown < 60
        await assert_exact(scene)
        scene.assert_running()
    assert watcher.read > 1_000
    assert not watcher.falling, watcher.falling[:5]


async def _flows(scene: Scene, part: list[SimulatedEvent]) -> None:
    """Events go through as if nothing was."""
    begun_s = time.monotonic()
    await scene.load(part, seconds=_AWAY_S)
    await scene.until_settled(deadline_s=30)
    scene.figures["slowest_s"] = max(float(scene.figures.get("slowest_s", 0)), round(time.monotonic() - begun_s, 1))
    scene.assert_running()


async def _repaired(scene: Scene, how: str) -> None:
    took_s = await _until_whole(scene, await from_latest(scene.settings))
    scene.figures[f"{how}_s"] = round(took_s, 1)
    assert took_s <= 2 * _TICK_S + 1.0, f"{how}: repaired after {took_s:.1f} s"


async def _until_whole(scene: Scene, last: Payloads) -> float:
    """Wait until Redis holds every series, none of them older than in `last`; returns how long it took, seconds."""
    versions = {key: _version(payload) for key, payload in last.items()}
    begun_s = asked_s = time.monotonic()

    async def whole() -> bool:
        nonlocal asked_s
        asked_s = time.monotonic()
        found = await from_redis(scene.settings)
        return all(key in found and _version(found[key]) >= version for key, version in versions.items())

    await until(whole, deadline_s=40, every_s=0.05)
    return asked_s - begun_s


@pytest.mark.fault(0)
@pytest.mark.asyncio
async def test_a_stopped_pipeline_shows_stale(scene: Scene, own_valkey: RedisServer) -> None:
    proxy = ByteProxy(own_valkey.port, _PROXY_PORT)
    async with proxy.serving():
        await scene.begin()
        wall = scene.product.start("wall")
        await scene.load(seconds=1)
        await scene.until_settled()

        async def live() -> bool:
            return await _qualities(wall) == {"live"}

        await wall.until(live, deadline_s=30)
        scene.workers[0].child.pause()
        begun_s = time.monotonic()

        async def stale() -> bool:
            return await _qualities(wall) == {"stale"}

        await wall.until(stale, deadline_s=20)
        scene.figures["stale_s"] = took_s = round(time.monotonic() - begun_s, 1)
        assert took_s < 10
        scene.workers[0].child.resume()
        await wall.until(live, deadline_s=40)


async def _qualities(wall: Process) -> set[str]:
    """What the HTTP API says of the values of some KPI."""
    body = await wall.get("/api/v1/kpis?kpi=deals_won", Accept="application/x-ndjson")
    return {orjson.loads(line)["quality"] for line in (body or b"").splitlines()}
