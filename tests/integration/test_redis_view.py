"""Redis away, frozen, restarted, flushed and full: the pipeline does not notice, and the view is whole again after."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio

from agents.brokers import RedisServer
from schemas.errors import UnavailableError
from schemas.settings import Settings, settings_from
from streams.redis_view import Query, RedisReader, RedisSink, Selection
from tests.polling import until
from tests.publications import kpi_value, publication

TICK_S = 0.2
REPS = 50
EVERYTHING = Query(("today", "all"), (Selection(by="*"),))


def settings_of(server: RedisServer) -> Settings:
    return settings_from({"redis": {"url": server.url}, "time": {"tick": f"{TICK_S * 1000:g}ms"}})


@pytest_asyncio.fixture
async def sink(own_valkey: RedisServer) -> AsyncIterator[RedisSink]:
    sink = RedisSink(settings_of(own_valkey))
    running = asyncio.create_task(sink.run())
    yield sink
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await sink.close()


@pytest_asyncio.fixture
async def reader(own_valkey: RedisServer) -> AsyncIterator[RedisReader]:
    reader = RedisReader(settings_of(own_valkey))
    yield reader
    await reader.close()


async def say(sink: RedisSink, value: int, *, complete: bool = False) -> float:
    """Publish `value` for all series of two owners; returns the seconds that took."""
    started = time.perf_counter()
    for owner in (0, 1):
        series = [
            kpi_value("revenue", window, {"rep": f"r-{owner}-{rep}"}, value=value, revision=value)
            for window in EVERYTHING.windows
            for rep in range(REPS)
        ]
        await sink.publish(publication(series, owner=owner, position=value, complete=complete))
    return time.perf_counter() - started


async def holds(reader: RedisReader, value: int) -> bool:
    """Whether the view has every series, with this value."""
    try:
        answer = await reader.read(EVERYTHING)
    except UnavailableError:
        return False
    return [json.loads(payload)["value"] for _, payload in answer.series] == [value] * (2 * 2 * REPS)


@pytest.mark.asyncio
async def test_a_server_that_restarts_empty_is_whole_again_within_two_ticks(
    own_valkey: RedisServer, sink: RedisSink, reader: RedisReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streams.redis_view")
    await say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    own_valkey.kill()
    for value in range(2, 40):
        assert await say(sink, value) < 0.1, "publish must not wait for Redis"
        await asyncio.sleep(0.01)

    async def noticed() -> bool:
        return sink.problem is not None

    await until(noticed)
    await own_valkey.start()
    back = time.perf_counter()
    await until(lambda: holds(reader, 39))
    # Two ticks, and the retries and waits of the attempt that was under way when it came back.
    assert time.perf_counter() - back < 2 * TICK_S + 1.0
    said = [record.getMessage() for record in caplog.records if record.name.startswith("streams.redis_view")]
    assert len(said) == 2, said


@pytest.mark.asyncio
async def test_what_is_new_is_written_long_before_the_next_tick(own_valkey: RedisServer, reader: RedisReader) -> None:
    sink = RedisSink(settings_from({"redis": {"url": own_valkey.url}, "time": {"tick": "30s"}}))
    running = asyncio.create_task(sink.run())
    try:
        await say(sink, 1, complete=True)
        await until(lambda: holds(reader, 1), deadline_s=10)
        for value in (2, 3, 4):
            await say(sink, value)
            await until(lambda value=value: holds(reader, value), deadline_s=10)  # type: ignore[misc]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sink.close()


@pytest.mark.asyncio
async def test_a_frozen_server_holds_up_nothing(own_valkey: RedisServer, sink: RedisSink, reader: RedisReader) -> None:
    await say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    own_valkey.pause()
    slowest = 0.0
    try:
        end = time.perf_counter() + 3.0
        value = 1
        while time.perf_counter() < end:
            value += 1
            slowest = max(slowest, await say(sink, value))
            await asyncio.sleep(0.01)
    finally:
        own_valkey.resume()
    assert slowest < 0.1
    await until(lambda: holds(reader, value))


@pytest.mark.asyncio
async def test_flushed_under_way(own_valkey: RedisServer, sink: RedisSink, reader: RedisReader) -> None:
    await say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    for _ in range(3):
        await client.flushall()
        flushed = time.perf_counter()
        await until(lambda: holds(reader, 1))
        assert time.perf_counter() - flushed < 2 * TICK_S + 0.2
    await client.aclose()
    await client.connection_pool.disconnect()


@pytest.mark.asyncio
async def test_a_full_server_keeps_what_it_has_and_takes_the_rest_later(
    own_valkey: RedisServer, sink: RedisSink, reader: RedisReader
) -> None:
    await say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    await client.config_set("maxmemory", "1")
    await say(sink, 2)

    async def refused() -> bool:
        return sink.problem is not None

    await until(refused)
    assert "memory" in str(sink.problem)
    assert await holds(reader, 1), "refused as a whole"
    await client.config_set("maxmemory", "0")
    await until(lambda: holds(reader, 2))
    await client.aclose()
    await client.connection_pool.disconnect()


@pytest.mark.asyncio
async def test_memory_is_flat_while_it_is_away(own_valkey: RedisServer, sink: RedisSink) -> None:
    own_valkey.kill()
    sizes = []
    for value in range(1, 400):
        await say(sink, value, complete=value == 1)
        if value % 100 == 1:
            held = sink._writers[0].snapshot  # the state whose size is in question
            sizes.append((len(held.values.entries), len(held.values._changed), len(held.values._gone)))
    assert len(set(sizes)) == 1, sizes


@pytest.mark.asyncio
async def test_readers_say_where_they_looked_and_no_passwords() -> None:
    settings = settings_from({"redis": {"url": "redis://user:secret@127.0.0.1:1/0"}})
    reader = RedisReader(settings)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1/0 does not answer") as caught:
        await reader.freshness()
    assert "secret" not in str(caught.value)
    await reader.close()
