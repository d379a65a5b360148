"""Redis stops, freezes or forgets while events flow: the pipeline does not notice, and the view is soon whole again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import pytest
from redis.asyncio import Redis

from agents.brokers import Broker, RedisServer
from agents.kafka import AIOKafkaProducer, TopicPartition, consumer, producer
from agents.recovery import owner_of
from tests.e2e.bad_messages import won, written
from tests.e2e.product import Installation, Process, installed
from tests.e2e.surfaces import Payloads, from_latest, from_redis
from tests.polling import end, until

Outage = Literal["stopped", "frozen", "flushed"]

_TICK_S: Final = 1.0
_KEY: Final = "deals_won|all|"
_RATE: Final = 40.0
_AWAY_S: Final = 4.0


@pytest.fixture
def product(kafka: Broker, own_valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables: dict[str, Any] = {
        "kafka": {"partitions": 4, "source_partitions": 2, "session_timeout": "6s"},
        "time": {"tick": f"{_TICK_S:g}s"},
    }
    with installed(tmp_path / "product", kafka.bootstrap_servers, own_valkey.url, topic_prefix, tables) as found:
        yield found


class Flow:
    """Sales at an even rate, and how many of them the KPI topic has counted.

    Args:
        product: Where they go.
    """

    def __init__(self, product: Installation) -> None:
        self._settings = product.settings
        self.sent = 0
        self.counted = 0

    async def send(self) -> None:
        """Send until cancelled."""
        sender: AIOKafkaProducer = await producer(self._settings, client_id="test")
        try:
            while True:
                event = won(f"{self.sent}", occurred_at=time.time_ns() // 1_000_000, rep_id=f"r-{self.sent % 7}")
                await sender.send_and_wait(self._settings.topics.deals, written(event), b"%d" % self.sent)
                self.sent += 1
                await asyncio.sleep(1 / _RATE)
        finally:
            await sender.stop()

    async def count(self) -> None:
        """Read the KPI topic until cancelled."""
        partition = TopicPartition(self._settings.topics.updates, owner_of("", self._settings.kafka.partitions))
        reader = await consumer(self._settings, client_id="test", assignment=[partition])
        try:
            while True:
                for records in (await reader.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key == _KEY.encode():
                            self.counted = orjson.loads(record.value)["numerator"]
        finally:
            await reader.stop()

    async def catches_up(self) -> float:
        """Wait until what has been sent by now is counted on the KPI topic; returns how long that took, seconds."""
        sent, begin_s = self.sent, time.monotonic()

        async def counted() -> bool:
            return self.counted >= sent

        await until(counted, deadline_s=10)
        return time.monotonic() - begin_s


@pytest.mark.asyncio
@pytest.mark.parametrize("outage", ["stopped", "frozen", "flushed"])
async def test_the_pipeline_goes_on_and_the_view_is_repaired_within_two_ticks(
    product: Installation, own_valkey: RedisServer, outage: Outage
) -> None:
    await product.run("topics", "create")
    worker = product.start("worker")
    await worker.until_ready()
    flow = Flow(product)
    sending, counting = asyncio.create_task(flow.send()), asyncio.create_task(flow.count())
    try:
        await until(lambda: _holds(flow.sent >= 100), deadline_s=20)
        await flow.catches_up()
        await _until_whole(product, await from_latest(product.settings))

        last = await _away(product, own_valkey, worker, flow, outage)
        took_s = await _until_whole(product, last)
        print(f"{outage}: whole again after {took_s:.2f} s")
        assert took_s <= 2 * _TICK_S
        await worker.until_ready()
        await end(sending)
        await flow.catches_up()
    finally:
        await end(sending, counting)
    await _assert_equal(product)
    assert "Traceback" not in worker.log


async def _away(product: Installation, server: RedisServer, worker: Process, flow: Flow, outage: Outage) -> Payloads:
    """Bring the outage about and end it; returns the values that stood when it ended."""
    if outage == "flushed":
        client = Redis.from_url(product.settings.redis.url)
        last = await from_latest(product.settings)
        await client.flushall()
        await client.aclose()
        return last
    if outage == "stopped":
        await server.stop()
    else:
        server.pause()
    sent, end_s = flow.sent, time.monotonic() + _AWAY_S
    while time.monotonic() < end_s:
        assert await flow.catches_up() < _AWAY_S
    await until(lambda: _holds(flow.counted > sent), deadline_s=10)  # a busy broker may hold up the sender

    async def not_ready() -> bool:
        return await worker.get("/readyz") is None and await worker.get("/healthz") is not None

    await worker.until(not_ready, deadline_s=10)
    assert worker.child.running
    last = await from_latest(product.settings)
    if outage == "stopped":
        await server.start()
    else:
        server.resume()
    return last


async def _until_whole(product: Installation, last: Payloads) -> float:
    """Wait until Redis holds every series, none of them older than in `last`; returns how long it took, seconds."""
    versions = {key: _version(payload) for key, payload in last.items()}
    assert len(versions) > 500
    begin_s = time.monotonic()
    asked_s = begin_s

    async def whole() -> bool:
        nonlocal asked_s
        asked_s = time.monotonic()
        found = await from_redis(product.settings)
        return all(key in found and _version(found[key]) >= version for key, version in versions.items())

    await until(whole, deadline_s=20, every_s=0.05)
    return asked_s - begin_s


async def _assert_equal(product: Installation) -> None:
    """Redis and the compacted KPI topic hold the same series and the same bytes."""
    lines: list[str] = []

    async def equal() -> bool:
        live, latest = await from_redis(product.settings), await from_latest(product.settings)
        lines[:] = [
            f"{key}: redis {live.get(key)!r}, topic {latest.get(key)!r}"
            for key in sorted(live.keys() | latest.keys())
            if live.get(key) != latest.get(key)
        ]
        return not lines

    try:
        await until(equal, deadline_s=25)
    except AssertionError:
        raise AssertionError(f"{len(lines)} series differ:\n" + "\n".join(lines[:5])) from None


def _version(payload: bytes) -> tuple[str, int]:
    value = orjson.loads(payload)
    return value["window_end"], value["revision"]


async def _holds(condition: bool) -> bool:
    return condition
