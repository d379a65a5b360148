"""A cold recovery of a million accounts, and that people can see how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import orjson
import pytest

from agents.brokers import Broker, RedisServer
from agents.changelogs import ChangelogWriter
from agents.kafka import AIOKafkaProducer, producer
from agents.topics import create_topics
from schemas.settings import Settings
from schemas.topics import changelog_topic
from tests.e2e.history import History
from tests.e2e.product import Installation, Process, installed
from tests.faults.conftest import SETTINGS
from tests.faults.record import Figures
from tests.harness import PurePipeline

_ACCOUNTS = 1_000_000
_PARTITIONS = 4
_CHUNK = 20_000
"""Accounts written at a time."""
_TABLES = ("cells", "accounts", "markers")


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables = SETTINGS | {"kafka": {"partitions": _PARTITIONS, "source_partitions": 2}}
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, tables) as found:
        yield found


@pytest.mark.soak
@pytest.mark.fault(0)
@pytest.mark.asyncio
async def test_a_million_accounts_are_recovered_within_a_minute(
    product: Installation, history: History, figures: Figures
) -> None:
    await create_topics(product.settings)
    await _write_state(product.settings, history)
    begun_s = time.monotonic()
    worker = product.start("worker")
    said: list[str] = []

    async def recovered() -> bool:
        said.extend(await _reasons(worker))
        return worker.log.count("recovered log partitions") > 0

    await worker.until(recovered, deadline_s=180)
    figures["recovered_s"] = took_s = round(time.monotonic() - begun_s, 1)
    await worker.until_ready(deadline_s=60)
    figures["ready_s"] = round(time.monotonic() - begun_s, 1)
    figures["accounts"] = _ACCOUNTS
    assert took_s < 60
    assert f"{_ACCOUNTS} accounts in" in worker.log
    shares = [int(reason.partition("recovering: ")[2].partition(" ")[0]) for reason in said if "recovering" in reason]
    assert len(set(shares)) > 3, said
    assert shares == sorted(shares)
    assert "INFO agents.progress: recovering: " in worker.log


async def _reasons(worker: Process) -> list[str]:
    _, body = await worker.answer("/readyz")
    try:
        reasons: list[str] = orjson.loads(body)["reasons"]
    except orjson.JSONDecodeError:
        return []  # it does not answer yet
    return reasons


async def _write_state(settings: Settings, history: History) -> None:
    """Write log and changelogs of a small history, its accounts so often, each under a name of its own."""
    pipeline = PurePipeline(settings, _PARTITIONS)
    pipeline.send(message.event for message in history.messages())
    pipeline.fold_all()
    client: AIOKafkaProducer = await producer(settings, client_id="test")
    try:
        for partition, log in enumerate(pipeline.logs):
            for frame in log:
                await client.send(settings.topics.log, frame, partition=partition)
        writer = ChangelogWriter(client)
        for partition, fold in enumerate(pipeline.folds):
            for table, records in zip(_TABLES, fold.checkpoint().steps, strict=True):
                topic = changelog_topic(settings.app.id, table)
                await writer.write(topic, [(partition, records)])
                if table == "accounts":
                    await _write_more(writer, topic, partition, [value for _, value in records if value is not None])
    finally:
        await client.stop()


async def _write_more(writer: ChangelogWriter, topic: str, partition: int, like: list[bytes]) -> None:
    """Write further accounts, up to this partition's share of all."""
    bodies = cycle(like)
    missing = _ACCOUNTS // _PARTITIONS - len(like)
    names = (b"account-%d-%d" % (partition, number) for number in range(missing))
    while chunk := list(islice(names, _CHUNK)):
        await writer.write(topic, [(partition, [(name, next(bodies)) for name in chunk])])
