"""Our door to Kafka against real brokers: reading to the end, clear errors, topics made and checked."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from agents.brokers import Broker
from agents.kafka import AIOKafkaProducer, NewTopic, TopicPartition, admin, consumer, producer
from agents.reading import committed_offsets, end_offsets, read_to_end
from agents.topic_configs import found_configs
from agents.topics import accept, check_topics, create_topics, put_right
from schemas.errors import SettingsError, UnavailableError, UsageError
from schemas.settings import Settings, settings_from
from schemas.topics import all_topics
from tests.integration.test_intake import settings_for
from tests.polling import until

pytestmark = pytest.mark.asyncio


def plain(broker: Broker) -> Settings:
    return settings_from({"kafka": {"bootstrap_servers": broker.bootstrap_servers, "idempotence": broker.idempotent}})


async def values(
    settings: Settings, partitions: list[TopicPartition], **where: dict[TopicPartition, int]
) -> list[bytes]:
    return [record.value async for batch in read_to_end(settings, partitions, **where) for record in batch]


async def make(settings: Settings, topic: str, partitions: int) -> list[TopicPartition]:
    async with admin(settings) as client:
        await client.create_topics([NewTopic(topic, partitions, 1)])
    return [TopicPartition(topic, number) for number in range(partitions)]


async def test_reading_to_the_end_ends_behind_markers_and_gaps(kafka: Broker, topic_prefix: str) -> None:
    settings = plain(kafka)
    partitions = await make(settings, f"{topic_prefix}t", 3)
    client = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"{topic_prefix}tx")
    await client.start()
    try:
        async with client.transaction():
            await client.send_and_wait(partitions[0].topic, b"kept", partition=0)
        await client.begin_transaction()
        await client.send_and_wait(partitions[0].topic, b"dropped", partition=0)
        await client.abort_transaction()
    finally:
        await client.stop()

    async def has_markers() -> bool:  # which the broker writes after it has said that the transaction has ended
        return await end_offsets(settings, partitions) == {partitions[0]: 4, partitions[1]: 0, partitions[2]: 0}

    await until(has_markers)
    async with asyncio.timeout(20):
        assert await values(settings, partitions) == [b"kept"]
        assert await values(settings, []) == []


async def test_reading_from_and_up_to_given_offsets(kafka: Broker, topic_prefix: str) -> None:
    settings = plain(kafka)
    (partition,) = await make(settings, f"{topic_prefix}t", 1)
    client = await producer(settings, client_id="test")
    try:
        for number in range(10):
            await client.send_and_wait(partition.topic, b"%d" % number, partition=0)
    finally:
        await client.stop()
    assert await values(settings, [partition], starts={partition: 7}) == [b"7", b"8", b"9"]
    assert (await values(settings, [partition], ends={partition: 2}))[:2] == [b"0", b"1"]
    assert await values(settings, [partition], starts={partition: 10}) == []


async def test_reading_to_the_end_on_tansu_includes_the_last_batch(tansu: Broker, topic_prefix: str) -> None:
    settings = plain(tansu)
    (partition,) = await make(settings, f"{topic_prefix}t", 1)
    client = await producer(settings, client_id="test")
    try:
        sends = [await client.send(partition.topic, b"%d" % number, partition=0) for number in range(500)]
        await asyncio.gather(*sends)
    finally:
        await client.stop()
    assert await values(settings, [partition]) == [b"%d" % number for number in range(500)]


async def test_offsets_of_a_group_that_never_was_are_none(kafka: Broker, topic_prefix: str) -> None:
    settings = plain(kafka)
    partitions = await make(settings, f"{topic_prefix}t", 2)
    assert await committed_offsets(settings, f"{topic_prefix}g", partitions) == {}


@pytest.mark.parametrize("connect", [producer, consumer])
async def test_a_broker_that_is_not_there_is_named_at_once(connect: object) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    settings = settings_from({"kafka": {"bootstrap_servers": address}})
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=rf"Kafka at {address} does not answer .*kafka\.bootstrap_servers"):
        await (producer if connect is producer else consumer)(settings, client_id="test")
    assert time.monotonic() - began < 5


async def test_a_broker_that_accepts_and_says_nothing_is_given_up_after_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_from({"kafka": {"bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}"}})
        with pytest.raises(UnavailableError, match="no answer in 5 s"):
            await producer(settings, client_id="test")


async def test_certificates_that_are_not_there_are_a_wrong_setting() -> None:
    for key in ("ssl_cafile", "ssl_certfile"):
        security = {"protocol": "SSL", key: "no-such-file.pem"}
        found = rf"kafka\.security\.{key} \(or SALESPULSE_KAFKA__SECURITY__{key.upper()}\): found 'no-such-file\.pem'"
        with pytest.raises(SettingsError, match=found):
            await producer(settings_from({"kafka": {"security": security}}), client_id="test")


async def test_topics_are_made_once_and_checked(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    problems = await check_topics(settings)
    assert len(problems) == len(all_topics(settings.topics, settings.app.id, 1, 1))
    assert f"topic {topic_prefix}log does not exist" in problems
    async with admin(settings) as client:
        await client.create_topics(
            [
                NewTopic(settings.topics.deals, 5, 1),  # of the user's own making: any count will do
                NewTopic(settings.topics.latest, 3, 1, topic_configs={"cleanup.policy": "delete"}),
            ]
        )
    made = await create_topics(settings)
    assert len(made) == len(problems) - 2
    assert await create_topics(settings) == []
    assert await check_topics(settings) == [
        f"topic {settings.topics.latest}: cleanup.policy is delete, needed is compact",
        f"topic {settings.topics.latest}: max.message.bytes is 1048588, needed is 10485760 or more",
    ]


async def test_settings_of_topics_are_put_right_and_what_else_was_set_stays(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    latest = settings.topics.latest
    async with admin(settings) as client:
        own = {"cleanup.policy": "delete", "segment.ms": "3600000"}
        await client.create_topics([NewTopic(latest, 3, 1, topic_configs=own)])
    await create_topics(settings)
    assert await put_right(settings) == [
        f"topic {latest}: cleanup.policy was delete, is compact",
        f"topic {latest}: max.message.bytes was 1048588, is 10485760",
    ]
    assert await check_topics(settings) == []
    async with admin(settings) as client:
        (spec,) = [each for each in all_topics(settings.topics, settings.app.id, 3, 3) if each.name == latest]
        found = (await found_configs(client, [spec]))[latest]
    assert found["segment.ms"] == ("3600000", True)
    assert await put_right(settings) == []


async def test_topics_that_are_read_together_must_have_one_partition_count(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    await create_topics(settings)
    other = settings_for(kafka, topic_prefix, kafka={"partitions": 4})
    (problem,) = await check_topics(other)
    assert f"{topic_prefix}log, {topic_prefix}cells" in problem  # read together
    for topic in (settings.topics.updates, settings.topics.latest):  # a partition for each owner
        assert topic in problem
    assert "found 3, kafka.partitions is 4" in problem
    with pytest.raises(UsageError, match=r"found 3, kafka\.partitions is 4"):
        await create_topics(other)


async def test_only_source_topics_that_exist_can_be_accepted(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    with pytest.raises(UsageError, match="is no source topic; those are"):
        await accept(settings, settings.topics.log)
    with pytest.raises(UsageError, match="does not exist; `salespulse topics create`"):
        await accept(settings, settings.topics.deals)
    await create_topics(settings)
    assert await accept(settings, settings.topics.deals) == 1
    assert await accept(settings, settings.topics.deals) == 2
