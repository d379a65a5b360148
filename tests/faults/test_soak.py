"""A random mix of faults, under load; memory is flat, and everything exact at the end.

Minutes long by default; `--soak-minutes 30` tells a leak from what fills once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression

import pytest
from redis.asyncio import Redis

from agents.brokers import Broker, RedisServer
from streams.simulator import SimulatedEvent
from tests.e2e.history import History
from tests.e2e.product import Installation, Process, installed
from tests.faults.conftest import SETTINGS
from tests.faults.oracle import assert_exact, assert_no_commit_ahead
from tests.faults.record import Figures
from tests.faults.scene import SESSION_S, Scene, Truths, resident_mib
from tests.polling import end

_SAMPLE_S = 1.0
_TAIL = 4_000
_STEADY = 3.0
"""Slope of memory, MiB a minute, that is about zero: 30 MiB between two takings of the garbage in ten minutes."""
_WARMING_UP = 40.0
"""In the first minutes a worker takes over what others had, one after another: 160 MiB become 280, and stay."""


@pytest.fixture
def product(own_kafka: Broker, own_valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path / "product", own_kafka.bootstrap_servers, own_valkey.url, topic_prefix, SETTINGS) as found:
        yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Two seeds, for as long as one says; the length is part of the name, as another length is another result."""
    if "minutes" in metafunc.fixturenames:
        minutes = metafunc.config.getoption("--soak-minutes")
        metafunc.parametrize(("more", "minutes"), [(more, minutes) for more in (0, 1)])


class Chaos:
    """Does one thing after another to a scene; its first worker is never ended, so that its memory can be watched.

    Args:
        scene: Two workers or three.
        kafka: Its broker.
        redis: Its Redis.
        chance: Decides what and when.
    """

    def __init__(self, scene: Scene, kafka: Broker, redis: RedisServer, chance: random.Random) -> None:
        self._scene, self._kafka, self._redis, self._chance = scene, kafka, redis, chance
        self.done = 0

    async def act(self) -> None:
        """Do something, and see that it goes on."""
        scene, what = self._scene, self._chance.choice(("kill", "sigterm", "doze", "sleep", "flush", "redis", "broker"))
        print(f"{time.strftime('%T')} {what}")
        other = scene.workers[-1]
        match what:
            case "kill":
                scene.kill(other)
                scene.start()
            case "sigterm":
                await other.until_ready(deadline_s=60)  # before it listens to signals, it just ends
                await scene.stop(other)
                scene.start()
            case "doze":
                await self._pause(other, SESSION_S / 4)
            case "sleep":
                await self._pause(other, SESSION_S + 3)
            case "flush":
                client: Redis = Redis.from_url(self._redis.url)
                await client.flushall()
                await client.aclose()
            case "redis":
                await self._redis.stop()
                await asyncio.sleep(2)
                await self._redis.start()
            case "broker":
                self._kafka.pause()
                await asyncio.sleep(2)
                self._kafka.resume()
        await scene.until_progress(deadline_s=60)
        await assert_no_commit_ahead(scene)
        self.done += 1

    async def _pause(self, worker: Process, seconds: float) -> None:
        worker.child.pause()
        await asyncio.sleep(seconds)
        worker.child.resume()


@pytest.mark.soak
@pytest.mark.fault(29)
@pytest.mark.asyncio
async def test_a_random_mix(
    product: Installation,
    own_kafka: Broker,
    own_valkey: RedisServer,
    truths: Truths,
    figures: Figures,
    seed: int,
    more: int,
    minutes: float,
) -> None:
    history = History(seed=seed + more, count=6_000, days=25, hard=True)
    print(history)
    scene = Scene(product, history, truths, figures)
    chaos = Chaos(scene, own_kafka, own_valkey, random.Random(f"soak {history.seed}"))
    await scene.begin(workers=2)
    messages = scene.messages()[0]
    await scene.load(messages, seconds=15)
    await scene.until_settled()
    watched = scene.workers[0]
    samples: list[tuple[float, float]] = []
    # What follows was sent before: what is to be remembered stays the same, so what grows is a leak.
    tasks = [
        asyncio.create_task(_again_and_again(scene, chaos, messages)),
        asyncio.create_task(_sample(watched, samples)),
    ]
    try:
        end_s = time.monotonic() + minutes * 60
        while time.monotonic() < end_s:
            await chaos.act()
    finally:
        await end(*tasks)
    figures |= {"minutes": minutes, "faults": chaos.done, "slope_mib_per_minute": round(slope := _slope(samples), 2)}
    figures["resident_mib"] = round(samples[-1][1])
    await assert_exact(scene)
    scene.assert_running()
    assert slope < (_STEADY if minutes >= 10 else _WARMING_UP), "memory grows"


async def _again_and_again(scene: Scene, chaos: Chaos, messages: list[SimulatedEvent]) -> None:
    while True:
        await scene.load(messages, seconds=60)
        print(f"all of it again; {chaos.done} faults so far")


async def _sample(worker: Process, samples: list[tuple[float, float]]) -> None:
    """Note minutes since the beginning, and resident MiB."""
    begun_s = time.monotonic()
    while True:
        assert worker.child.running, f"the worker that nobody ends has ended:\n{worker.log[-_TAIL:]}"
        samples.append(((time.monotonic() - begun_s) / 60, resident_mib(worker)))
        await asyncio.sleep(_SAMPLE_S)


def _slope(samples: list[tuple[float, float]]) -> float:
    """Slope of the straight line of least squares through the last two thirds."""
    late = samples[len(samples) // 3 :]
    return linear_regression(*zip(*late, strict=True)).slope
