"""CPU seconds for events that wait in the topics already: the product with its whole catalogue, and a bare loop."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from agents.kafka import producer
from schemas.settings import Settings
from streams.simulator import SimulatedEvent, SimulationConfig, simulate
from tests.benchmarks.rig import (
    PROJECT,
    Installation,
    Servers,
    WorkerProcess,
    machine,
    memory_mib,
    waited_s,
)
from tests.e2e.history import START_MS, ZONE, History, Truth, computing, settings_of_history
from tests.e2e.surfaces import checkpoints, from_redis, stored_cells, untaken, wrong_cells
from tests.oracle import kpi_differences
from tests.polling import until

_DEADLINE_S: Final = 300.0


@dataclass(frozen=True)
class Rush(History):
    """A busy floor: journeys of months within days, so that all types of events come; in order, each once."""

    def messages(self) -> Iterator[SimulatedEvent]:
        """The messages, in order of event time."""
        seconds = self.days * 86_400
        config = SimulationConfig(
            seed=self.seed, events_per_second=self.count / seconds, speed=100 / self.days, zone=ZONE
        )
        return islice(simulate(config, START_MS), self.count)


async def measure(
    running: Servers,
    events: int,
    rounds: int,
    *,
    days: float = 1.0,
    partitions: int = 8,
    profile: Path | None = None,
) -> dict[str, Any]:
    """Run the benchmark: in every round the product and the bare loop read the same messages.

    Args:
        running: The servers to measure on.
        events: How many.
        rounds: How often; ratios are of the two of one round.
        days: Over how much event time they spread: the longer, the more cells an event costs.
        partitions: Of the log and of every source topic.
        profile: Run the worker of the last round under cProfile and write its statistics here.

    Returns:
        Everything that is printed.

    Raises:
        AssertionError: A cell or a value is wrong.
    """
    about = machine()
    history = Rush(seed=20_231_114, count=events, days=days)
    messages = list(history.messages())
    found: list[dict[str, Any]] = []
    with computing(history) as computed:
        truth = await asyncio.wrap_future(computed)  # not meanwhile: there may be just two cores
    for number in range(rounds):
        is_last = number == rounds - 1
        found.append(await _round(running, number, messages, truth, partitions, profile if is_last else None))
    return {
        "benchmark": "throughput",
        "machine": about,
        "events": events,
        "days": days,
        "cells_right": len(truth.cells),
        "values_right": len(truth.kpis),
        "profiled": profile is not None,
        "rounds": found,
        "ratio": _spread([each["ratio"] for each in found]),
        "cpu_s_per_100k": {
            name: _spread([each[name]["cpu_s"] * 100_000 / events for each in found]) for name in ("bare", "worker")
        },
    }


async def _round(
    running: Servers,
    number: int,
    messages: Sequence[SimulatedEvent],
    truth: Truth,
    partitions: int,
    profile: Path | None,
) -> dict[str, Any]:
    tables = {**settings_of_history(), "kafka": {"partitions": partitions, "source_partitions": partitions}}
    installation = Installation(running, f"round{number}", tables)
    settings = installation.settings
    await installation.create_topics()
    worker = await installation.start_worker(profile)
    try:
        # Started but frozen while events are sent: they wait in the topics, and start-up is not part of the figures.
        worker.process.pause()
        await _send(settings, messages)
        product = await _caught_up(worker, settings, truth)
    finally:
        await worker.stop()
    bare = await _bare_loop(settings, messages)
    return {"worker": product, "bare": bare, "ratio": round(product["cpu_s"] / bare["cpu_s"], 2)}


async def _send(settings: Settings, messages: Sequence[SimulatedEvent]) -> None:
    topics = settings.topics.sources()
    sender = await producer(settings, client_id="benchmark")
    try:
        for message in messages:
            await sender.send(topics[message.topic], orjson.dumps(message.event), message.key.encode())
    finally:
        await sender.stop()


async def _caught_up(worker: WorkerProcess, settings: Settings, truth: Truth) -> dict[str, Any]:
    """Let a frozen worker go on until every value is right and durable; then compare every cell as well."""
    pid = worker.process.pid
    cpu_before, wait_before, began_s = worker.cpu_s(), waited_s(pid), time.perf_counter()
    worker.process.resume()

    async def durable() -> bool:
        return await untaken(settings) == 0 and (await checkpoints(settings)).complete

    wrong: list[str] = ["nothing was compared"]

    async def right() -> bool:
        values = {key: orjson.loads(payload) for key, payload in (await from_redis(settings)).items()}
        wrong[:] = kpi_differences(truth.kpis, values)
        return not wrong

    await until(durable, _DEADLINE_S, every_s=0.1)
    durable_s, durable_cpu_s = time.perf_counter() - began_s, worker.cpu_s() - cpu_before
    try:
        await until(right, _DEADLINE_S, every_s=0.1)
    except AssertionError:
        raise AssertionError(f"{len(wrong)} values are wrong, such as {wrong[:3]}") from None
    took_s, cpu_s, waited = time.perf_counter() - began_s, worker.cpu_s() - cpu_before, waited_s(pid) - wait_before
    cells = wrong_cells(truth, await stored_cells(settings))
    assert not cells, f"{len(cells)} cells are wrong, such as {cells[:3]}"
    return {
        "cpu_s": round(cpu_s, 2),
        "seconds": round(took_s, 2),
        "durable_cpu_s": round(durable_cpu_s, 2),
        "durable_seconds": round(durable_s, 2),
        "waited_for_a_core_s": round(waited, 2),
        "memory_mib": round(memory_mib(pid)),
    }


async def _bare_loop(settings: Settings, messages: Sequence[SimulatedEvent]) -> dict[str, Any]:
    topics = settings.topics.sources().values()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.bare_loop", settings.kafka.bootstrap_servers),
        *(str(len(messages)), *topics),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, "the bare loop failed"
    found: dict[str, Any] = json.loads(out)
    sent: Mapping[str, int] = Counter(str(message.event["event_type"]) for message in messages)
    assert found["by_type"] == sent, "the bare loop counted wrongly"
    return {"cpu_s": round(found["cpu_s"], 3), "seconds": round(found["seconds"], 2), "keys": found["keys"]}


def _spread(figures: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(figures), 2), "least": round(min(figures), 2), "most": round(max(figures), 2)}
