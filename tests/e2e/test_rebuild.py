"""A change of the catalogue on a running system: what is new waits for a rebuild, then counts from the first event."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.brokers import Broker, RedisServer, ServerError
from agents.kafka import ConsumerRecord, TopicPartition, producer
from agents.reading import read_to_end
from schemas.settings import load_settings
from schemas.topics import changelog_topic
from schemas.windows import DAY_MS
from schemas.wire import body_of, fence_of, pack
from tests.e2e.history import START_MS, History, send, settings_of_history
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import falling_versions, is_settled, records_of, redis_of, seen_by_readers

_LONG_WINDOWS_TICKS = 5
_HISTORY = History(seed=11, count=8_000, days=40)
_OWN = """
[[dimensions]]
name = "industry"

[[measures]]
name = "lost_on_price"
counts = "deal.lost"
where = { reason = "price" }

[[measures]]
name = "discounts"
counts = "deal.won"
adds = "discount_cents"

[[kpis]]
name = "price_losses"
formula = "lost_on_price"
dimensions = ["rep", "reason"]
windows = ["all", "ytd"]

[[kpis]]
name = "industry_revenue"
formula = "won_amount - returned_amount"
unit = "money"
dimensions = ["industry"]
windows = ["all"]

[[kpis]]
name = "discounts"
formula = "discounts"
unit = "money"
dimensions = ["industry"]
windows = ["all"]
"""


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables: dict[str, Any] = {
        **settings_of_history(),
        "kafka": {"partitions": 2, "source_partitions": 2, "session_timeout": "5s"},
        "pipeline": {"checkpoint_interval": "500ms"},
    }
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, tables) as found:
        yield found


def with_own_kpis(product: Installation) -> None:
    """Name a file of KPIs in the settings, as a user would."""
    product.directory.joinpath("my-kpis.toml").write_text(_OWN)
    product.path.write_text(product.path.read_text() + '[catalogue]\nfiles = ["my-kpis.toml"]\n')
    product.settings = load_settings(product.path, {})


async def latest(product: Installation) -> dict[str, dict[str, Any]]:
    """The last value of every series, as readers of the compacted topic have it."""
    found: dict[str, dict[str, Any]] = {}
    for records in await records_of(product.settings, product.settings.topics.latest):
        for record in records:
            found[record.key.decode()] = json.loads(record.value)
    return found


async def present(product: Installation, worker: Process) -> dict[str, dict[str, Any]]:
    """As `latest`, of the present windows: without goals of months that are over, and series that are no more.

    A worker is ready before it has told all that it knows, and long windows come with every fourth value, so it is
    waited for until more ticks than that change nothing.
    """
    every: dict[str, dict[str, Any]] = {}
    ticks: list[dict[str, str]] = []
    quiet = 0

    async def nothing_changes_any_more() -> bool:
        nonlocal every, quiet
        ticks.append(await signs_of_life(product))
        if any(ticks[0].get(owner) == at for owner, at in ticks[-1].items()):
            return False
        before, every = every, await latest(product)
        ticks.clear()
        quiet = quiet + 1 if every == before else 0
        return quiet > _LONG_WINDOWS_TICKS

    await worker.until(nothing_changes_any_more, deadline_s=120)
    ends: dict[str, str] = {}
    for value in every.values():
        ends[value["window"]] = max(ends.get(value["window"], ""), value["window_end"])
    found = {key: value for key, value in every.items() if value["window_end"] == ends[value["window"]]}
    assert len(found) > 0.95 * len(every)
    return found


async def signs_of_life(product: Installation) -> dict[str, str]:
    """Owner -> when it last told Redis of itself."""
    async with redis_of(product.settings) as client:
        meta: dict[bytes, bytes] = await client.hgetall(f"{product.settings.redis.prefix}:meta")  # type: ignore[assignment]  # bytes without decode_responses
    return {name.decode(): at.decode() for name, at in meta.items() if name.startswith(b"seen:")}


async def until_settled(product: Installation, worker: Process) -> None:
    async def settled() -> bool:
        return await is_settled(product.settings)

    await worker.until(settled, deadline_s=90)
    await worker.until_ready(deadline_s=60)


def own_events() -> list[tuple[str, dict[str, Any]]]:
    """A lead of an industry, its win that does not state one, with a discount, and losses for different reasons."""
    deal = {"account_id": "own-1", "rep_id": "r-own"}
    events: list[tuple[str, dict[str, Any]]] = [
        ("leads", {"event_type": "lead.created", "account_id": "own-1", "industry": "retail"}),
        ("deals", {"event_type": "deal.won", **deal, "deal_id": "own-1", "amount": 70_000, "discount_cents": 500}),
        ("deals", {"event_type": "deal.lost", **deal, "deal_id": "own-2", "reason": "price"}),
        ("deals", {"event_type": "deal.lost", **deal, "deal_id": "own-3", "reason": "timing"}),
    ]
    at_ms = START_MS + 3 * DAY_MS
    return [
        (topic, {"event_id": f"own-{number}", "occurred_at": at_ms + number, **event})
        for number, (topic, event) in enumerate(events)
    ]


async def send_own(product: Installation) -> None:
    client = await producer(product.settings, client_id="sales-floor")
    try:
        for topic, event in own_events():
            name = product.settings.topics.sources()[topic]
            await client.send_and_wait(name, json.dumps(event).encode(), b"own-1")
    finally:
        await client.stop()


@pytest.mark.asyncio
async def test_new_kpis_wait_for_a_rebuild_and_then_count_from_the_first_event(product: Installation) -> None:
    await product.run("topics", "create")
    worker = product.start("worker")
    messages = list(_HISTORY.messages())
    assert await send(product.settings, iter(messages)) == len(messages)
    await until_settled(product, worker)
    with_own_kpis(product)
    worker.terminate()
    assert await worker.ends(deadline_s=15) == 0
    worker = product.start("worker")
    await worker.until_ready()
    assert "not counted yet: price_losses, industry_revenue, discounts" in worker.log
    await send_own(product)
    await until_settled(product, worker)
    before = await present(product, worker)
    assert not [key for key in before if key.partition("|")[0] in ("price_losses", "industry_revenue", "discounts")]

    said = await product.run("rebuild", deadline_s=120)
    assert "generation 1 is in force" in said

    async def changed_over() -> bool:
        return "price_losses|all|" in await latest(product)

    await worker.until(changed_over, deadline_s=60)
    await worker.until_ready(deadline_s=60)
    assert "nothing to do" in await product.run("rebuild")
    assert "no difference" in await product.run("rebuild", "--compare", deadline_s=120)

    found = await present(product, worker)
    lost = {
        message.event["event_id"]: message.event
        for message in messages
        if message.event["event_type"] == "deal.lost" and message.event.get("reason") == "price"
    }
    assert found["price_losses|all|"]["value"] == len(lost) + 1
    assert found["price_losses|all|reason=price"]["value"] == len(lost) + 1
    assert found["price_losses|all|rep=r-own"]["value"] == 1
    assert "price_losses|all|reason=timing" not in found
    assert found["industry_revenue|all|industry=retail"]["value"] == 700.0
    assert (found["discounts|all|"]["value"], found["discounts|all|industry=retail"]["value"]) == (5.0, 5.0)
    assert not [key for key in found if key.startswith("price_losses|mtd")]
    assert_same_values(before, found)
    async for reader, entries in seen_by_readers(product.settings):
        assert not falling_versions(entries), reader
    assert_told_once(await records_of_one(product, product.settings.topics.moments))
    restatements = chain(*await records_of(product.settings, product.settings.topics.restatements))
    assert_told_alike(restatements)

    where = await tamper(product)
    with pytest.raises(ServerError):
        await product.run("rebuild", "--compare", deadline_s=120)
    told = product.directory.joinpath("rebuild---compare.log").read_text()
    assert "1 differences" in told
    assert where in told


async def tamper(product: Installation) -> str:
    """Add one to a measure of a stored cell, as a fault of the software might; returns which measure."""
    topic = changelog_topic(product.settings.app.id, "cells", 1)
    record = next(r for r in reversed((await records_of(product.settings, topic))[0]) if r.value)
    block = msgspec.msgpack.decode(body_of(record.value), type=dict[int, dict[str, int]])
    sums = next(iter(block.values()))
    measure = next(iter(sums))
    sums[measure] += 1
    client = await producer(product.settings, client_id="fault")
    try:
        await client.send_and_wait(topic, pack(fence_of(record.value), block), record.key, partition=0)
    finally:
        await client.stop()
    return measure


def assert_same_values(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> None:
    """What was counted before is the same after."""
    names = ("value", "numerator", "denominator", "previous", "window_start", "window_end")
    for key, value in before.items():
        assert {name: after[key][name] for name in names} == {name: value[name] for name in names}, key


async def records_of_one(product: Installation, topic: str) -> list[ConsumerRecord]:
    return [record async for batch in read_to_end(product.settings, [TopicPartition(topic, 0)]) for record in batch]


def assert_told_alike(records: Iterable[ConsumerRecord]) -> None:
    """What is told again, is told under the same id and says the same."""
    told: dict[bytes, dict[str, Any]] = {}
    for record in records:
        said = json.loads(record.value) | {"emitted_at": ""}
        assert told.setdefault(record.key, said) == said
    assert told


def assert_told_once(records: Iterable[ConsumerRecord]) -> None:
    told = Counter(record.key for record in records)
    assert told
    assert [key for key, count in told.items() if count > 1] == []
