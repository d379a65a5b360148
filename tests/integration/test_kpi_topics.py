"""Who speaks for an owner of series on the KPI topics: the last one to whom it was assigned, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from agents import kpi_topics
from agents.brokers import Broker
from agents.kafka import AIOKafkaProducer, TopicPartition, producer
from agents.kpi_topics import KpiTopics
from agents.reading import read_to_end
from agents.topics import create_topics
from schemas.settings import Settings
from streams.publication import Publication
from tests.integration.test_intake import settings_for
from tests.publications import kpi_value, publication

pytestmark = pytest.mark.asyncio

OWNER = 1
SERIES = (("calls", "5m"), ("deals_won", "5m"), ("deals_won", "today"))
KEYS = [f"{name}|{window}|" for name, window in SERIES]


@pytest_asyncio.fixture
async def settings(kafka: Broker, topic_prefix: str) -> Settings:
    settings = settings_for(kafka, topic_prefix)
    await create_topics(settings)
    return settings


@pytest_asyncio.fixture
async def two(settings: Settings) -> AsyncIterator[tuple[KpiTopics, KpiTopics]]:
    pair = KpiTopics(settings), KpiTopics(settings)
    yield pair
    for each in pair:
        await each.stop()


def saying(revision: int) -> Publication:
    """Some series at a version."""
    values = [kpi_value(name, window, value=revision, revision=revision) for name, window in SERIES]
    return publication(values, owner=OWNER)


async def told(settings: Settings, topic: str) -> dict[str, list[int]]:
    """What a reader of the owner's partition sees who takes what comes: revisions by series, in order."""
    found: dict[str, list[int]] = {}
    async for records in read_to_end(settings, [TopicPartition(topic, OWNER)]):
        for record in records:
            found.setdefault(record.key.decode(), []).append(orjson.loads(record.value)["revision"])
    return found


async def test_what_a_former_owner_still_sends_is_refused(settings: Settings, two: tuple[KpiTopics, KpiTopics]) -> None:
    former, present = two
    await former.assign({OWNER}, [OWNER])
    assert await former.publish([saying(1)]) == []
    await present.assign({OWNER}, [OWNER])
    assert await present.publish([saying(3)]) == []
    assert await former.publish([saying(2)]) == [OWNER]
    assert former.silent([OWNER]) == {OWNER}
    assert await former.publish([saying(2)]) == [OWNER]
    assert await present.publish([saying(4)]) == []
    for topic in (settings.topics.updates, settings.topics.latest):
        assert await told(settings, topic) == {key: [1, 3, 4] for key in KEYS}


async def test_an_owner_that_is_assigned_anew_speaks_again(two: tuple[KpiTopics, KpiTopics]) -> None:
    one, other = two
    for speaking, refused in ((one, other), (other, one), (one, other)):
        await speaking.assign({OWNER}, [OWNER])
        assert speaking.silent([OWNER]) == set()
        assert await speaking.publish([saying(1)]) == []
        assert await refused.publish([saying(1)]) == [OWNER]


async def test_who_got_an_owner_back_unnoticed_begins_anew(two: tuple[KpiTopics, KpiTopics]) -> None:
    kept, other = two
    for each in (kept, other):
        await each.assign({OWNER}, [OWNER])
        assert await each.publish([saying(1)]) == []
    await kept.assign({OWNER}, [])  # it never heard that the other one had it
    assert await kept.publish([saying(2)]) == [OWNER], "the next publication has to be complete"
    assert kept.silent([OWNER]) == set()
    assert await kept.publish([saying(2)]) == []
    assert await other.publish([saying(2)]) == [OWNER]


async def test_an_owner_that_is_gone_is_silent(two: tuple[KpiTopics, KpiTopics]) -> None:
    topics, _ = two
    await topics.assign({0, OWNER}, [0, OWNER])
    await topics.assign({0}, [])
    assert topics.silent([0, OWNER]) == {OWNER}
    assert await topics.publish([saying(1)]) == [OWNER]


async def test_an_epoch_is_renewed_before_kafka_forgets_it(
    settings: Settings, two: tuple[KpiTopics, KpiTopics], monkeypatch: pytest.MonkeyPatch
) -> None:
    topics, _ = two
    await topics.assign({OWNER}, [OWNER])
    with monkeypatch.context() as patch:
        patch.setattr(kpi_topics, "_RENEW_S", 0.0)
        assert await topics.publish([saying(1)]) == []
        assert await topics.publish([saying(2)]) == []
    assert await told(settings, settings.topics.updates) == {key: [1, 2] for key in KEYS}


@pytest.mark.parametrize("is_gone", [False, True])
async def test_an_epoch_that_begins_while_the_owner_goes_or_begins_twice_leaves_one_producer_or_none(
    two: tuple[KpiTopics, KpiTopics], monkeypatch: pytest.MonkeyPatch, *, is_gone: bool
) -> None:
    topics, _ = two
    await topics.assign({OWNER}, [OWNER])
    connected: list[AIOKafkaProducer] = []
    may_connect = asyncio.Event()

    async def slowly(settings: Settings, **options: Any) -> AIOKafkaProducer:
        await may_connect.wait()
        connected.append(await producer(settings, **options))
        return connected[-1]

    monkeypatch.setattr(kpi_topics, "producer", slowly)
    beginning = [asyncio.ensure_future(topics._begin(OWNER)) for _ in range(2)]
    await asyncio.sleep(0)
    if is_gone:
        await topics.assign(set(), [])
    may_connect.set()
    await asyncio.gather(*beginning)
    await asyncio.gather(*topics._closing)
    assert [client for client in connected if not client._closed] == ([] if is_gone else connected[-1:])
    assert topics.silent([OWNER]) == ({OWNER} if is_gone else set())


@pytest.mark.parametrize("is_back", [False, True])
@pytest.mark.parametrize("turns", range(6))
async def test_an_owner_that_goes_while_it_is_spoken_for_lets_its_last_values_be_sent_or_refused(
    two: tuple[KpiTopics, KpiTopics], turns: int, *, is_back: bool
) -> None:
    topics, _ = two
    await topics.assign({OWNER}, [OWNER])
    publishing = asyncio.ensure_future(topics.publish([saying(1)]))
    for _ in range(turns):  # it goes before, while and after its producer is given values
        await asyncio.sleep(0)
    if is_back:
        await topics.assign({OWNER}, [OWNER])
    else:
        await topics.assign(set(), [])
    async with asyncio.timeout(20):
        assert await publishing in ([], [OWNER])
    assert await topics.publish([saying(2)]) == ([] if is_back else [OWNER])
    await topics.assign({OWNER}, [OWNER])
    assert await topics.publish([saying(3)]) == []
