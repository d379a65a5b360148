"""What producers may do to the source topics: poison, copies, disorder, transactions, more partitions, bursts."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec
import orjson
import pytest

from agents.kafka import AIOKafkaProducer, ConsumerRecord, NewPartitions, TopicPartition, admin, producer
from agents.reading import read_to_end
from schemas.settings import Settings
from streams.simulator import SimulatedEvent
from tests.e2e.bad_messages import Bad, seventeen, won, written
from tests.faults.histories import WithHotKey
from tests.faults.oracle import assert_exact
from tests.faults.scene import Scene

Place = tuple[str, int, int]


@pytest.mark.fault(15)
@pytest.mark.asyncio
async def test_poison(scene: Scene) -> None:
    bad = [_of_no_rate(each) for each in seventeen()]
    sources = scene.settings.topics.sources()
    await scene.begin()
    places: dict[Place, int] = {}
    client = await producer(scene.settings, client_id="test")
    try:
        for number, (each, part) in enumerate(zip(bad, scene.messages(len(bad)), strict=True)):
            await scene.load(part, seconds=0.1)
            sent = await client.send_and_wait(sources[each.topic], each.value, each.name.encode(), partition=number % 2)
            places[sent.topic, sent.partition, sent.offset] = number
    finally:
        await client.stop()
    await assert_exact(scene)
    letters = await _dead_letters(scene.settings)
    found = {_place(letter): letter for letter in letters}
    assert len(letters) == len(found) == len(bad)
    for place, number in places.items():
        letter = found[place]
        assert letter.value == bad[number].value, bad[number].name
        assert dict(letter.headers)["reason"].decode() == bad[number].reason, bad[number].name
    scene.figures["dead_letters"] = len(letters)


def _of_no_rate(bad: Bad) -> Bad:
    """For EUR there is a rate in the settings of this history."""
    known = bad.name != "unknown_currency"
    return bad if known else bad._replace(value=written(won(bad.name, currency="CHF")))


async def _dead_letters(settings: Settings) -> list[ConsumerRecord]:
    partition = TopicPartition(settings.topics.deadletter, 0)
    return [record async for records in read_to_end(settings, [partition]) for record in records]


def _place(letter: ConsumerRecord) -> Place:
    headers = {name: content.decode() for name, content in letter.headers}
    return headers["topic"], int(headers["partition"]), int(headers["offset"])


@pytest.mark.fault(17)
@pytest.mark.asyncio
async def test_every_event_two_or_three_times_in_any_order(scene: Scene, chance: random.Random) -> None:
    await scene.begin()
    copies = [message for message in scene.messages()[0] for _ in range(chance.choice((2, 3)))]
    chance.shuffle(copies)
    scene.figures["sent"] = await scene.load(copies)
    await assert_exact(scene)


@pytest.mark.fault(18)
@pytest.mark.asyncio
async def test_events_in_any_order_and_from_the_future(scene: Scene, chance: random.Random) -> None:
    await scene.begin()
    shuffled = scene.messages()[0]
    chance.shuffle(shuffled)
    now_ms = time.time_ns() // 1_000_000
    for number in range(5):
        event = won(f"future-{number}", 10_000_000, occurred_at=now_ms + (number + 1) * 86_400_000)
        shuffled.insert(chance.randrange(len(shuffled)), SimulatedEvent("deals", f"a-future-{number}", event, now_ms))
    await scene.load(shuffled)
    await assert_exact(scene)
    letters = await _dead_letters(scene.settings)
    assert [dict(letter.headers)["reason"] for letter in letters] == [b"future"] * 5


@pytest.mark.fault(23)
@pytest.mark.asyncio
async def test_transactions_some_of_them_aborted(scene: Scene, chance: random.Random) -> None:
    await scene.begin()
    topics = scene.settings.topics.sources()
    servers = scene.settings.kafka.bootstrap_servers
    client = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"{scene.settings.app.id}-tx")
    await client.start()
    aborted = 0
    try:
        for part in scene.messages(20):
            async with client.transaction():
                for message in part:
                    await client.send(topics[message.topic], orjson.dumps(message.event), message.key.encode())
            await client.begin_transaction()
            for _ in range(chance.randrange(1, 8)):
                aborted += 1
                await client.send(topics["deals"], written(won(f"aborted-{aborted}", 10_000_000)), b"a-aborted")
            await client.flush()
            await client.abort_transaction()
    finally:
        await client.stop()
    scene.figures["aborted"] = aborted
    await assert_exact(scene)


@pytest.mark.fault(26)
@pytest.mark.asyncio
async def test_a_burst_on_one_key(scene: Scene) -> None:
    quiet = scene.history
    scene.history = WithHotKey(**{name: getattr(quiet, name) for name in quiet.__dataclass_fields__})
    scene.truths.begin(scene.history)
    messages = scene.messages()[0]
    burst = messages[-scene.history.burst :]
    await scene.begin()
    await scene.load(messages[: -len(burst)], seconds=5)
    await scene.until_settled()
    before = scene.resident_mib()
    await scene.load(burst, seconds=0.5)
    highest = before

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, scene.resident_mib())
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    await assert_exact(scene)
    watching.cancel()
    scene.figures |= {"burst": len(burst), "grown_mib": highest - before}
    assert highest - before < 200


@pytest.mark.fault(27)
@pytest.mark.asyncio
async def test_partitions_added_to_the_source_topics(scene: Scene) -> None:
    await scene.begin()
    first, rest = scene.messages(2)
    loading = scene.load(first)
    await scene.until_checkpoints(2)
    async with admin(scene.settings) as client:
        await client.create_partitions(
            {topic: NewPartitions(total_count=3) for topic in scene.settings.topics.sources().values()}
        )
    scene.settings = replace_source_partitions(scene.settings, 3)
    await loading
    await scene.load(rest)
    await assert_exact(scene)


def replace_source_partitions(settings: Settings, count: int) -> Settings:
    """For those who look at the source topics: the product itself asks the broker."""

    return msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, source_partitions=count))
