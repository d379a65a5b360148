"""The main job end to end: events in on Kafka, right values out on every surface, with workers killed meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker, RedisServer
from schemas.rows import EVENT_TYPES
from tests.e2e.history import History, Truth, computing, send, settings_of_history
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import (
    Checkpoints,
    checkpoints,
    falling_versions,
    is_settled,
    seen_by_readers,
    stored_cells,
    wrong_cells,
    wrong_values,
)

_SHOWN = 12
_ONE_WORKER = History(seed=20_231_114, count=100_000, days=110)
_TWO_WORKERS = History(seed=7, count=100_000, days=100)


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables: dict[str, Any] = {
        **settings_of_history(),
        "kafka": {"partitions": 4, "source_partitions": 4, "session_timeout": "5s"},
        "pipeline": {"checkpoint_interval": "1s"},
        "metrics": {"max_series": 1_000_000},
    }
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, tables) as found:
        yield found


class Clock:
    """Prints what a test does, and when."""

    def __init__(self, history: History) -> None:
        self._started_s = time.monotonic()
        self.say(f"{history}")

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self._started_s:6.1f} s  {what}")


@pytest.mark.asyncio
async def test_one_worker_killed_in_the_middle_loses_and_doubles_nothing(product: Installation) -> None:
    clock = Clock(_ONE_WORKER)
    with computing(_ONE_WORKER) as truth:
        await product.run("topics", "create")
        worker = product.start("worker")
        sending = asyncio.create_task(_send(product, _ONE_WORKER, clock))
        taken = await _until_taken(product, worker, _ONE_WORKER.count // 2)
        worker.kill()
        await _say_killed(product, taken, _ONE_WORKER, clock)
        worker = product.start("worker")
        await sending
        await _assert_exact(product, [worker], truth, clock)


@pytest.mark.asyncio
async def test_of_two_workers_one_is_killed_and_the_other_takes_over(product: Installation) -> None:
    clock = Clock(_TWO_WORKERS)
    with computing(_TWO_WORKERS) as truth:
        await product.run("topics", "create")
        workers = [product.start("worker"), product.start("worker")]
        for worker in workers:
            await worker.until_ready()
        clock.say("both workers are ready")
        sending = asyncio.create_task(_send(product, _TWO_WORKERS, clock))
        taken = await _until_taken(product, workers[0], _TWO_WORKERS.count // 4)
        workers[0].kill()
        at_kill = await _say_killed(product, taken, _TWO_WORKERS, clock)

        async def goes_on_everywhere() -> bool:
            found = await checkpoints(product.settings)
            return all(now > then for now, then in zip(found.fences, at_kill.fences, strict=True))

        await workers[1].until(goes_on_everywhere, deadline_s=45)
        clock.say("the other one goes on with all partitions")
        await sending
        await _assert_exact(product, workers[1:], truth, clock)


async def _send(product: Installation, history: History, clock: Clock) -> None:
    messages = list(history.messages())
    kinds = {message.event["event_type"] for message in messages}
    assert kinds == set(EVENT_TYPES), f"seed {history.seed} has no {set(EVENT_TYPES) - kinds}"
    assert len({message.event["event_id"] for message in messages}) < history.count, "no duplicates"
    assert await send(product.settings, iter(messages)) == history.count
    clock.say("all is sent")


async def _until_taken(product: Installation, worker: Process, count: int) -> int:
    """Wait until so many events are taken in, and something is durable."""
    taken = 0

    async def enough_taken() -> bool:
        nonlocal taken
        taken = await worker.events_taken()
        return taken >= count and max((await checkpoints(product.settings)).fences) >= 0

    await worker.until(enough_taken, deadline_s=60)
    return taken


async def _say_killed(product: Installation, taken: int, history: History, clock: Clock) -> Checkpoints:
    assert taken < history.count, "the worker was killed too late"
    found = await checkpoints(product.settings)
    clock.say(f"killed with {taken} events taken in; {found}")
    assert max(found.fences) >= 0, "the worker was killed before its first checkpoint"
    assert not found.complete, "there is nothing left to be replayed"
    return found


async def _assert_exact(
    product: Installation, workers: Sequence[Process], computed: Future[Truth], clock: Clock
) -> None:
    settings = product.settings
    wall = product.start("wall")

    async def settled() -> bool:
        return await is_settled(settings)

    await workers[0].until(settled, deadline_s=150)
    clock.say("everything is folded and durable")
    for worker in workers:
        await worker.until_ready(deadline_s=60)
    clock.say("the worker says it is ready")
    truth = await asyncio.wrap_future(computed)
    clock.say(f"the oracle has {len(truth.cells)} cells and {len(truth.kpis)} series")
    found = wrong_cells(truth, await stored_cells(settings))
    assert not found, _readable("cells", found)

    async def values_right() -> bool:
        nonlocal found
        found = await wrong_values(truth, settings, wall, workers)
        return not found

    try:
        await workers[0].until(values_right, deadline_s=30)
    except AssertionError as error:
        raise AssertionError(f"{_readable('values', found)}\n{error}") from None
    clock.say("every surface is right")
    seen = 0
    async for reader, entries in seen_by_readers(settings):
        seen += len(entries)
        falling = falling_versions(entries)
        assert not falling, _readable(reader, falling)
    assert seen > len(truth.kpis)
    clock.say(f"of {seen} values that readers saw no version fell")


def _readable(what: str, lines: Sequence[str]) -> str:
    shown = "\n  ".join(lines[:_SHOWN])
    return f"{what}: {len(lines)} differences\n  {shown}"
