"""From the producer's send to the value readable on the KPI topic, in Redis and over SSE, at an even rate of events.

Beside it a bare loop that counts and says its counts every 100 ms, at the same rate on the same machine; and what the
worker takes when nothing happens.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import redis.asyncio

from schemas.settings import Settings
from tests.benchmarks.floor import Floor
from tests.benchmarks.readers import read_events, read_redis
from tests.benchmarks.rig import PROJECT, Installation, Servers, WorkerProcess, machine, memory_mib
from tests.benchmarks.tracked import OF_TEAMS
from tests.benchmarks.watching import WARM_S, Processes, watching

_READY_S: Final = 30.0


async def measure(
    running: Servers,
    rates: Sequence[float],
    seconds: float,
    history: int = 20_000,
    *,
    idle: float = 20.0,
    partitions: int = 8,
    profile: Path | None = None,
) -> dict[str, Any]:
    """Run the benchmark; every rate has installations of its own.

    Args:
        running: The servers to measure on.
        rates: Events a second.
        seconds: How long each is measured.
        history: About how many events come before, so that accounts, deals and series are there.
        idle: For how many seconds it is watched with nothing coming in.
        partitions: Of the log and of every source topic.
        profile: Run the worker under cProfile and write its statistics here; of several rates those of the last stay.

    Returns:
        Everything that is printed; latencies in milliseconds.
    """
    about = machine()
    document = {"kafka": {"partitions": partitions, "source_partitions": partitions}}
    found: list[dict[str, Any]] = []
    for number, rate in enumerate(rates):
        beside = Installation(running, f"bare{number}", document)
        installation = Installation(running, f"latency{number}", document)
        for each in (beside, installation):
            await each.create_topics()
        worker = await installation.start_worker(profile)
        try:
            floor = Floor(installation.settings, rate, history)
            product = await _product(installation, worker, floor, idle, seconds)
        finally:
            await worker.stop()
        found.append({"rate": rate, **product, "bare": await _bare(beside, rate, seconds)})
    return {"benchmark": "latency", "machine": about, "history": history, "rates": found}


async def _product(
    installation: Installation, worker: WorkerProcess, floor: Floor, idle: float, seconds: float
) -> dict[str, Any]:
    """Measure a worker, and a wall beside it."""
    settings = installation.settings
    wall = await installation.start_wall()
    view = redis.asyncio.Redis.from_url(settings.redis.url)
    processes = Processes(installation.running, {"worker": worker.process.pid, "wall": wall.process.pid})
    try:
        async with watching(settings, processes, "kafka", *OF_TEAMS) as watch:
            watch.read(read_redis(view, settings.redis.prefix, watch.counted), "redis")
            watch.read(read_events(wall.url, watch.counted), "sse")
            await floor.send_history(watch.sender, watch.counted)
            await watch.until_all_is_seen()
            await asyncio.sleep(min(idle, WARM_S))  # what the last events caused is over
            idle_share = await processes.shares(idle)
            found = await watch.measured(floor, seconds)
        memory = round(memory_mib(worker.process.pid))
    finally:
        await view.aclose()
        await wall.stop()
    return {"history": floor.history_sent, **found, "idle_core_share": idle_share, "worker_memory_mib": memory}


async def _bare(installation: Installation, rate: float, seconds: float) -> dict[str, Any]:
    """Measure a bare loop."""
    settings = installation.settings
    async with _bare_loop(settings) as loop:
        processes = Processes(installation.running, {"loop": loop.pid})
        async with watching(settings, processes, "kafka") as watch:
            return await watch.measured(Floor(settings, rate, 0), seconds)


@asynccontextmanager
async def _bare_loop(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A bare loop that reads from now on, for the length of a block."""
    loop = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.bare_live", settings.kafka.bootstrap_servers),
        *(settings.topics.updates, str(settings.kafka.partitions), *settings.topics.sources().values()),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert loop.stdout is not None
        async with asyncio.timeout(_READY_S):
            assert await loop.stdout.readline() == b"ready\n", "the bare loop failed"
        yield loop
    finally:
        loop.kill()
        await loop.communicate()
