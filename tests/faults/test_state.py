"""Stored state: too large, with an old owner's on top, of another version; source topics other than what was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.brokers import Broker, RedisServer
from agents.kafka import (
    ConfigResource,
    ConfigResourceType,
    TopicPartition,
    admin,
    producer,
)
from agents.reading import begin_offsets, committed_offsets, read_to_end
from agents.topics import create_topics, intake_group
from schemas.settings import Settings
from schemas.topics import changelog_topic, state_group
from schemas.windows import HOUR_MS
from schemas.wire import STATE_VERSION, Marker, fence_of, pack
from tests.e2e.product import installed
from tests.e2e.surfaces import checkpoints
from tests.faults.oracle import assert_exact, assert_no_commit_ahead
from tests.faults.points import run
from tests.faults.record import Figures
from tests.faults.scene import Scene, Truths
from tests.faults.stored import HISTORY, STATES, load, restore
from tests.offsets import set_by_hand
from tests.polling import until

_NEEDED = {"cleanup_policy": "compact", "max_message_bytes": 10_485_760, "min_compaction_lag_ms": 6 * HOUR_MS}


async def set_config(settings: Settings, topic: str, **values: object) -> None:
    """Change settings of a topic on the broker."""
    configs = {name.replace("_", "."): str(value) for name, value in values.items()}
    async with admin(settings) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])


@pytest.mark.fault(14)
@pytest.mark.asyncio
async def test_a_changelog_record_too_large(scene: Scene) -> None:
    topic = changelog_topic(scene.settings.app.id, "accounts")
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first, seconds=1)
    await scene.until_settled()
    durable = await checkpoints(scene.settings)
    worker = scene.workers[0]
    await set_config(scene.settings, topic, **{**_NEEDED, "max_message_bytes": 200})
    loading = scene.load(rest, seconds=1)
    assert await scene.ended(worker) == 1
    said = worker.log.strip().splitlines()[-1]
    for part in (topic, "max.message.bytes", "stops without committing"):
        assert part in said, worker.log
    await assert_no_commit_ahead(scene)
    assert (await checkpoints(scene.settings)).fences == durable.fences
    await loading
    await set_config(scene.settings, topic, **_NEEDED)
    scene.start()
    await assert_exact(scene)


@pytest.mark.fault(16)
@pytest.mark.asyncio
async def test_an_exception_inside_the_fold(scene: Scene) -> None:
    await scene.begin(run=run("fold-raises", 12))
    (worker,) = scene.workers
    loading = scene.load()
    assert await scene.ended(worker) == 1
    assert "a fault of the fold" in worker.log
    await assert_no_commit_ahead(scene)
    assert not (await checkpoints(scene.settings)).complete
    scene.start()
    await loading
    await assert_exact(scene)


@pytest.mark.fault(22)
@pytest.mark.asyncio
async def test_compaction_with_an_old_owners_record_on_top(scene: Scene) -> None:
    settings = scene.settings
    tables = [changelog_topic(settings.app.id, table) for table in ("cells", "accounts")]
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first)
    await scene.until_settled()
    await scene.stop(scene.workers[0])
    old = await _write_old_records(settings, tables)
    scene.figures["old_records"] = len(old)
    scene.start()
    await scene.until_checkpoints(2)
    await scene.load(rest)
    await scene.until_settled()
    for topic in tables:
        await set_config(
            settings,
            topic,
            **{**_NEEDED, "min_compaction_lag_ms": 0, "segment_ms": 100, "min_cleanable_dirty_ratio": 0.0001},
        )
    kept = await _until_compacted(settings, old)
    assert all(fence_of(record) >= fence_of(old[where]) for where, record in kept.items())
    for topic in tables:
        await set_config(settings, topic, **_NEEDED)
    scene.kill(scene.workers[0])
    scene.start()
    await assert_exact(scene)


Where = tuple[str, int, bytes]


async def _records(settings: Settings, topics: list[str]) -> list[tuple[Where, bytes]]:
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(settings.kafka.partitions)]
    return [
        ((record.topic, record.partition, record.key), record.value)
        async for records in read_to_end(settings, partitions)
        for record in records
        if record.value is not None
    ]


async def _write_old_records(settings: Settings, topics: list[str]) -> dict[Where, bytes]:
    """Write again what was outranked: of each such key its first record; returns what the right ones are."""
    first: dict[Where, bytes] = {}
    highest: dict[Where, bytes] = {}
    for where, value in await _records(settings, topics):
        first.setdefault(where, value)
        if where not in highest or fence_of(value) >= fence_of(highest[where]):
            highest[where] = value
    old = {where: value for where, value in first.items() if fence_of(value) < fence_of(highest[where])}
    assert old
    client = await producer(settings, client_id="an-old-owner")
    for (topic, partition, key), value in old.items():
        await client.send(topic, value, key, partition=partition)
    await client.stop()
    return {where: highest[where] for where in old}


async def _until_compacted(settings: Settings, old: dict[Where, bytes]) -> dict[Where, bytes]:
    """Wait until of every key in question one record is left; returns those.

    The newest segment is never compacted: what is written meanwhile makes the broker begin another.
    """
    kept: dict[Where, list[bytes]] = {}
    topics = sorted({where[0] for where in old})

    async def compacted() -> bool:
        client = await producer(settings, client_id="test")
        for topic in topics:
            for partition in range(settings.kafka.partitions):
                await client.send(topic, None, b"no key of ours", partition=partition)
        await client.stop()
        kept.clear()
        for where, value in await _records(settings, topics):
            if where in old:
                kept.setdefault(where, []).append(value)
        return all(len(values) == 1 for values in kept.values())

    await until(compacted, deadline_s=60, every_s=1.0)
    gone = [where for where in old if where not in kept and where[0] == topics[0]]
    assert not gone, "an account is gone; cells do go, with their retention"
    return {where: values[0] for where, values in kept.items()}


@pytest.mark.fault(24)
@pytest.mark.asyncio
async def test_a_source_topic_recreated(scene: Scene) -> None:
    topic = scene.settings.topics.calls
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first, seconds=1)
    await scene.until_settled()
    await scene.stop(scene.workers[0])
    await _recreate(scene.settings, topic)
    refused = scene.start()
    assert await scene.ended(refused) == 1
    said = refused.log.strip().splitlines()[-1]
    assert f"salespulse topics accept {topic}" in said, refused.log
    await scene.product.run("topics", "accept", topic)
    scene.start()
    # What had been sent to it is sent again, too: it is the topic's content that is new, not the events.
    await scene.load([message for message in first if message.topic == "calls"], seconds=0.5)
    await scene.load(rest, seconds=1)
    await assert_exact(scene)


async def _recreate(settings: Settings, topic: str) -> None:
    async with admin(settings) as client:
        await client.delete_topics([topic])

        async def gone() -> bool:
            return topic not in {found["topic"] for found in await client.describe_topics(None)}

        await until(gone)
    await create_topics(settings)


@pytest.mark.fault(25)
@pytest.mark.asyncio
async def test_source_offsets_reset_to_zero(scene: Scene) -> None:
    settings = scene.settings
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first, seconds=1)
    await scene.until_settled()
    await scene.stop(scene.workers[0])
    sources = [TopicPartition(t, n) for t in settings.topics.sources().values() for n in range(2)]
    await set_by_hand(settings, sources, 0)
    assert (
        sum(kept.offset for kept in (await committed_offsets(settings, intake_group(settings), sources)).values()) == 0
    )
    assert sum((await begin_offsets(settings, sources)).values()) == 0
    scene.start()
    await scene.load(rest, seconds=1)
    await assert_exact(scene)


@pytest.mark.fault(28)
@pytest.mark.asyncio
@pytest.mark.parametrize("version", [STATE_VERSION - 1, STATE_VERSION + 1])
async def test_a_state_of_another_version_is_refused_with_the_way_out(scene: Scene, version: int) -> None:
    settings = scene.settings
    await create_topics(settings)
    client = await producer(settings, client_id="another-version")
    marker = pack(4, Marker(version, 4, None, []))
    await client.send_and_wait(changelog_topic(settings.app.id, "markers"), marker, b"marker", partition=0)
    await client.stop()
    worker = scene.start()
    assert await scene.ended(worker) == 1
    said = worker.log.strip().splitlines()[-1]
    assert f"stored state has version {version}, this program knows {STATE_VERSION}" in said, worker.log
    assert "run the version that wrote it, or" in said
    assert "Traceback" not in worker.log
    log = [TopicPartition(settings.topics.log, number) for number in range(settings.kafka.partitions)]
    assert await committed_offsets(settings, state_group(settings.app.id), log) == {}


def test_the_present_version_has_a_stored_state() -> None:
    assert (STATES / f"v{STATE_VERSION}.msgpack.zlib").exists(), "run python -m tests.faults.stored"


@pytest.mark.fault(28)
@pytest.mark.asyncio
@pytest.mark.parametrize("path", sorted(STATES.glob("*")), ids=lambda path: path.name.partition(".")[0])
async def test_what_a_version_stored_is_gone_on_with_or_refused(
    kafka: Broker, valkey: RedisServer, tmp_path: Path, truths: Truths, figures: Figures, path: Path
) -> None:
    stored = load(path)
    with installed(tmp_path, kafka.bootstrap_servers, valkey.url, stored.prefix, stored.tables) as product:
        scene = Scene(product, HISTORY, truths, figures)
        await restore(product.settings, stored)
        worker = scene.start()
        if stored.version != STATE_VERSION:
            assert await scene.ended(worker) == 1
            said = worker.log.strip().splitlines()[-1]
            assert f"stored state has version {stored.version}" in said
            assert "run the version that wrote it, or" in said
            return
        await worker.until_ready(deadline_s=60)
        figures["stored"] = sum(len(records) for parts in stored.topics.values() for records in parts)
        await scene.load(scene.messages()[0][stored.sent :], seconds=1)
        await assert_exact(scene)
