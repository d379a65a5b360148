"""A worker that catches up with what waits in the topics, watched until all of it is right and durable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from agents.kafka import producer
from schemas.catalogue.compose import catalogue_of
from schemas.settings import Settings
from streams.plan import plan_of
from streams.simulator import SimulatedEvent
from tests.benchmarks.rig import WorkerProcess, memory_mib, waited_s
from tests.e2e.history import Truth
from tests.e2e.surfaces import checkpoints, from_redis, stored_cells, untaken
from tests.exactness import compared_cells
from tests.oracle import cell_differences, kpi_differences
from tests.polling import until

_DEADLINE_S: Final = 300.0


class Load(NamedTuple):
    """What is read, what is true of it, and the partitions of the log and of every source topic."""

    messages: Sequence[SimulatedEvent]
    truth: Truth
    partitions: int


async def send(settings: Settings, messages: Sequence[SimulatedEvent]) -> None:
    """Send messages to the source topics; returns when all are acknowledged."""
    topics = settings.topics.sources()
    sender = await producer(settings, client_id="benchmark")
    try:
        for message in messages:
            await sender.send(topics[message.topic], orjson.dumps(message.event), message.key.encode())
    finally:
        await sender.stop()


async def caught_up(worker: WorkerProcess, settings: Settings, truth: Truth) -> dict[str, Any]:
    """Let a frozen worker go on until every value is right and durable; then compare every cell as well.

    Returns:
        CPU seconds of its whole process, and what else is worth knowing.

    Raises:
        AssertionError: A value or a cell is wrong.
    """
    catalogue = catalogue_of(settings)
    names = {kpi.name for kpi in catalogue.kpis}
    expected = {key: value for key, value in truth.kpis.items() if key.partition("|")[0] in names}
    pid = worker.process.pid
    cpu_before, wait_before, began_s = worker.cpu_s(), waited_s(pid), time.perf_counter()
    worker.process.resume()

    async def durable() -> bool:
        return await untaken(settings) == 0 and (await checkpoints(settings)).complete

    wrong: list[str] = ["nothing was compared"]

    async def right() -> bool:
        values = {key: orjson.loads(payload) for key, payload in (await from_redis(settings)).items()}
        wrong[:] = kpi_differences(expected, values)
        return not wrong

    await until(durable, _DEADLINE_S, every_s=0.1)
    durable_s, durable_cpu_s = time.perf_counter() - began_s, worker.cpu_s() - cpu_before
    try:
        await until(right, _DEADLINE_S, every_s=0.1)
    except AssertionError:
        raise AssertionError(f"{len(wrong)} values are wrong, such as {wrong[:3]}") from None
    took_s, cpu_s, waited = time.perf_counter() - began_s, worker.cpu_s() - cpu_before, waited_s(pid) - wait_before
    compared = compared_cells(plan_of(catalogue), truth.newest_ms)
    cells = cell_differences(truth.cells, await stored_cells(settings), compared)
    assert not cells, f"{len(cells)} cells are wrong, such as {cells[:3]}"
    return {
        "cpu_s": round(cpu_s, 2),
        "seconds": round(took_s, 2),
        "durable_cpu_s": round(durable_cpu_s, 2),
        "durable_seconds": round(durable_s, 2),
        "waited_for_a_core_s": round(waited, 2),
        "memory_mib": round(memory_mib(pid)),
    }
