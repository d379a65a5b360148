"""From the producer's send to the value readable on the KPI topic, in Redis and over SSE, at an even rate of events.

Before that the worker is left alone for a while: what it takes when nothing happens.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis.asyncio

from agents.kafka import AIOKafkaProducer, TopicPartition, consumer, producer
from agents.reading import end_offsets
from schemas.settings import Settings
from tests.benchmarks.floor import Floor, Outgoing, send_in_time
from tests.benchmarks.readers import READERS, partitions_of_counts, read_events, read_redis, read_topic
from tests.benchmarks.rig import Installation, Servers, WorkerProcess, cpu_s, machine, memory_mib, waited_s
from tests.benchmarks.tracked import Tracks, tracks
from tests.polling import end, until

_SETTLE_S: Final = 180.0
_WARM_S: Final = 3.0


class Figures(NamedTuple):
    """Percentiles of a latency, in milliseconds."""

    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class _Processes(NamedTuple):
    """What runs beside the benchmark."""

    servers: Servers
    worker: WorkerProcess
    wall: WorkerProcess

    def pids(self) -> Mapping[str, int]:
        return {
            "worker": self.worker.process.pid,
            "wall": self.wall.process.pid,
            "broker": self.servers.kafka.pid,
            "redis": self.servers.redis.pid,
            "benchmark": os.getpid(),
        }


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
    """Run the benchmark; every rate has an installation of its own.

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
        installation = Installation(running, f"latency{number}", document)
        await installation.create_topics()
        worker = await installation.start_worker(profile)
        try:
            wall = await installation.start_wall()
            try:
                processes = _Processes(running, worker, wall)
                found.append(await _measured(processes, installation.settings, rate, seconds, history, idle))
            finally:
                await wall.stop()
        finally:
            await worker.stop()
    return {"benchmark": "latency", "machine": about, "history": history, "rates": found}


async def _measured(
    processes: _Processes, settings: Settings, rate: float, seconds: float, history: int, idle: float
) -> dict[str, Any]:
    counted = tracks()
    sender = await producer(settings, client_id="benchmark")
    reading = await consumer(settings, client_id="benchmark", assignment=partitions_of_counts(settings))
    view = redis.asyncio.Redis.from_url(settings.redis.url)
    tasks = [
        asyncio.ensure_future(read_topic(reading, counted)),
        asyncio.ensure_future(read_redis(view, settings.redis.prefix, counted)),
        asyncio.ensure_future(read_events(processes.wall.url, counted)),
    ]
    try:
        floor = Floor(settings, rate, history)
        await floor.send_history(sender, counted)
        await _settled(counted, tasks)
        idle_share = await _idle_share(processes, idle)
        events = floor.coming(_WARM_S + seconds)
        gc.freeze()  # else this process stands still now and then to look through all of them
        warm = sum(event.at_ms < events[0].at_ms + 1_000 * _WARM_S for event in events)
        await send_in_time(sender, counted, events[:warm])
        found = await _watched(processes, settings, sender, counted, events[warm:])
        begin_s, end_s = found.pop("begin_s"), found.pop("end_s")
        await _settled(counted, tasks)
        drained_s = time.perf_counter() - end_s
    finally:
        await end(*tasks)
        await reading.stop()
        await view.aclose()
        await sender.stop()
    return {
        "rate": rate,
        "history": floor.history_sent,
        **found,
        "drained_s": round(drained_s, 1),
        "latency": {reader: _figures(counted, reader, begin_s, end_s)._asdict() for reader in READERS},
        "idle_core_share": idle_share,
        "worker_memory_mib": round(memory_mib(processes.worker.process.pid)),
    }


async def _watched(
    processes: _Processes, settings: Settings, sender: AIOKafkaProducer, counted: Tracks, events: list[Outgoing]
) -> dict[str, Any]:
    """Send the events that are measured, and see what every process takes meanwhile."""
    published_before = await _published(settings)
    begin_s, cpu_before, wait_before = time.perf_counter(), _cpu(processes), _waits(processes)
    await send_in_time(sender, counted, events)
    end_s, cpu_after, wait_after = time.perf_counter(), _cpu(processes), _waits(processes)
    published = await _published(settings) - published_before
    took_s = end_s - begin_s
    return {
        "begin_s": begin_s,
        "end_s": end_s,
        "sent": len(events),
        "seconds": round(took_s, 2),
        "values_per_second": round(published / took_s),
        "core_share": {name: round((cpu_after[name] - cpu_before[name]) / took_s, 3) for name in cpu_after},
        "waited_for_a_core": {name: round((wait_after[name] - wait_before[name]) / took_s, 3) for name in wait_after},
        "worker_cpu_s": round(cpu_after["worker"] - cpu_before["worker"], 2),
    }


async def _idle_share(processes: _Processes, seconds: float) -> dict[str, float]:
    """Return the share of a core that each process takes while nothing comes in."""
    await asyncio.sleep(min(seconds, _WARM_S))  # what the last events caused is over
    begin_s, before = time.perf_counter(), _cpu(processes)
    await asyncio.sleep(seconds)
    took_s = time.perf_counter() - begin_s
    return {name: round((used - before[name]) / took_s, 3) for name, used in _cpu(processes).items()}


async def _published(settings: Settings) -> int:
    """How many values the KPI topic has taken."""
    partitions = [TopicPartition(settings.topics.updates, number) for number in range(settings.kafka.partitions)]
    return sum((await end_offsets(settings, partitions)).values())


async def _settled(counted: Tracks, tasks: list[asyncio.Task[None]]) -> None:
    async def everything_is_seen() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return all(track.has_all(reader) for track in counted.values() for reader in READERS)

    try:
        await until(everything_is_seen, deadline_s=_SETTLE_S)
    except AssertionError:
        behind = {
            kind: (len(track.sent_s), {reader: track.reached(reader) for reader in READERS})
            for kind, track in counted.items()
        }
        raise AssertionError(f"not every event was counted within {_SETTLE_S:g} s; sent and seen: {behind}") from None


def _figures(counted: Tracks, reader: str, begin_s: float, end_s: float) -> Figures:
    found = sorted(latency for track in counted.values() for latency in track.latencies_s(reader, begin_s, end_s))
    assert found, "no event of a tracked type was sent; measure for longer"

    def at(share: float) -> float:
        return round(found[min(len(found) - 1, int(share * len(found)))] * 1_000, 1)

    return Figures(len(found), at(0.5), at(0.95), at(0.99), at(1.0))


def _cpu(processes: _Processes) -> Mapping[str, float]:
    own = {"benchmark": time.process_time()}  # finer than what the kernel tells of processes
    return {name: cpu_s(pid) for name, pid in processes.pids().items()} | own


def _waits(processes: _Processes) -> Mapping[str, float]:
    """How long each could have run but had no core: what makes figures of a busy machine worthless."""
    return {name: waited_s(pid) for name, pid in processes.pids().items() if name != "redis"}
