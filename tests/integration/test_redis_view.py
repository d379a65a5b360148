"""Redis away, frozen, restarted, flushed and full: the pipeline does not notice, and the view is whole again after."""

from __future__ import annotations

import asyncio
import json
import logging
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
_WRITES = 3
"""Two ticks, and one that the sink may begin between the write of the view and our look at it."""
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


def say(sink: RedisSink, value: int, *, complete: bool = False) -> None:
    """Publish `value` for all series of two owners, which must not wait for anything."""
    for owner in (0, 1):
        series = [
            kpi_value("revenue", window, {"rep": f"r-{owner}-{rep}"}, value=value, revision=value)
            for window in EVERYTHING.windows
            for rep in range(REPS)
        ]
        with pytest.raises(StopIteration):  # it returns without having let go of the loop once
            sink.publish(publication(series, owner=owner, position=value, complete=complete)).send(None)


class Writes:
    """Counts the writes that a sink begins, of which there is one a tick here."""

    def __init__(self, sink: RedisSink, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        flush = sink.flush

        async def counted(*, everybody: bool = True) -> bool:
            self.begun += 1
            return await flush(everybody=everybody)

        monkeypatch.setattr(sink, "flush", counted)


async def holds(reader: RedisReader, value: int) -> bool:
    """Whether the view has every series, with this value."""
    try:
        answer = await reader.read(EVERYTHING)
    except UnavailableError:
        return False
    return [json.loads(payload)["value"] for _, payload in answer.series] == [value] * (2 * 2 * REPS)


@pytest.mark.asyncio
async def test_a_server_that_restarts_empty_is_whole_again_within_two_ticks(
    own_valkey: RedisServer,
    sink: RedisSink,
    reader: RedisReader,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "streams.redis_view")
    say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    own_valkey.kill()
    for value in range(2, 40):
        say(sink, value)
        await asyncio.sleep(0.01)

    async def noticed() -> bool:
        return sink.problem is not None

    await until(noticed)
    await own_valkey.start()
    writes = Writes(sink, monkeypatch)
    await until(lambda: holds(reader, 39))
    assert writes.begun <= _WRITES, "the first that finds it there writes all"
    said = [record.getMessage() for record in caplog.records if record.name.startswith("streams.redis_view")]
    assert len(said) == 2, said


@pytest.mark.asyncio
async def test_what_is_new_is_written_long_before_the_next_tick(own_valkey: RedisServer, reader: RedisReader) -> None:
    sink = RedisSink(settings_from({"redis": {"url": own_valkey.url}, "time": {"tick": "30s"}}))
    running = asyncio.create_task(sink.run())
    try:
        say(sink, 1, complete=True)
        await until(lambda: holds(reader, 1), deadline_s=10)
        for value in (2, 3, 4):
            say(sink, value)
            await until(lambda value=value: holds(reader, value), deadline_s=10)  # type: ignore[misc]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sink.close()


@pytest.mark.asyncio
async def test_a_frozen_server_holds_up_nothing(own_valkey: RedisServer, sink: RedisSink, reader: RedisReader) -> None:
    say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    own_valkey.pause()
    try:

        async def noticed() -> bool:
            return sink.problem is not None

        await until(noticed)
        say(sink, 2)
    finally:
        own_valkey.resume()
    await until(lambda: holds(reader, 2))


@pytest.mark.asyncio
async def test_flushed_under_way(
    own_valkey: RedisServer, sink: RedisSink, reader: RedisReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    writes = Writes(sink, monkeypatch)
    for _ in range(3):
        await client.flushall()
        writes.begun = 0
        await until(lambda: holds(reader, 1))
        assert writes.begun <= _WRITES
    await client.aclose()
    await client.connection_pool.disconnect()


@pytest.mark.asyncio
async def test_a_full_server_keeps_what_it_has_and_takes_the_rest_later(
    own_valkey: RedisServer, sink: RedisSink, reader: RedisReader
) -> None:
    say(sink, 1, complete=True)
    await until(lambda: holds(reader, 1))
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    await client.config_set("maxmemory", "1")
    say(sink, 2)

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
        say(sink, value, complete=value == 1)
        await asyncio.sleep(0)
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
