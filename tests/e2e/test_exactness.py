"""The main job end to end: events in on Kafka, right values out on every surface, with workers killed meanwhile."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker, RedisServer
from schemas.catalogue import KPIS
from streams.simulator import SimulatedEvent
from tests.e2e.hard_cases import assert_hard, properties_of
from tests.e2e.history import History, Truth, computing, send, settings_of_history
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import (
    Checkpoints,
    checkpoints,
    compare_values,
    falling_versions,
    is_settled,
    seen_by_readers,
    stored_cells,
    wrong_cells,
)
from tests.e2e.told import moment_ids, wrong_histories, wrong_moments

_SHOWN = 12
_WORD = re.compile(r"^\w+")
_WHERE = re.compile(r"\|(\w+)\||: (\w+) is ")
_ONE_WORKER = History(seed=20_231_114, count=30_000, days=100, late_days=14, hard=True)
# It ends in the morning after the day of 23 hours, 31 March 2024, so that day is the previous one of today.
_TWO_WORKERS = History(
    seed=7, count=20_000, days=88, start_ms=1_702_771_200_000, zone="Europe/Berlin", late_days=14, hard=True
)


@pytest.fixture
def product(
    request: pytest.FixtureRequest, kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path
) -> Iterator[Installation]:
    history: History = request.param
    tables: dict[str, Any] = {
        **settings_of_history(history.zone),
        "kafka": {"partitions": 4, "source_partitions": 4, "session_timeout": "5s"},
        # Who takes over folds what the other had left after all its own: copies then come a whole history late.
        "pipeline": {"checkpoint_interval": "1s", "dedupe_horizon": "120d"},
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
@pytest.mark.parametrize("product", [_ONE_WORKER], indirect=True, ids=["New York"])
async def test_one_worker_killed_in_the_middle_loses_and_doubles_nothing(product: Installation) -> None:
    clock = Clock(_ONE_WORKER)
    with computing(_ONE_WORKER) as truth:
        await product.run("topics", "create")
        worker = product.start("worker")
        rest, _ = await _killed_in_the_middle(product, worker, _messages(_ONE_WORKER, 2_000, clock), clock)
        worker = product.start("worker")
        await _send(product, rest, clock)
        await _assert_exact(product, [worker], truth, clock)


@pytest.mark.asyncio
@pytest.mark.parametrize("product", [_TWO_WORKERS], indirect=True, ids=["Berlin"])
async def test_of_two_workers_one_is_killed_and_the_other_takes_over(product: Installation) -> None:
    clock = Clock(_TWO_WORKERS)
    with computing(_TWO_WORKERS) as truth:
        await product.run("topics", "create")
        workers = [product.start("worker"), product.start("worker")]
        for worker in workers:
            await worker.until_ready()
        clock.say("both workers are ready")
        messages = _messages(_TWO_WORKERS, 1_000, clock)
        rest, at_kill = await _killed_in_the_middle(product, workers[0], messages, clock)
        sending = asyncio.create_task(_send(product, rest, clock))

        async def goes_on_everywhere() -> bool:
            found = await checkpoints(product.settings)
            return all(now > then for now, then in zip(found.fences, at_kill.fences, strict=True))

        await workers[1].until(goes_on_everywhere, deadline_s=45)
        clock.say("the other one goes on with all partitions")
        await sending
        await _assert_exact(product, workers[1:], truth, clock)


def _messages(history: History, accounts: int, clock: Clock) -> list[SimulatedEvent]:
    messages = list(history.messages())
    found = properties_of(messages)
    clock.say(f"{found}")
    assert_hard(found, accounts)
    return messages


async def _send(product: Installation, messages: Sequence[SimulatedEvent], clock: Clock) -> None:
    assert await send(product.settings, iter(messages)) == len(messages)
    clock.say(f"{len(messages)} messages are sent")


async def _killed_in_the_middle(
    product: Installation, worker: Process, messages: list[SimulatedEvent], clock: Clock
) -> tuple[list[SimulatedEvent], Checkpoints]:
    """Kill a worker that has made something durable and folded more; returns what is still to be sent."""
    part = len(messages) // 3
    await _send(product, messages[:part], clock)

    async def durable() -> bool:
        return await is_settled(product.settings)

    await worker.until(durable, deadline_s=60)
    before = taken = await worker.events_taken()
    await _send(product, messages[part : 2 * part], clock)

    async def goes_on() -> bool:
        nonlocal taken
        taken = await worker.events_taken()
        return taken > before and not (await checkpoints(product.settings)).complete

    await worker.until(goes_on, deadline_s=60)
    worker.kill()
    found = await checkpoints(product.settings)
    clock.say(f"killed with {taken - before} more events taken in than the {before} that were durable; {found}")
    assert max(found.fences) >= 0, "the worker was killed before its first checkpoint"
    assert not found.complete, "there is nothing left to be replayed"
    return messages[2 * part :], found


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
    assert_whole(truth)
    found = wrong_cells(truth, await stored_cells(settings))
    assert not found, _readable("cells", found)
    compared: dict[str, int] = {}

    async def values_right() -> bool:
        nonlocal found, compared
        compared, found = await compare_values(truth, settings, wall, workers)
        found += await wrong_histories(truth, wall)
        return not found

    try:
        await workers[0].until(values_right, deadline_s=60)
    except AssertionError as error:
        raise AssertionError(f"{_readable('values', found)}\n{error}") from None
    clock.say(f"every surface is right: {compared}, points of trends {sum(map(len, truth.trends.values()))}")
    ids = await moment_ids(settings)
    wrong = wrong_moments(truth, ids)
    assert not wrong, _readable("moments", wrong)
    clock.say(f"{len(ids)} moments were told, each once, {len(truth.wins)} of them wins")
    seen = 0
    async for reader, entries in seen_by_readers(settings):
        seen += len(entries)
        falling = falling_versions(entries)
        assert not falling, _readable(reader, falling)
    assert seen > len(truth.kpis)
    clock.say(f"of {seen} values that readers saw no version fell")


def assert_whole(truth: Truth) -> None:
    """Check that the oracle says something of every KPI in force, under each of its groupings, and not just nothing."""
    groupings: dict[str, set[str]] = {}
    telling = set()
    for key, value in truth.kpis.items():
        kpi, _, dims = key.split("|")
        groupings.setdefault(kpi, set()).add(",".join(part.partition("=")[0] for part in dims.split(",")))
        if value["value"]:
            telling.add(kpi)
    assert groupings == {kpi.name: set(kpi.groupings) for kpi in KPIS}
    assert telling == set(groupings)
    assert truth.goals == {"number", "currency", "boolean", "tasks"}
    assert all(any(point["value"] for point in trend.values()) for trend in truth.trends.values())


def _readable(what: str, lines: Sequence[str]) -> str:
    """Say how many lines there are, where they are from (surface, window, field), and what the first ones are."""
    sorts = Counter(
        " ".join(_WORD.findall(line)[:1] + ["".join(found) for found in _WHERE.findall(line)[:2]]) for line in lines
    )
    shown = "\n  ".join(lines[:_SHOWN])
    return f"{what}: {len(lines)} differences, {sorts.most_common(_SHOWN)}\n  {shown}"
