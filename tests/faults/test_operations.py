"""What people do to a running system: rolling restarts, lost topics, other partition counts; and how it recovers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from agents.brokers import Broker, RedisServer
from agents.kafka import AIOKafkaProducer, TopicPartition, admin, consumer, producer
from agents.recovery import owner_of
from agents.topics import create_topics
from schemas.settings import Settings
from schemas.topics import changelog_topic
from tests.e2e.bad_messages import won, written
from tests.e2e.product import Installation, installed
from tests.faults.conftest import SETTINGS
from tests.faults.oracle import assert_values, assert_versions_never_fall
from tests.faults.record import Figures
from tests.faults.scene import Scene
from tests.polling import end, until

_KEY = "deals_won|all|"
_RATE = 40.0


@pytest.mark.fault(0)
@pytest.mark.asyncio
async def test_lost_topics_and_another_partition_count_are_refused_with_the_way_out(scene: Scene) -> None:
    product, settings = scene.product, scene.settings
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first, seconds=1)
    await scene.until_settled()
    await scene.stop(scene.workers[0])

    said = await _refused(scene, SALESPULSE_KAFKA__PARTITIONS="3")
    assert "kafka.partitions is 3" in said
    assert "change the setting back" in said

    accounts = changelog_topic(settings.app.id, "accounts")
    await _delete(settings, accounts)
    said = await _refused(scene)
    assert f"topic {accounts} does not exist" in said
    assert "`salespulse topics create` makes and sets what is needed" in said
    await product.run("topics", "create")
    said = await _refused(scene)
    assert "the changelog of accounts is empty" in said
    assert "salespulse rebuild --force" in said
    await product.run("rebuild", "--force", deadline_s=60)

    worker = scene.start()
    await worker.until_ready(deadline_s=60)
    await scene.load(rest, seconds=1)
    await assert_values(scene, await scene.truths.of(scene.history))
    await scene.stop(worker)
    await product.run("rebuild", "--compare", deadline_s=60)  # the stored cells are those that the log makes
    await assert_versions_never_fall(scene)

    await _delete(settings, settings.topics.log)
    await create_topics(settings)
    said = await _refused(scene)
    assert f"{settings.topics.log} ends at 0" in said
    assert "app.id" in said


async def _refused(scene: Scene, **variables: str) -> str:
    """Start a worker that has to end by itself; returns its last line."""
    worker = scene.start(env=variables)
    assert await scene.ended(worker) in (1, 2), worker.log
    return worker.log.strip().splitlines()[-1]


async def _delete(settings: Settings, topic: str) -> None:
    async with admin(settings) as client:
        await client.delete_topics([topic])

        async def gone() -> bool:
            return topic not in {found["topic"] for found in await client.describe_topics(None)}

        await until(gone)


class LiveSales:
    """Sales at an even rate, and when the KPI topic told of them.

    Args:
        settings: Where they go.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.closing = False
        self.sent = 0
        self.counted = 0
        self.told_ms: list[int] = []
        """When updates were written, from the first one on that knows of a sale: before, there is nothing to tell."""

    async def send(self) -> None:
        """Send until it is closing: what is cancelled in between may have been sent, and is not known to be."""
        client: AIOKafkaProducer = await producer(self._settings, client_id="test")
        try:
            while not self.closing:
                event = won(f"{self.sent}", occurred_at=time.time_ns() // 1_000_000, rep_id=f"r-{self.sent % 7}")
                await client.send_and_wait(self._settings.topics.deals, written(event), b"%d" % self.sent)
                self.sent += 1
                await asyncio.sleep(1 / _RATE)
        finally:
            await client.stop()

    async def read(self) -> None:
        """Read the KPI topic until cancelled."""
        number = owner_of("", self._settings.kafka.partitions)
        reader = await consumer(
            self._settings, client_id="test", assignment=[TopicPartition(self._settings.topics.updates, number)]
        )
        try:
            while True:
                for records in (await reader.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key == _KEY.encode():
                            self.counted = orjson.loads(record.value)["numerator"]
                            if self.counted:
                                self.told_ms.append(record.timestamp)
        finally:
            await reader.stop()

    @property
    def longest_gap_s(self) -> float:
        """Longest time without an update."""
        return max(b - a for a, b in zip(self.told_ms, self.told_ms[1:], strict=False)) / 1000


@pytest.fixture
def three(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables = {
        "catalogue": SETTINGS["catalogue"],
        "kafka": {"partitions": 6, "source_partitions": 3},
        "pipeline": {"checkpoint_interval": "1s"},
    }
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, tables) as found:
        yield found


@pytest.mark.soak
@pytest.mark.fault(0)
@pytest.mark.asyncio
async def test_a_rolling_restart_of_three_workers_leaves_no_gap(three: Installation, figures: Figures) -> None:
    settings = three.settings
    await create_topics(settings)
    workers = [three.start("worker") for _ in range(3)]
    for worker in workers:
        await worker.until_ready(deadline_s=60)
    sales = LiveSales(settings)
    tasks = [asyncio.create_task(sales.send()), asyncio.create_task(sales.read())]
    try:
        await until(lambda: _holds(sales.counted > 50), deadline_s=30)
        for worker in list(workers):
            worker.terminate()
            assert await worker.ends(deadline_s=15) == 0
            workers.remove(worker)
            workers.append(three.start("worker"))
            await workers[-1].until_ready(deadline_s=60)
        sales.closing = True
        await tasks[0]
        await until(lambda: _holds(sales.counted >= sales.sent), deadline_s=30)
    finally:
        await end(*tasks)
    figures |= {"events": sales.sent, "longest_gap_s": round(sales.longest_gap_s, 1)}
    assert sales.counted == sales.sent
    assert sales.longest_gap_s <= 5


async def _holds(condition: bool) -> bool:
    return condition
