"""Events sent at the moment at which they happen, when each was seen, and what every process took meanwhile."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from agents.kafka import AIOKafkaProducer, consumer, producer
from agents.reading import end_offsets
from schemas.settings import Settings
from tests.benchmarks.floor import Floor, send_in_time
from tests.benchmarks.readers import partitions_of_values, read_topic
from tests.benchmarks.rig import Servers, cpu_s, waited_s
from tests.benchmarks.tracked import Tracks
from tests.polling import end, until

WARM_S: Final = 3.0
"""For so long events are sent before they are measured."""

_SETTLE_S: Final = 180.0
_OWN: Final = "benchmark"


class Figures(NamedTuple):
    """Percentiles of a latency, in milliseconds."""

    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Processes:
    """The servers, this process, and what is measured.

    Args:
        running: The servers.
        measured: Name -> process number.
    """

    def __init__(self, running: Servers, measured: Mapping[str, int]) -> None:
        self._waiting = {**measured, "broker": running.kafka.pid, _OWN: os.getpid()}
        self._all = {**self._waiting, "redis": running.redis.pid}

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds of each until now."""
        own = {_OWN: time.process_time()}  # finer than what the kernel tells of processes
        return {name: cpu_s(pid) for name, pid in self._all.items()} | own

    def waits(self) -> Mapping[str, float]:
        """For how many seconds each could have run but had no core: what makes figures of a busy machine worthless."""
        return {name: waited_s(pid) for name, pid in self._waiting.items()}

    async def shares(self, seconds: float) -> dict[str, float]:
        """Watch for so long; returns the share of a core that each takes."""
        begin_s, before = time.perf_counter(), self.cpu()
        await asyncio.sleep(seconds)
        return _grown(before, self.cpu(), time.perf_counter() - begin_s)


class Watch:
    """What is sent, and what readers have seen of it.

    Args:
        settings: Of the installation.
        processes: What takes part.
        sender: Sends the events.
    """

    def __init__(self, settings: Settings, processes: Processes, sender: AIOKafkaProducer) -> None:
        self.counted = Tracks()
        self.sender = sender
        self.readers: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._settings = settings
        self._processes = processes

    def read(self, work: Coroutine[Any, Any, None], *readers: str) -> None:
        """Let readers take note of what they see."""
        self.tasks.append(asyncio.ensure_future(work))
        self.readers += readers

    async def measured(self, floor: Floor, seconds: float) -> dict[str, Any]:
        """Send events in time for so long; returns what that took, and the latencies of each reader."""
        events = floor.coming(WARM_S + seconds)
        gc.freeze()  # else this process stands still now and then to look through all of them
        warm = sum(event.at_ms < events[0].at_ms + 1_000 * WARM_S for event in events)
        await send_in_time(self.sender, self.counted, events[:warm])
        processes, published = self._processes, await self._published()
        begin_s, cpu, waits = time.perf_counter(), processes.cpu(), processes.waits()
        await send_in_time(self.sender, self.counted, events[warm:])
        end_s, cpu_after, waits_after = time.perf_counter(), processes.cpu(), processes.waits()
        published = await self._published() - published
        await self.until_all_is_seen()
        took_s = end_s - begin_s
        return {
            "sent": len(events) - warm,
            "seconds": round(took_s, 2),
            "values_per_second": round(published / took_s),
            "core_share": _grown(cpu, cpu_after, took_s),
            "waited_for_a_core": _grown(waits, waits_after, took_s),
            "drained_s": round(time.perf_counter() - end_s, 1),
            "latency": {reader: _figures(self.counted, reader, begin_s, end_s)._asdict() for reader in self.readers},
        }

    async def until_all_is_seen(self) -> None:
        """Wait until every reader has seen every event counted."""

        async def everything_is_seen() -> bool:
            for task in self.tasks:
                if task.done():
                    task.result()
            return all(track.has_all(reader) for reader in self.readers for track in self.counted.of(reader))

        try:
            await until(everything_is_seen, deadline_s=_SETTLE_S)
        except AssertionError:
            behind = {
                reader: [(len(track.sent_s), track.reached(reader)) for track in self.counted.of(reader)]
                for reader in self.readers
            }
            raise AssertionError(
                f"not every event was counted within {_SETTLE_S:g} s; sent and seen: {behind}"
            ) from None

    async def _published(self) -> int:
        """How many values the KPI topic has taken."""
        return sum((await end_offsets(self._settings, partitions_of_values(self._settings))).values())


@asynccontextmanager
async def watching(settings: Settings, processes: Processes, *readers: str) -> AsyncIterator[Watch]:
    """Watch the KPI topic, and what else is read, for the length of a block; `readers` are those of the topic."""
    sender = await producer(settings, client_id=_OWN)
    reading = await consumer(settings, client_id=_OWN, assignment=partitions_of_values(settings))
    watch = Watch(settings, processes, sender)
    try:
        watch.read(read_topic(reading, watch.counted), *readers)
        yield watch
    finally:
        await end(*watch.tasks)
        await reading.stop()
        await sender.stop()


def _grown(before: Mapping[str, float], after: Mapping[str, float], took_s: float) -> dict[str, float]:
    """Return by how much each grew, a second."""
    return {name: round((after[name] - before[name]) / took_s, 3) for name in after}


def _figures(counted: Tracks, reader: str, begin_s: float, end_s: float) -> Figures:
    found = sorted(latency for track in counted.of(reader) for latency in track.latencies_s(reader, begin_s, end_s))
    assert found, "no event of a tracked type was sent; measure for longer"

    def at(share: float) -> float:
        return round(found[min(len(found) - 1, int(share * len(found)))] * 1_000, 1)

    return Figures(len(found), at(0.5), at(0.95), at(0.99), at(1.0))
