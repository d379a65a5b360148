"""Intake against a real Apache Kafka: what goes into the log, what is a dead letter, when offsets are committed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.brokers import Broker
from agents.intake.loop import Intake
from agents.kafka import (
    AIOKafkaProducer,
    ConsumerRecord,
    NewPartitions,
    TopicPartition,
    admin,
    producer,
)
from agents.reading import committed_offsets, end_offsets, read_to_end
from agents.topics import accept, check_topics, create_topics, intake_group
from schemas.errors import IntakeStopped
from schemas.frames import decode_frame
from schemas.rows import EVENT_TYPES, Row
from schemas.settings import Settings, settings_from
from schemas.topics import Topics, changelog_topic
from schemas.wire import STATE_VERSION, Covered, Marker, pack
from streams.intake.deadletters import DeadLetter, from_message
from streams.intake.router import Commit
from tests.log_rule import Place, take
from tests.offsets import set_by_hand
from tests.polling import until

pytestmark = pytest.mark.asyncio

_NAMES = Topics.__struct_fields__
NOW_MS = 1_715_938_200_000


def settings_for(broker: Broker, prefix: str, **sections: Mapping[str, Any]) -> Settings:
    return settings_from(document_for(broker, prefix, **sections))


def document_for(broker: Broker, prefix: str, **sections: Mapping[str, Any]) -> dict[str, Any]:
    kafka = {
        "bootstrap_servers": broker.bootstrap_servers,
        "idempotence": broker.idempotent,
        "partitions": 3,
        "source_partitions": 2,
        "session_timeout": "6s",
    }
    document: dict[str, Any] = {
        "app": {"id": f"{prefix}app"},
        "topics": {name: f"{prefix}{name}" for name in _NAMES},
        "intake": {"commit_interval": "200ms"},
        "kafka": kafka,
    }
    for name, section in sections.items():
        document[name] = document.get(name, {}) | section
    return document


@asynccontextmanager
async def sending(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    client = await producer(settings, client_id="test")
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Intake]:
    """An intake that runs within the block; its failure, if any, is the block's."""
    intake = Intake(settings)
    task: asyncio.Task[None] | None = None
    try:
        await intake.start()
        task = asyncio.create_task(intake.run())
        yield intake
    finally:
        await intake.stop()
        if task is not None:
            await task


def won(event_id: str, account: str, **fields: Any) -> bytes:
    event = {
        "event_id": event_id,
        "event_type": "deal.won",
        "occurred_at": NOW_MS,
        "account_id": account,
        "deal_id": f"d-{event_id}",
        "amount": 1_000,
    }
    return json.dumps(event | fields).encode()


async def records(settings: Settings, topic: str) -> list[ConsumerRecord]:
    async with admin(settings) as client:
        described = {one["topic"]: len(one["partitions"]) for one in await client.describe_topics(None)}
    partitions = [TopicPartition(topic, number) for number in range(described[topic])]
    return [record async for batch in read_to_end(settings, partitions) for record in batch]


async def folded(settings: Settings) -> tuple[list[tuple[Place, Row]], list[dict[Place, int]]]:
    """All rows that the log's readers take, and what each log partition covers."""
    log = await records(settings, settings.topics.log)
    rows: list[tuple[Place, Row]] = []
    covered: list[dict[Place, int]] = []
    for number in range(settings.kafka.partitions):
        taken, reached = take(record.value for record in log if record.partition == number)
        rows += taken
        covered.append(reached)
    return rows, covered


async def committed(settings: Settings, topics: Iterable[str]) -> dict[TopicPartition, Commit]:
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(2)]
    found = await committed_offsets(settings, intake_group(settings), partitions)
    return {tp: Commit.parse(kept.offset, kept.metadata, 0) for tp, kept in found.items()}


async def until_committed(settings: Settings, topic: str) -> None:
    """Wait until all of a topic is committed."""
    partitions = [TopicPartition(topic, number) for number in range(2)]

    async def all_is_committed() -> bool:
        ends = await end_offsets(settings, partitions)
        found = await committed(settings, [topic])
        return all(partition in found and found[partition].offset == ends[partition] for partition in partitions)

    await until(all_is_committed, deadline_s=20)


async def dead_letters(settings: Settings) -> list[DeadLetter]:
    found = [from_message(r.key, r.value, r.headers) for r in await records(settings, settings.topics.deadletter)]
    return [letter for letter in found if letter is not None]


async def checkpoint(settings: Settings) -> None:
    """Write the markers that the log's readers would write now."""
    _, covered = await folded(settings)
    topic = changelog_topic(settings.app.id, "markers")
    async with sending(settings) as client:
        for number, reached in enumerate(covered):
            places = [Covered(name, partition, epoch, end) for (name, partition, epoch), end in reached.items()]
            marker = pack(1, Marker(STATE_VERSION, 1, NOW_MS, places))
            await client.send_and_wait(topic, marker, key=b"marker", partition=number)


async def recreate(settings: Settings, topic: str) -> None:
    async with admin(settings) as managing:
        await managing.delete_topics([topic])

        async def it_is_gone() -> bool:
            return topic not in await managing.list_topics()

        await until(it_is_gone)
    await create_topics(settings)


def _good(**changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(won("bad", "a-bad"))
    return {name: value for name, value in (event | changes).items() if value is not ...}


def _json(**changes: Any) -> bytes:
    return json.dumps(_good(**changes)).encode()


def bad_inputs() -> dict[str, tuple[bytes | None, str, str]]:
    """Seventeen sorts: message, reason and field."""
    far = time.time_ns() // 1_000_000 + 86_400_000
    return {
        "broken": (b'{"event_id": "x", "event_type": "deal.won", ', "broken_json", ""),
        "empty": (b"", "empty", ""),
        "tombstone": (None, "tombstone", ""),
        "not an object": (b'["deal.won"]', "not_an_object", ""),
        "wrong type": (_json(amount="1000"), "wrong_type", "amount"),
        "missing field": (_json(deal_id=...), "missing_field", "deal_id"),
        "NaN": (_json(amount=float("nan")), "not_a_number", "amount"),
        "negative": (_json(items=[{"amount": 5}, {"amount": -5}]), "negative", "items[1].amount"),
        "huge number": (_json(amount=10**30), "out_of_range", "amount"),
        "huge message": (_json(note="x" * 600_000), "too_large", ""),
        "unknown type": (_json(event_type="deal.wun"), "unknown_type", "event_type"),
        "unknown currency": (_json(currency="XXX"), "unknown_currency", "currency"),
        "bad date": (_json(occurred_at="17.05.2024"), "bad_date", "occurred_at"),
        "far future": (_json(occurred_at=far), "future", "occurred_at"),
        "empty id": (_json(account_id=""), "empty_id", "account_id"),
        "invalid UTF-8": (_json(rep_id="@").replace(b"@", b"\xc3\x28"), "invalid_utf8", ""),
        "wrong enum": (_json(event_type="call.completed", outcome="maybe"), "wrong_value", "outcome"),
    }


async def test_seventeen_sorts_of_bad_input_become_one_dead_letter_each(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    assert await check_topics(settings) == []
    inputs = bad_inputs()
    assert len(inputs) == 17
    sent: dict[tuple[int, int], tuple[bytes | None, str, str]] = {}
    async with running(settings) as intake, sending(settings) as client:
        for number, bad in enumerate(inputs.values()):
            await client.send_and_wait(deals, won(f"good-{number}", f"a-{number}"), key=b"k", partition=number % 2)
            place = await client.send_and_wait(deals, bad[0], key=f"key {number}".encode(), partition=number % 2)
            sent[place.partition, place.offset] = bad
        await client.send_and_wait(deals, won("good-17", "a-17"), key=b"k", partition=0)
        await until_committed(settings, deals)
        assert sum(intake.counters.dead_letters.values()) == 17
        assert intake.counters.events == {(deals, "deal.won"): 18}
        assert intake.counters.lag[deals, 0] == 0

    letters = {(letter.partition, letter.offset): letter for letter in await dead_letters(settings)}
    assert len(await records(settings, settings.topics.deadletter)) == len(letters) == 17
    for place_of, (value, reason, field) in sent.items():
        letter = letters[place_of]
        assert (letter.topic, letter.reason, letter.field, letter.value) == (deals, reason, field, value)
        assert letter.key is not None
        assert letter.key.startswith(b"key ")
        assert letter.found
        assert letter.allowed
    rows, covered = await folded(settings)
    assert sorted(row.event_id for _, row in rows) == sorted(f"good-{number}" for number in range(18))
    assert all(row.amount == 1_000 and EVENT_TYPES[row.kind] == "deal.won" for _, row in rows)
    ends = await end_offsets(settings, [TopicPartition(deals, 0), TopicPartition(deals, 1)])
    for reached in covered:
        assert {(deals, tp.partition, 1): end for tp, end in ends.items()}.items() <= reached.items()


async def test_after_a_kill_between_commits_every_event_is_taken_once(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix, kafka={"session_timeout": "1500ms"})
    never = {"commit_interval": "1h", "frame_events": 100}
    doomed = document_for(kafka, topic_prefix, intake=never, kafka={"session_timeout": "1500ms"})
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:
        for round_ in range(3):
            for number in range(2_000):
                event = won(f"e-{round_}-{number}", f"a-{number % 40}")
                await client.send(deals, event, partition=number % 2)
            await client.flush()
            await kill_in_the_middle(settings, doomed, at_least=500)
    async with running(settings):
        await until_committed(settings, deals)
    log = await records(settings, settings.topics.log)
    rows, covered = await folded(settings)
    sent = sum(len(decode_frame(record.value).rows) for record in log)
    assert sent >= 6_500, "events were sent again after a death"
    ids = sorted(row.event_id for _, row in rows)
    assert ids == sorted(f"e-{round_}-{number}" for round_ in range(3) for number in range(2_000))
    assert all(reached[deals, 0, 1] == reached[deals, 1, 1] == 3_000 for reached in covered)
    assert {commit.base for commit in (await committed(settings, [deals])).values()} == {False}


async def kill_in_the_middle(settings: Settings, document: Mapping[str, Any], at_least: int) -> None:
    """Run an intake in a process of its own, and kill it once so many of its events are in the log."""
    command = [sys.executable, "-m", "tests.integration.intake_process", json.dumps(document)]
    before = await rows_in_log(settings)
    process = await asyncio.create_subprocess_exec(*command)

    async def enough_is_in_the_log() -> bool:
        assert process.returncode is None, "the process ended by itself"
        return await rows_in_log(settings) >= before + at_least

    try:
        await until(enough_is_in_the_log, deadline_s=30)
    finally:
        process.kill()
        await process.wait()


async def rows_in_log(settings: Settings) -> int:
    return sum(len(decode_frame(record.value).rows) for record in await records(settings, settings.topics.log))


async def test_two_intakes_share_the_partitions_and_hand_them_over(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:

        async def send(name: str) -> None:
            sends = [await client.send(deals, won(f"{name}-{n}", f"a-{n % 40}"), partition=n % 2) for n in range(500)]
            await asyncio.gather(*sends)

        async with running(settings) as first:
            await send("one")
            async with running(settings) as second:

                async def both_have_partitions() -> bool:
                    return bool(first.counters.lag) and bool(second.counters.lag)

                await until(both_have_partitions, deadline_s=20)
                await send("two")
                await until_committed(settings, deals)
                assert not first.counters.lag.keys() & second.counters.lag.keys()
            await send("three")
            await until_committed(settings, deals)
    rows, _ = await folded(settings)
    ids = sorted(row.event_id for _, row in rows)
    assert ids == sorted(f"{name}-{n}" for name in ("one", "two", "three") for n in range(500))


async def test_transaction_markers_and_aborted_transactions_hold_nothing_up(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    client = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"{topic_prefix}tx")
    await client.start()
    try:
        async with running(settings):
            async with client.transaction():
                await client.send_and_wait(deals, won("kept", "a-1"), partition=0)
            await client.begin_transaction()
            await client.send_and_wait(deals, won("aborted", "a-1"), partition=0)
            await client.abort_transaction()
            await until_committed(settings, deals)
    finally:
        await client.stop()
    rows, covered = await folded(settings)
    assert [row.event_id for _, row in rows] == ["kept"]
    assert [reached[deals, 0, 1] for reached in covered] == [4, 4, 4]


async def test_a_topic_made_anew_stops_intake_until_it_is_accepted(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:
        for number in range(4):
            await client.send_and_wait(deals, won(f"old-{number}", "a-1"), partition=number % 2)
        async with running(settings):
            await until_committed(settings, deals)
        await checkpoint(settings)
    await recreate(settings, deals)
    async with sending(settings) as client:
        await client.send_and_wait(deals, won("new-0", "a-1"), partition=0)
    with pytest.raises(IntakeStopped, match=f"salespulse topics accept {deals}"):
        async with running(settings) as intake:
            await asyncio.wait_for(intake.ended.wait(), 20)
    assert await accept(settings, deals) == 2
    async with running(settings):
        await until_committed(settings, deals)
    rows, _ = await folded(settings)
    assert sorted((place[2], row.event_id) for place, row in rows) == [
        *((1, f"old-{number}") for number in range(4)),
        (2, "new-0"),
    ]
    assert {commit.epoch for commit in (await committed(settings, [deals])).values()} == {2}


async def test_nothing_but_bad_input_stops_intake_and_commits_none_of_it(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix, intake={"dead_letter_minimum": 20, "dead_letter_window": 50})
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:
        for number in range(60):
            await client.send(deals, b"not JSON" if number >= 10 else won(f"e-{number}", "a-1"), partition=0)
        await client.flush()
    with pytest.raises(IntakeStopped, match=r"cannot be counted, the last of them .* broken_json"):
        async with running(settings) as intake:
            await asyncio.wait_for(intake.ended.wait(), 20)
    assert (await committed(settings, [deals]))[TopicPartition(deals, 0)] == Commit(0, 1, base=True)


async def test_partitions_added_later_are_read(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    async with running(settings) as intake, admin(settings) as managing:
        await managing.create_partitions({deals: NewPartitions(3)})

        async def it_is_assigned() -> bool:
            return (deals, 2) in intake.counters.lag

        await until(it_is_assigned, deadline_s=30)
        async with sending(settings) as client:
            await client.send_and_wait(deals, won("e-1", "a-1"), partition=2)

        async def it_is_taken_in() -> bool:
            return intake.counters.events.total() == 1

        await until(it_is_taken_in)
    rows, _ = await folded(settings)
    assert [(place, row.event_id) for place, row in rows] == [((deals, 2, 1), "e-1")]


async def test_a_backlog_of_several_topics_is_merged_by_event_time(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    await create_topics(settings)
    topics = settings.topics
    kinds = {topics.leads: "lead.created", topics.calls: "call.completed", topics.deals: "deal.won"}
    async with sending(settings) as client:
        for place, (topic, kind) in enumerate(kinds.items()):
            for number in range(3_000):
                event = won(f"{kind}-{number}", "a-1", event_type=kind, occurred_at=NOW_MS + number * 10 + place)
                await client.send(topic, event, partition=number % 2)
        await client.flush()
    async with running(settings):
        for topic in kinds:
            await until_committed(settings, topic)
    rows, _ = await folded(settings)
    times = [row.at_ms for _, row in rows]
    assert len(times) == 9_000
    assert times == sorted(times)


async def test_it_works_on_tansu_too(tansu: Broker, topic_prefix: str) -> None:
    settings = settings_for(tansu, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    assert await check_topics(settings) == []
    async with running(settings) as intake, sending(settings) as client:
        for number in range(200):
            await client.send(deals, won(f"e-{number}", f"a-{number}"), partition=number % 2)
        await client.send_and_wait(deals, b"not JSON", partition=0)

        async def all_is_committed() -> bool:
            found = await committed(settings, [deals])
            return {tp.partition: commit.offset for tp, commit in found.items()} == {0: 101, 1: 100}

        await until(all_is_committed, deadline_s=20)
        assert intake.counters.events.total() == 200
    rows, _ = await folded(settings)
    assert sorted(row.event_id for _, row in rows) == sorted(f"e-{number}" for number in range(200))
    assert [letter.reason for letter in await dead_letters(settings)] == ["broken_json"]


async def test_offsets_that_the_broker_forgot_are_found_again_in_the_state(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:
        for number in range(4):
            await client.send_and_wait(deals, won(f"old-{number}", "a-1"), partition=number % 2)
        async with running(settings):
            await until_committed(settings, deals)
        # Another group over the same topics has no commits; all that is left is what the state says.
        other = settings_for(kafka, topic_prefix, app={"id": f"{topic_prefix}other"})
        await create_topics(other)
        await checkpoint(other)
        await client.send_and_wait(deals, won("new", "a-1"), partition=0)
    assert await committed(other, [deals]) == {}
    async with running(other) as intake:
        await until_committed(other, deals)
        assert intake.counters.events.total() == 1
    rows, _ = await folded(settings)
    assert sorted(row.event_id for _, row in rows) == ["new", "old-0", "old-1", "old-2", "old-3"]


async def test_offsets_set_by_hand_may_go_back_but_pass_nothing_over(kafka: Broker, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    deals = settings.topics.deals
    await create_topics(settings)
    async with sending(settings) as client:
        for number in range(8):
            await client.send_and_wait(deals, won(f"e-{number}", "a-1"), partition=number % 2)
        async with running(settings):
            await until_committed(settings, deals)
        await checkpoint(settings)
        for number in range(8, 16):
            await client.send_and_wait(deals, won(f"e-{number}", "a-1"), partition=number % 2)
    sources = [TopicPartition(deals, number) for number in range(2)]
    await set_by_hand(settings, sources, 6)
    with pytest.raises(IntakeStopped, match=r"set to offset 6, and only what is below 4 is folded"):
        async with running(settings) as intake:
            await asyncio.wait_for(intake.ended.wait(), 20)
    await set_by_hand(settings, sources, 0)
    async with running(settings):
        await until_committed(settings, deals)
    rows, _ = await folded(settings)
    assert len(rows) == 16, "each once"
