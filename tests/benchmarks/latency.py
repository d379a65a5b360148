"""From the producer's send to the value readable on the KPI topic and in Redis, at an even rate of live events."""

from __future__ import annotations

import asyncio
import os
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson
import redis.asyncio

from agents.kafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, consumer, end_offsets, producer
from schemas.settings import Settings
from streams.simulator import LivePace, SimulatedEvent, SimulationConfig, live
from tests.benchmarks.rig import Installation, Servers, WorkerProcess, cpu_s, machine, memory_mib, waited_s
from tests.benchmarks.tracked import COUNTS, Count
from tests.polling import end, until

_SETTLE_S: Final = 60.0
_WARM_S: Final = 3.0


class Figures(NamedTuple):
    """Percentiles of a latency, in milliseconds."""

    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Track:
    """When the events of one type were sent, and when a reader saw the count reach each of them."""

    def __init__(self) -> None:
        self.sent_s: list[float] = []
        self.seen: dict[str, list[tuple[int, float]]] = {}

    def saw(self, reader: str, count: int) -> None:
        """Take note of a value that a reader got now."""
        seen = self.seen.setdefault(reader, [])
        if not seen or count > seen[-1][0]:
            seen.append((count, time.perf_counter()))

    def has_all(self, reader: str) -> bool:
        """Whether the reader has seen everything that was sent."""
        seen = self.seen.get(reader)
        return (seen[-1][0] if seen else 0) >= len(self.sent_s)

    def latencies_s(self, reader: str, begin_s: float, end_s: float) -> list[float]:
        """Return the latency of every event sent in an interval."""
        seen = self.seen.get(reader, [])
        counts = [count for count, _ in seen]
        first, last = bisect_left(self.sent_s, begin_s), bisect_left(self.sent_s, end_s)
        return [seen[bisect_left(counts, index + 1)][1] - self.sent_s[index] for index in range(first, last)]


Tracks = dict[str, Track]


async def measure(
    running: Servers,
    rate: float,
    seconds: float,
    history: int = 20_000,
    *,
    partitions: int = 8,
    profile: Path | None = None,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        running: The servers to measure on.
        rate: Events a second.
        seconds: How long is measured.
        history: About how many events come before, so that accounts, deals and series are there.
        partitions: Of the log and of every source topic.
        profile: Run the worker under cProfile and write its statistics here.

    Returns:
        Everything that is printed; latencies in milliseconds.
    """
    about = machine()
    document = {"kafka": {"partitions": partitions, "source_partitions": partitions}}
    installation = Installation(running, "latency", document)
    await installation.create_topics()
    worker = await installation.start_worker(profile)
    try:
        found = await _measured(running, installation, worker, rate, seconds, history)
    finally:
        await worker.stop()
    return {"benchmark": "latency", "machine": about, **found}


async def _measured(
    running: Servers, installation: Installation, worker: WorkerProcess, rate: float, seconds: float, history: int
) -> dict[str, Any]:
    settings = installation.settings
    tracks: Tracks = {kind: Track() for kind in COUNTS}
    sender = await producer(settings, client_id="benchmark")
    reading = await consumer(settings, client_id="benchmark", assignment=_partitions(settings))
    view = redis.asyncio.Redis.from_url(settings.redis.url)
    tasks = [
        asyncio.ensure_future(_read_topic(reading, tracks)),
        asyncio.ensure_future(_read_redis(view, settings.redis.prefix, tracks)),
    ]
    try:
        config = SimulationConfig(events_per_second=rate, seed=11, zone=settings.time.zone)
        floor = _Floor(config, history)
        await floor.send_history(sender, settings, tracks)
        await _settled(tracks, tasks)
        await floor.send_until(sender, settings, tracks, time.perf_counter() + _WARM_S)
        published_before = await _published(settings)
        begin_s, cpu_before, wait_before = time.perf_counter(), _cpu(worker, running), _waits(worker, running)
        sent = await floor.send_until(sender, settings, tracks, begin_s + seconds)
        end_s, cpu_after, wait_after = time.perf_counter(), _cpu(worker, running), _waits(worker, running)
        published = await _published(settings) - published_before
        await _settled(tracks, tasks)
    finally:
        await end(*tasks)
        await reading.stop()
        await view.aclose()
        await sender.stop()
    took_s = end_s - begin_s
    return {
        "rate": rate,
        "sent": sent,
        "seconds": round(took_s, 2),
        "history": floor.history_sent,
        "values_per_second": round(published / took_s),
        "latency": {reader: _figures(tracks, reader, begin_s, end_s)._asdict() for reader in ("kafka", "redis")},
        "core_share": {name: round((cpu_after[name] - cpu_before[name]) / took_s, 3) for name in cpu_after},
        "waited_for_a_core": {name: round((wait_after[name] - wait_before[name]) / took_s, 3) for name in wait_after},
        "worker_cpu_s": round(cpu_after["worker"] - cpu_before["worker"], 2),
        "worker_memory_mib": round(memory_mib(worker.process.pid)),
    }


class _Floor:
    """A live floor's events, sent when they happen."""

    def __init__(self, config: SimulationConfig, history: int) -> None:
        pace = LivePace(backfill_days=14.0 if history else 0.0, backfill_limit=max(1, history))
        self._start_ms = time.time_ns() // 1_000_000
        self._events: Iterator[SimulatedEvent] = live(config, self._start_ms, pace)
        self._next = next(self._events)
        self.history_sent = 0

    async def send_history(self, sender: AIOKafkaProducer, settings: Settings, tracks: Tracks) -> None:
        """Send what happened before now, at once."""
        while self._next.at_ms < time.time_ns() // 1_000_000:
            await _send(sender, settings, tracks, self._next)
            self._next = next(self._events)
            self.history_sent += 1
        await sender.flush()

    async def send_until(self, sender: AIOKafkaProducer, settings: Settings, tracks: Tracks, end_s: float) -> int:
        """Send each event when it happens, until a moment; returns how many."""
        sent = 0
        now_ms = time.time_ns() // 1_000_000
        while self._next.at_ms < now_ms:  # what happened while nothing was sent would be a burst
            self._next = next(self._events)
        while time.perf_counter() < end_s:
            early_s = self._next.at_ms / 1000 - time.time()
            if early_s > 0:
                await asyncio.sleep(early_s)
            await _send(sender, settings, tracks, self._next)
            self._next = next(self._events)
            sent += 1
        return sent


async def _send(sender: AIOKafkaProducer, settings: Settings, tracks: Tracks, event: SimulatedEvent) -> None:
    track = tracks.get(str(event.event["event_type"]))
    if track is not None:
        track.sent_s.append(time.perf_counter())
    await sender.send(settings.topics.sources()[event.topic], orjson.dumps(event.event), event.key.encode())


async def _published(settings: Settings) -> int:
    """How many values the KPI topic has taken."""
    partitions = [TopicPartition(settings.topics.updates, number) for number in range(settings.kafka.partitions)]
    return sum((await end_offsets(settings, partitions)).values())


def _partitions(settings: Settings) -> list[TopicPartition]:
    """The partitions of the KPI topic that hold the counts."""
    keys = {count.key for count in COUNTS.values()}
    numbers = {crc32(key.encode()) % settings.kafka.partitions for key in keys}
    return [TopicPartition(settings.topics.updates, number) for number in sorted(numbers)]


async def _read_topic(reading: AIOKafkaConsumer, tracks: Tracks) -> None:
    wanted = {count.key.encode(): (tracks[kind], count) for kind, count in COUNTS.items()}
    while True:
        for records in (await reading.getmany(timeout_ms=1_000)).values():
            for record in records:
                if record.key in wanted:
                    track, count = wanted[record.key]
                    track.saw("kafka", count.of(orjson.loads(record.value)))


async def _read_redis(view: redis.asyncio.Redis, prefix: str, tracks: Tracks) -> None:
    """Read the counts whenever the view says that it changed, as the wall does."""
    counts: list[tuple[Track, Count]] = [(tracks[kind], count) for kind, count in COUNTS.items()]
    async with view.pubsub() as listening:
        await listening.subscribe(f"{prefix}:changes")
        while True:
            await listening.get_message(ignore_subscribe_messages=True, timeout=1.0)
            values = await view.hmget(f"{prefix}:kpi:all", [count.field for _, count in counts])
            for (track, count), value in zip(counts, values, strict=True):
                if value is not None:
                    track.saw("redis", count.of(orjson.loads(value)))


async def _settled(tracks: Tracks, tasks: list[asyncio.Task[None]]) -> None:
    async def everything_is_seen() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return all(track.has_all(reader) for track in tracks.values() for reader in ("kafka", "redis"))

    try:
        await until(everything_is_seen, deadline_s=_SETTLE_S)
    except AssertionError:
        behind = {
            kind: (len(track.sent_s), {reader: seen[-1][0] for reader, seen in track.seen.items()})
            for kind, track in tracks.items()
        }
        raise AssertionError(f"not every event was counted within {_SETTLE_S:g} s; sent and seen: {behind}") from None


def _figures(tracks: Tracks, reader: str, begin_s: float, end_s: float) -> Figures:
    found = sorted(latency for track in tracks.values() for latency in track.latencies_s(reader, begin_s, end_s))
    assert found, "no event of a tracked type was sent; measure for longer"

    def at(share: float) -> float:
        return round(found[min(len(found) - 1, int(share * len(found)))] * 1_000, 1)

    return Figures(len(found), at(0.5), at(0.95), at(0.99), at(1.0))


def _cpu(worker: WorkerProcess, running: Servers) -> Mapping[str, float]:
    times = {"worker": worker.cpu_s(), "broker": cpu_s(running.kafka.pid), "redis": cpu_s(running.redis.pid)}
    return times | {"benchmark": time.process_time()}


def _waits(worker: WorkerProcess, running: Servers) -> Mapping[str, float]:
    """How long each could have run but had no core: what makes figures of a busy machine worthless."""
    pids = {"worker": worker.process.pid, "broker": running.kafka.pid, "benchmark": os.getpid()}
    return {name: waited_s(pid) for name, pid in pids.items()}
