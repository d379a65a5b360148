"""Whole workers that catch up with what waits in the topics: by log partitions, and one against two of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
import redis.asyncio

from agents.kafka import TopicPartition
from agents.reading import end_offsets
from streams.simulator import SimulatedEvent
from tests.benchmarks.catch_up import send
from tests.benchmarks.growth.rounds import Figures, medians
from tests.benchmarks.growth.states import RATE, tables_of_growth
from tests.benchmarks.growth.table import Column, Plot, Row, Table, flat
from tests.benchmarks.rig import Installation, Servers, WorkerProcess, cpu_s, waited_s
from tests.benchmarks.throughput import Rush
from tests.benchmarks.tracked import COUNTS
from tests.e2e.surfaces import is_settled
from tests.polling import until

PARTITIONS: Final = Table(
    "Partitions of the log: one worker, CPU us an event until all is out and durable",
    (
        Column("partitions", "partitions"),
        Column("worker_us", "worker", ".0f"),
        Column("broker_us", "broker", ".0f"),
        Column("redis_us", "redis", ".1f"),
        Column("per_s", "events/s"),
        Column("idle", "idle", ".1%"),
    ),
    Plot("partitions", ("worker_us", "broker_us"), "log partitions", "CPU µs an event", ("linear", "linear")),
)
WORKERS: Final = Table(
    "Workers: times as fast, CPU us an event of all together until out and durable",
    (
        Column("workers", "workers"),
        Column("worker_us", "CPU", ".0f"),
        Column("broker_us", "broker", ".0f"),
        Column("per_s", "events/s"),
        Column("waited", "waited", ".0%"),
        Column("idle", "idle", ".1%"),
    ),
)

_DEADLINE_S: Final = 120.0


class Case(NamedTuple):
    """How many partitions the log has, and how many workers share them."""

    partitions: int
    workers: int


@dataclass(frozen=True)
class _Load:
    """What is read in every run, how often each type of event is in it, and for how long idleness is watched."""

    messages: Sequence[SimulatedEvent]
    sent: Mapping[str, int]
    idle_s: float


async def partitions(running: Servers, sizes: Sequence[int], events: int, rounds: int, idle_s: float) -> list[Row]:
    """Measure one worker with logs of several numbers of partitions."""
    found = await _measure(running, [Case(size, 1) for size in sizes], events, rounds, idle_s)
    rows: list[Row] = [{"partitions": case.partitions, **figures} for case, figures in found.items()]
    for row, goal in zip(rows, flat(row["worker_us"] for row in rows), strict=True):
        row["goal"] = goal
    return rows


async def workers(
    running: Servers, sizes: Sequence[int], events: int, rounds: int, idle_s: float, partitions: int = 8
) -> list[Row]:
    """Measure several numbers of workers."""
    found = await _measure(running, [Case(partitions, size) for size in sizes], events, rounds, idle_s)
    rows: list[Row] = [{"workers": case.workers, **figures} for case, figures in found.items()]
    for row, goal in zip(rows, flat(row["worker_us"] for row in rows), strict=True):
        row["speedup"] = round(row["per_s"] / rows[0]["per_s"], 2)
        row["goal"] = goal if row is rows[0] else f"x{row['speedup']:g}, CPU {goal}"
    return rows


async def _measure(
    running: Servers, cases: Sequence[Case], events: int, rounds: int, idle_s: float
) -> dict[Case, dict[str, float]]:
    history = Rush(seed=5, count=events, days=events / RATE / 86_400)
    messages = list(history.messages())
    load = _Load(messages, Counter(str(message.event["event_type"]) for message in messages), idle_s)
    found: dict[Case, list[Figures]] = {case: [] for case in cases}
    order = list(cases)
    for number in range(rounds):
        for case in order:
            found[case].append(await _run(running, case, f"growth-{case.partitions}-{case.workers}-{number}", load))
        order.reverse()
    return {case: medians(figures) for case, figures in found.items()}


async def _run(running: Servers, case: Case, name: str, load: _Load) -> Figures:
    """Start workers, freeze them, send, and watch them until every count is out and everything durable."""
    tables: dict[str, Any] = tables_of_growth()
    tables["kafka"] = {"partitions": case.partitions, "source_partitions": case.partitions}
    installations = [
        Installation(Servers(running.kafka, running.redis, running.directory / f"worker{number}"), name, tables)
        for number in range(case.workers)
    ]
    await installations[0].create_topics()
    async with AsyncExitStack() as stack:
        started: list[WorkerProcess] = []
        for installation in installations:
            started.append(await installation.start_worker())
            stack.push_async_callback(started[-1].stop)
        await until(lambda: _all_ready(started), _DEADLINE_S)
        for worker in started:
            worker.process.pause()
        await send(installations[0].settings, load.messages)
        return await _watched(running, installations[0], started, load)


async def _all_ready(started: Sequence[WorkerProcess]) -> bool:
    return all([await asyncio.to_thread(worker.ready) for worker in started])


async def _watched(
    running: Servers, installation: Installation, started: Sequence[WorkerProcess], load: _Load
) -> Figures:
    before, waited_before, began_s = _cpu(running, started), _waited(started), time.perf_counter()
    for worker in started:
        worker.process.resume()
    view = redis.asyncio.Redis.from_url(installation.settings.redis.url)

    async def done() -> bool:
        return await _is_out(view, installation, load.sent) and await is_settled(installation.settings)

    try:
        await until(done, _DEADLINE_S, every_s=0.1)
    finally:
        await view.aclose()
    took_s, waited = time.perf_counter() - began_s, _waited(started) - waited_before
    after = _cpu(running, started)
    events = len(load.messages)
    idle = await _idle_share(installation, started, load.idle_s)
    return {
        **{f"{name}_us": (after[name] - before[name]) / events * 1e6 for name in after},
        "per_s": events / took_s,
        "waited": waited / took_s / len(started),
        "idle": idle,
    }


async def _idle_share(installation: Installation, started: Sequence[WorkerProcess], idle_s: float) -> float:
    """Return the share of a core that a worker takes when nothing more comes out."""
    settings = installation.settings
    topics = [TopicPartition(settings.topics.updates, number) for number in range(settings.kafka.partitions)]
    last = -1

    async def quiet() -> bool:
        nonlocal last
        before, last = last, sum((await end_offsets(settings, topics)).values())
        return last == before

    await until(quiet, _DEADLINE_S, every_s=1.5)
    before = sum(worker.cpu_s() for worker in started)
    await asyncio.sleep(idle_s)  # the time that is measured
    return (sum(worker.cpu_s() for worker in started) - before) / idle_s / len(started)


async def _is_out(view: redis.asyncio.Redis, installation: Installation, sent: Mapping[str, int]) -> bool:
    """Whether the counts in Redis are those of all events."""
    key = f"{installation.settings.redis.prefix}:kpi:all"
    kinds = [kind for kind in COUNTS if sent.get(kind)]
    values = await view.hmget(key, [COUNTS[kind].field for kind in kinds])
    return all(
        value is not None and COUNTS[kind].of(orjson.loads(value)) == sent[kind]
        for kind, value in zip(kinds, values, strict=True)
    )


def _cpu(running: Servers, started: Sequence[WorkerProcess]) -> dict[str, float]:
    times = {"broker": cpu_s(running.kafka.pid), "redis": cpu_s(running.redis.pid)}
    return times | {"worker": sum(worker.cpu_s() for worker in started)}


def _waited(started: Sequence[WorkerProcess]) -> float:
    return sum(waited_s(worker.process.pid) for worker in started)
