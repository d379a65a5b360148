"""How a worker ends, and what it leaves behind: in order, by force, without its servers, with a log it cannot read."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker, RedisServer, free_port
from agents.kafka import TopicPartition, producer
from agents.reading import end_offsets
from schemas.topics import changelog_topic
from schemas.wire import STATE_VERSION, Marker, pack
from tests.e2e.history import History, computing, send, settings_of_history
from tests.e2e.prefixes import commits_ahead, wrong_records
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import checkpoints, is_settled, stored_cells, wrong_cells

_KILLS = 3
_TABLES: dict[str, Any] = {
    **settings_of_history(),
    "kafka": {"partitions": 2, "source_partitions": 2, "session_timeout": "5s"},
    "pipeline": {"checkpoint_interval": "300ms"},
    "intake": {"frame_events": 200},
}


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, _TABLES) as found:
        yield found


@pytest.mark.asyncio
async def test_after_kills_at_random_times_all_that_was_ever_written_is_the_fold_of_the_log_up_to_its_fence(
    product: Installation,
) -> None:
    history = History(seed=11, count=12_000, days=20)
    chance = random.Random(history.seed)
    settings = product.settings
    await product.run("topics", "create")
    print(history)
    with computing(history) as truth:
        messages = history.messages()
        workers = [product.start("worker"), product.start("worker")]
        for worker in workers:
            await worker.until_ready()
        for _ in range(_KILLS):
            sending = asyncio.create_task(send(settings, islice(messages, history.count // (_KILLS + 1))))
            await _until_checkpoints(product, workers[1], chance.randrange(1, 6))
            await asyncio.sleep(chance.random() * 0.3)  # at any point of a checkpoint
            workers.pop(0).kill()
            print(f"killed at {await checkpoints(settings)}")
            ahead = await commits_ahead(settings)
            assert not ahead, ahead[:5]
            workers.append(product.start("worker"))
            await sending
        await send(settings, messages)

        async def settled() -> bool:
            return await is_settled(settings)

        await workers[-1].until(settled, deadline_s=120)
        judged = await wrong_records(settings)
        print(f"{judged.records} records at {judged.fences} fences; {await checkpoints(settings)}")
        assert not judged.wrong, f"{len(judged.wrong)} of {judged.records} records: {judged.wrong[:5]}"
        assert judged.fences > 3 * _KILLS
        different = wrong_cells(await asyncio.wrap_future(truth), await stored_cells(settings))
        assert not different, f"{len(different)} cells: {different[:5]}"


async def _until_checkpoints(product: Installation, worker: Process, more: int) -> None:
    """Wait until so many more checkpoints are done, or there is nothing left to do."""
    topic = changelog_topic(product.settings.app.id, "markers")
    partitions = [TopicPartition(topic, number) for number in range(product.settings.kafka.partitions)]
    before = sum((await end_offsets(product.settings, partitions)).values())

    async def done() -> bool:
        now = sum((await end_offsets(product.settings, partitions)).values())
        return now >= before + more or (now > before and await is_settled(product.settings))

    await worker.until(done, deadline_s=60)


@pytest.mark.asyncio
async def test_sigterm_under_load_ends_a_worker_within_seconds_and_makes_durable_what_is_folded(
    product: Installation,
) -> None:
    await product.run("topics", "create")
    worker = product.start("worker")
    await worker.until_ready()
    history = History(seed=3, count=20_000, days=60)
    assert await send(product.settings, history.messages()) == history.count

    async def some_folded() -> bool:
        return await worker.events_taken() > history.count // 4

    await worker.until(some_folded, deadline_s=30)
    started_s = time.monotonic()
    worker.terminate()
    assert await worker.ends(deadline_s=15) == 0, worker.log
    took_s = time.monotonic() - started_s
    assert took_s < 10
    assert "Traceback" not in worker.log
    found = await checkpoints(product.settings)
    print(f"{history}: ended in {took_s:.1f} s, {found}")
    behind = [end - 1 - fence for fence, end in zip(found.fences, found.log_ends, strict=True)]
    assert max(found.fences) >= 0

    worker = product.start("worker")

    async def settled() -> bool:
        return await is_settled(product.settings)

    await worker.until(settled, deadline_s=60)
    print(f"{behind} frames were left to the next worker")


@pytest.mark.asyncio
async def test_sigterm_ends_a_worker_whose_broker_does_not_answer(
    own_kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path
) -> None:
    with installed(tmp_path / "product", own_kafka.bootstrap_servers, valkey.url, topic_prefix, _TABLES) as product:
        await product.run("topics", "create")
        worker = product.start("worker")
        await worker.until_ready()
        own_kafka.pause()
        try:
            started_s = time.monotonic()
            worker.terminate()
            assert await worker.ends(deadline_s=20) is not None, worker.log
            print(f"ended in {time.monotonic() - started_s:.1f} s\n{worker.log}")
        finally:
            own_kafka.resume()


@pytest.mark.asyncio
async def test_a_worker_that_cannot_read_the_log_says_so_ends_and_skips_nothing(product: Installation) -> None:
    await product.run("topics", "create")
    client = await producer(product.settings, client_id="somebody-else")
    await client.send_and_wait(product.settings.topics.log, b"no frame", partition=1)
    await client.stop()
    for _ in range(2):
        worker = product.start("worker")
        started_s = time.monotonic()
        assert await worker.ends(deadline_s=40) == 1, worker.log
        print(f"ended after {time.monotonic() - started_s:.1f} s")
        assert product.settings.topics.log in worker.log
        found = await checkpoints(product.settings)
        assert found.fences[1] == -1


@pytest.mark.asyncio
async def test_a_state_of_another_version_is_refused_with_the_way_out(product: Installation) -> None:
    await product.run("topics", "create")
    client = await producer(product.settings, client_id="a-newer-version")
    marker = pack(4, Marker(STATE_VERSION + 1, 4, None, []))
    await client.send_and_wait(changelog_topic(product.settings.app.id, "markers"), marker, b"marker", partition=0)
    await client.stop()
    worker = product.start("worker")
    assert await worker.ends(deadline_s=40) == 1, worker.log
    assert f"stored state has version {STATE_VERSION + 1}" in worker.log.strip().splitlines()[-1]
    assert "rebuild under a new app.id" in worker.log.strip().splitlines()[-1]


@pytest.mark.asyncio
async def test_without_kafka_a_worker_says_so_in_two_lines(topic_prefix: str, tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with installed(tmp_path, nowhere, f"redis://127.0.0.1:{free_port()}", topic_prefix, _TABLES) as product:
        worker = product.start("worker")
        assert await worker.ends(deadline_s=20) == 1
        lines = worker.log.strip().splitlines()
        assert len(lines) <= 2, worker.log
        assert f"Kafka at {nowhere} does not answer" in lines[-1]
