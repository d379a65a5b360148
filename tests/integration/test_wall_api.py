"""The HTTP API over a real Redis: what it answers, and what it says to a wrong question."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jsonschema
import pytest
import pytest_asyncio

from agents.brokers import RedisServer
from agents.wall import WallServer, start_wall, wall_routes
from schemas.catalogue import KPIS
from schemas.kpi import Quality
from schemas.settings import Settings, settings_from
from schemas.windows import HOUR_MS
from streams.history import History, HistoryPoint, HistoryStep
from streams.redis_view import RedisSink
from tests.polling import until
from tests.publications import START_MS, kpi_value, publication

SAID = publication(
    [
        kpi_value("win_rate", value=0.5, numerator=1, denominator=2),
        kpi_value("revenue", value=10.5, numerator=1050),
        kpi_value("revenue", "ytd", value=99, numerator=9900),
        *(kpi_value("revenue", dimensions={"rep": f"r-{n}"}, value=n, numerator=100 * n) for n in range(3)),
        kpi_value("revenue", dimensions={"team": "north: 1, a|b=%"}, value=7, numerator=700),
    ],
    complete=True,
)

_REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"pattern": "^#/components/"}}}
_SCHEMA = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
_RESPONSE = {
    "type": "object",
    "required": ["description"],
    "additionalProperties": False,
    "properties": {
        "description": {"type": "string", "minLength": 1},
        "content": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[a-z*]+/[a-z*.+-]+$"},
            "additionalProperties": {"additionalProperties": False, "properties": {"schema": _SCHEMA}},
        },
    },
}
_PARAMETER = {
    "type": "object",
    "required": ["name", "in", "schema"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "in": {"enum": ["query", "path"]},
        "description": {"type": "string"},
        "required": {"type": "boolean"},
        "style": {"enum": ["form", "simple"]},
        "explode": {"type": "boolean"},
        "schema": _SCHEMA,
        "example": True,
    },
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"required": ["required"], "properties": {"required": {"const": True}}},
}
_OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "responses"],
    "additionalProperties": False,
    "properties": {
        "operationId": {"type": "string", "pattern": "^[a-z]+$"},
        "summary": {"type": "string"},
        "description": {"type": "string"},
        "parameters": {"type": "array", "items": _PARAMETER},
        "security": {"type": "array"},
        "responses": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[1-5][0-9]{2}$"},
            "additionalProperties": {"anyOf": [_REFERENCE, _RESPONSE]},
        },
    },
}
OPENAPI = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"]},
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {"additionalProperties": False, "properties": {"get": _OPERATION}},
        },
        "components": {
            "additionalProperties": False,
            "properties": {
                "schemas": {"additionalProperties": _SCHEMA, "propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}},
                "responses": {"additionalProperties": _RESPONSE},
                "securitySchemes": {"additionalProperties": {"required": ["type"]}},
            },
        },
    },
}
"""The part of the OpenAPI 3.1 specification that the document makes use of."""


def settings_of(server: RedisServer, **sections: Mapping[str, Any]) -> Settings:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    return settings_from({"redis": {"url": server.url, "prefix": prefix}, "http": {"port": 0}, **sections})


@pytest.fixture
def settings(valkey: RedisServer) -> Settings:
    return settings_of(valkey)


@pytest_asyncio.fixture
async def sink(settings: Settings) -> AsyncIterator[RedisSink]:
    sink = RedisSink(settings)
    await sink.publish(SAID)
    assert await sink.flush(), sink.problem
    yield sink
    await sink.close()


@pytest_asyncio.fixture
async def wall(settings: Settings) -> AsyncIterator[WallServer]:
    wall = await start_wall(settings)
    yield wall
    await wall.stop()


@pytest_asyncio.fixture
async def http(wall: WallServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(wall.url) as session:
        yield session


async def get(http: aiohttp.ClientSession, path: str, status: int = 200, **headers: str) -> bytes:
    async with http.get(path, headers=headers) as response:
        body = await response.read()
        assert response.status == status, body
        return body


async def series(http: aiohttp.ClientSession, query: str) -> list[str]:
    found = json.loads(await get(http, f"/api/v1/kpis?{query}"))["series"]
    return [f"{v['kpi']}|{v['window']}|{','.join(f'{k}={x}' for k, x in v['dimensions'].items())}" for v in found]


@pytest.mark.asyncio
@pytest.mark.usefixtures("sink")
async def test_values_are_byte_for_byte_what_was_published(http: aiohttp.ClientSession) -> None:
    body = await get(http, "/api/v1/kpis?by=*&window=today,ytd")
    for value in SAID.values:
        assert value.payload in body
    document = json.loads(body)
    assert set(document) == {"as_of", "watermark", "quality", "series"}
    assert len(document["series"]) == len(SAID.values)
    assert document["quality"] == "live"
    lines = await get(http, "/api/v1/kpis?by=*&window=today,ytd", Accept="application/x-ndjson")
    assert sorted(lines.splitlines()) == sorted(value.payload for value in SAID.values)


@pytest.mark.asyncio
@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["revenue|today|", "win_rate|today|", "revenue|ytd|"]),
        ("kpi=win_rate,revenue&window=today", ["revenue|today|", "win_rate|today|"]),
        ("kpi=win_rate&kpi=revenue&window=ytd", ["revenue|ytd|"]),
        ("kpi=revenue&by=rep&window=today", [f"revenue|today|rep=r-{n}" for n in range(3)]),
        ("by=rep&where=rep:r-1", ["revenue|today|rep=r-1"]),
        ("where=rep:r-1", ["revenue|today|rep=r-1"]),
        ("by=*&where=rep:r-2", ["revenue|today|rep=r-2"]),
        ("where=team:north:%201,%20a%7Cb%3D%25", ["revenue|today|team=north: 1, a|b=%"]),
        ("by=rep,team", []),
        ("kpi=win_rate,revenue@team&window=today", ["revenue|today|team=north: 1, a|b=%", "win_rate|today|"]),
    ],
)
async def test_which_series_are_answered(http: aiohttp.ClientSession, query: str, expected: list[str]) -> None:
    assert sorted(await series(http, query)) == sorted(expected)


@pytest.mark.asyncio
@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("/api/v1/kpis?kpi=revenu", 400, "did you mean revenue?"),
        ("/api/v1/kpis?kpi=revenue@reps", 400, "did you mean rep?"),
        ("/api/v1/kpis?window=ydt", 400, "did you mean ytd?"),
        ("/api/v1/kpis?by=teams", 400, "did you mean team?"),
        ("/api/v1/kpis?where=rep", 400, "where=rep:r-7"),
        ("/api/v1/kpis?where=repp:x", 400, "did you mean rep?"),
        ("/api/v1/kpis?where=rep:a&where=rep:b", 400, "at once"),
        ("/api/v1/kpis?windw=ytd", 400, "did you mean window?"),
        ("/api/v1/stream?kpi=nope", 400, "Allowed: revenue"),
        ("/api/v1/history", 400, "kpi=revenue"),
        ("/api/v1/history?kpi=revenue&step=1hour", 400, "Allowed: 1h, 1d"),
        ("/api/v1/history?kpi=revenue&window=today", 400, "Allowed: kpi, step, where, token"),
        ("/api/v1/history?kpi=revenue&where=rep", 400, "where=rep:r-7"),
        ("/api/v1/history?kpi=win_rate", 404, "No history is kept of win_rate, but of calls, revenue; to have it kept"),
        ("/api/v1/history?kpi=revenue&where=rep:r-7", 404, "[[wall.pages]]"),
        ("/api/v1/recent", 400, "kpi=revenue"),
        ("/api/v1/recent?kpi=revenue&widow=today", 400, "did you mean window?"),
        ("/api/v1/wall?window=ydt", 400, "did you mean ytd?"),
        ("/api/v1/wall?window=ytd,all", 400, "such as window=ytd"),
        ("/api/v1/stream?wall&kpi=revenue", 400, "Allowed: wall, window, token"),
        ("/api/v1/stream?wall=yes", 400, "Allowed: true, false"),
        ("/api/v1/nope", 404, "/openapi.json"),
        ("/static/../routes.py", 404, ""),
        ("/static/nope.js", 404, "no part of the wall page"),
    ],
)
async def test_wrong_questions_get_helpful_answers(
    http: aiohttp.ClientSession, path: str, status: int, hint: str
) -> None:
    async with http.get(path) as response:
        assert response.status == status
        text = await response.text()
        assert hint in text
        if hint:
            assert response.content_type == "application/problem+json"
            problem = json.loads(text)
            assert problem.keys() >= {"type", "title", "status", "detail", "instance"}
            assert problem["status"] == status


@pytest.mark.asyncio
async def test_large_answers_are_streamed_whole(http: aiohttp.ClientSession, sink: RedisSink) -> None:
    values = [kpi_value("deals_won", dimensions={"rep": f"r-{n:05}"}, value=n) for n in range(3_000)]
    await sink.publish(publication(values, position=2))
    await sink.flush()
    async with http.get("/api/v1/kpis?kpi=deals_won&by=rep&window=today") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        document = await response.json()
    assert [value["value"] for value in document["series"]] == list(range(3_000))


@pytest.mark.asyncio
async def test_catalogue_alerts_and_recent_values(http: aiohttp.ClientSession, sink: RedisSink) -> None:
    await sink.publish_alerts({"f1": b'{"fingerprint":"f1","state":"firing"}'})
    await sink.flush()
    catalogue = json.loads(await get(http, "/api/v1/catalogue"))
    assert [kpi["name"] for kpi in catalogue["kpis"]] == [kpi.name for kpi in KPIS]
    assert json.loads(await get(http, "/api/v1/alerts")) == {"alerts": [{"fingerprint": "f1", "state": "firing"}]}
    recent = json.loads(await get(http, "/api/v1/recent?kpi=revenue,win_rate&window=today"))
    assert recent["series"][0] == {"kpi": "revenue", "window": "today", "points": [[SAID.clock_ms, 10.5]]}


@pytest.mark.asyncio
async def test_history_hour_by_hour_and_day_by_day(http: aiohttp.ClientSession, sink: RedisSink) -> None:
    def point(kpi: str, step: HistoryStep, hour: int, value: float | None) -> HistoryPoint:
        numerator = None if value is None else round(value * 100)
        return HistoryPoint(kpi, "", step, START_MS - START_MS % HOUR_MS + hour * HOUR_MS, value, numerator, None)

    points = [point("revenue", "1h", 0, 4.5), point("revenue", "1h", -1, None), point("calls", "1d", 0, 7)]
    await sink.publish_history(History(SAID.owner, SAID.position, SAID.clock_ms, points, complete=True))
    await sink.flush()
    hours = json.loads(await get(http, "/api/v1/history?kpi=revenue&step=1h"))
    assert hours.keys() == {"as_of", "watermark", "quality", "step", "series"}
    assert (hours["quality"], hours["step"]) == ("live", "1h")
    unknown = {"start": "2023-11-14T21:00:00Z", "value": None, "numerator": None, "denominator": None}
    known = {"start": "2023-11-14T22:00:00Z", "value": 4.5, "numerator": 450, "denominator": None}
    assert hours["series"] == [
        {"kpi": "revenue", "dimensions": {}, "unit": "money", "currency": "USD", "points": [unknown, known]}
    ]
    days = json.loads(await get(http, "/api/v1/history?kpi=calls,revenue"))
    assert [(one["kpi"], one["currency"], len(one["points"])) for one in days["series"]] == [
        ("calls", None, 1),
        ("revenue", "USD", 0),
    ]


@pytest.mark.asyncio
async def test_the_playlist_is_that_of_the_settings(valkey: RedisServer) -> None:
    tiles = [{"kind": "number", "kpi": "revenue", "window": "mtd"}, {"kind": "trend", "kpi": "calls", "where": "rep:a"}]
    pages = [{"title": "Ours", "tiles": tiles}]
    wall = await start_wall(settings_of(valkey, wall={"rotate": "5s", "pages": pages}, money={"currency": "JPY"}))
    async with aiohttp.ClientSession(wall.url) as http:
        found = json.loads(await get(http, "/api/v1/wall"))
        assert (found["rotate_ms"], found["minor_per_major"], found["better"]["revenue"]) == (5_000, 1, "higher")
        (page,) = found["pages"]
        assert (page["title"], page["columns"], page["rows"]) == ("Ours", 3, 1)
        assert [tile["place"]["width"] for tile in page["tiles"]] == [1, 2]
        assert [tile["window"] for tile in page["tiles"]] == ["mtd", "30d"]
        over = json.loads(await get(http, "/api/v1/wall?window=ytd"))
        assert [tile["window"] for tile in over["pages"][0]["tiles"]] == ["ytd", "30d"]
        assert json.loads(await get(http, "/api/v1/history?kpi=calls&where=rep:a"))["series"][0]["points"] == []
    await wall.stop()


@pytest.mark.asyncio
async def test_without_values_it_is_not_ready_and_says_so(http: aiohttp.ClientSession, settings: Settings) -> None:
    assert json.loads(await get(http, "/healthz")) == {"status": "alive"}
    assert "no worker" in json.loads(await get(http, "/readyz", 503))["reasons"][0]
    empty = json.loads(await get(http, "/api/v1/kpis"))
    assert empty == {"as_of": None, "watermark": None, "quality": "stale", "series": []}
    sink = RedisSink(settings)
    await sink.publish(SAID)
    await sink.flush()
    assert json.loads(await get(http, "/readyz"))["status"] == "ready"
    await sink.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("quality", ["catching_up", "partial"])
async def test_it_is_not_ready_before_the_values_are_whole(
    http: aiohttp.ClientSession, sink: RedisSink, quality: Quality
) -> None:
    await sink.publish(publication([kpi_value("win_rate", value=0.6)], owner=1, quality=quality))
    assert await sink.flush()
    assert json.loads(await get(http, "/readyz", 503)) == {"status": "not ready", "reasons": [f"values are {quality}"]}


@pytest.mark.asyncio
async def test_without_redis_it_says_so(own_valkey: RedisServer) -> None:
    wall = await start_wall(settings_of(own_valkey))
    own_valkey.kill()
    async with aiohttp.ClientSession(wall.url) as http:
        problem = json.loads(await get(http, "/api/v1/kpis", 503))
        assert "does not answer" in problem["detail"]
        assert "does not answer" in json.loads(await get(http, "/readyz", 503))["reasons"][0]
        assert await get(http, "/healthz")
    await wall.stop()


@pytest.mark.asyncio
async def test_a_token_guards_the_api_but_not_health(valkey: RedisServer) -> None:
    settings = settings_of(valkey, http={"port": 0, "token": "s3cret"})
    wall = await start_wall(settings)
    async with aiohttp.ClientSession(wall.url) as http:
        for path in (
            "kpis",
            "catalogue",
            "alerts",
            "history?kpi=revenue",
            "recent?kpi=revenue",
            "wall",
            "stream",
            "no",
        ):
            assert json.loads(await get(http, f"/api/v1/{path}", 401))["title"] == "A token is needed"
        await get(http, "/api/v1/kpis", 401, Authorization="Bearer wrong")
        await get(http, "/api/v1/kpis", Authorization="Bearer s3cret")
        await get(http, "/api/v1/kpis?token=s3cret")
        for path in ("/healthz", "/", "/openapi.json", "/metrics"):
            await get(http, path)
        sink = RedisSink(settings)
        await sink.publish(SAID)
        assert await sink.flush()
        await sink.close()
        assert samples(await get(http, "/metrics")) == []
        assert samples(await get(http, "/metrics", Authorization="Bearer s3cret"))
    await wall.stop()


def samples(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith(("salespulse_revenue", "salespulse_win"))]


@pytest.mark.asyncio
async def test_prometheus_gets_the_live_view_from_the_wall(valkey: RedisServer) -> None:
    settings = settings_of(valkey, metrics={"max_series": 4})
    sink = RedisSink(settings)
    values = [kpi_value("revenue", "24h", value=10.5, numerator=1_050), kpi_value("win_rate", "24h", value=0.5)]
    values += [kpi_value("revenue", "24h", dimensions={"rep": f"r-{n}"}, value=n) for n in range(3)]
    await sink.publish(publication(values, complete=True))
    assert await sink.flush()
    wall = await start_wall(settings)
    async with aiohttp.ClientSession(wall.url) as http:
        body = await get(http, "/metrics")
        found = samples(body)
        assert 'salespulse_revenue{window="24h",currency="USD"} 10.5' in found
        assert 'salespulse_win_rate_ratio{window="24h"} 0.5' in found
        assert not any("by_rep" in line for line in found), "what is above metrics.max_series is left out"
        assert b"salespulse_build_info" in body
        own = await get(http, "/metrics?collect[]=process")
        assert samples(own) == []
        assert b"process_resident_memory_bytes" in own
        await sink.publish(publication([kpi_value("win_rate", "24h", value=0.6)], position=2, complete=True))
        assert await sink.flush()
        await asyncio.sleep(1.1)  # it is read anew once a second at most
        assert samples(await get(http, "/metrics"))[0] == 'salespulse_win_rate_ratio{window="24h"} 0.6'
    await wall.stop()
    await sink.close()


@pytest.mark.asyncio
async def test_kpis_vanish_from_the_metrics_with_redis(own_valkey: RedisServer) -> None:
    settings = settings_of(own_valkey)
    sink = RedisSink(settings)
    await sink.publish(SAID)
    assert await sink.flush()
    wall = await start_wall(settings)
    async with aiohttp.ClientSession(wall.url) as http:
        assert samples(await get(http, "/metrics"))
        own_valkey.kill()
        await asyncio.sleep(1.1)
        body = await get(http, "/metrics")
        assert samples(body) == []
        assert b"salespulse_build_info" in body
    await wall.stop()
    await sink.close()


@pytest.mark.asyncio
async def test_the_openapi_document_is_valid_and_tells_of_every_route(http: aiohttp.ClientSession) -> None:
    document = json.loads(await get(http, "/openapi.json"))
    jsonschema.Draft202012Validator(OPENAPI).validate(document)
    for part in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(part)
    references = set(_references(document))
    assert references
    for reference in references:
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    routes = {route.path.replace(":.+", "").replace(":.*", "") for route in wall_routes(settings_from({}))}
    assert routes - {"/api/{path}"} | {"/metrics"} == set(document["paths"])
    assert "at most twenty a second" in document["paths"]["/api/v1/stream"]["get"]["description"]
    operations = [part["get"]["operationId"] for part in document["paths"].values()]
    assert len(operations) == len(set(operations))


@pytest.mark.asyncio
@pytest.mark.usefixtures("sink")
async def test_answers_are_as_the_document_says(http: aiohttp.ClientSession) -> None:
    document = json.loads(await get(http, "/openapi.json"))
    for path in ("kpis", "catalogue", "alerts", "recent", "history", "wall"):
        path = f"/api/v1/{path}"  # noqa: PLW2901
        responses = document["paths"][path]["get"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        answer = json.loads(await get(http, f"{path}?kpi=revenue" if path.endswith(("history", "recent")) else path))
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(answer)


def _references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [name for value in part.values() for name in _references(value)]
    return [name for value in part for name in _references(value)] if isinstance(part, list) else []


class Events:
    """Reads server-sent events one by one."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self, deadline_s: float = 10.0) -> tuple[str, dict[str, Any]]:
        fields: dict[str, str] = {}
        async with asyncio.timeout(deadline_s):
            while True:
                line = (await self._response.content.readline()).decode().rstrip("\n")
                if not line and "data" in fields:
                    assert fields["id"]
                    return fields["event"], json.loads(fields["data"])
                name, _, text = line.partition(": ")
                fields[name] = text

    async def next_with_values(self) -> tuple[str, dict[str, Any]]:
        while True:
            name, data = await self.next()
            if data["series"]:
                return name, data


def values_of(data: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{v['kpi']}|{v['window']}|{v['dimensions'].get('rep', '')}": v["value"] for v in data["series"]}


@pytest.mark.asyncio
async def test_the_stream_begins_with_a_snapshot_and_goes_on_with_what_changes(
    http: aiohttp.ClientSession, sink: RedisSink
) -> None:
    async with http.get("/api/v1/stream?kpis=revenue,revenue@rep&window=today") as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"retry: 2000\n"
        events = Events(response)
        name, data = await events.next()
        assert name == "snapshot"
        assert values_of(data) == {"revenue|today|": 10.5, **{f"revenue|today|r-{n}": n for n in range(3)}}
        assert data["page"]["ttl_ms"] == 120_000
        await sink.publish(publication([kpi_value("revenue", value=11, revision=2)], position=2))
        await sink.publish(publication([kpi_value("win_rate", value=1)], position=3))
        await sink.publish(publication([kpi_value("revenue", dimensions={"rep": "r-1"}, value=5)], position=4))
        await sink.flush()
        name, data = await events.next_with_values()
        assert name == "delta"
        assert values_of(data) == {"revenue|today|": 11, "revenue|today|r-1": 5}


@pytest.mark.asyncio
@pytest.mark.parametrize(("query", "every_s"), [("wall&window=today", 1.0), ("kpis=revenue&window=today", 0.03)])
async def test_deltas_come_at_an_interval_with_the_newest_values(
    query: str, every_s: float, http: aiohttp.ClientSession, sink: RedisSink
) -> None:
    async def change() -> None:
        for value in range(2, 10_000):
            await sink.publish(publication([kpi_value("revenue", value=value)], position=value))
            await sink.flush()
            await asyncio.sleep(0.01)

    async with http.get(f"/api/v1/stream?{query}") as response:
        events = Events(response)
        await events.next()
        changing = asyncio.create_task(change())
        loop = asyncio.get_running_loop()
        moments, values = [], []
        for _ in range(4):
            _, data = await events.next_with_values()
            moments.append(loop.time())
            values.append(data["series"][0]["value"])
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
    assert moments[-1] - moments[0] > (len(moments) - 2) * every_s, "one interval less: the first may come in late"
    assert values == sorted(set(values))
    assert values[-1] - values[0] > 30 * every_s, "coalesced to the newest, not queued"


@pytest.mark.asyncio
async def test_a_stream_survives_redis_and_says_stale_meanwhile(own_valkey: RedisServer) -> None:
    settings = settings_of(own_valkey)
    sink = RedisSink(settings)
    await sink.publish(SAID)
    await sink.flush()
    wall = await start_wall(settings)
    async with (
        aiohttp.ClientSession(wall.url) as http,
        http.get("/api/v1/stream?kpis=revenue&window=today") as response,
    ):
        events = Events(response)
        assert (await events.next())[1]["quality"] == "live"
        own_valkey.kill()

        async def stale() -> bool:
            return bool((await events.next())[1]["quality"] == "stale")

        await until(stale)
        await own_valkey.start()
        await sink.publish(publication([kpi_value("revenue", value=12)], position=2))
        await until(sink.flush)
        while True:
            _, data = await events.next()
            if data["quality"] == "live" and data["series"]:
                break
        assert values_of(data) == {"revenue|today|": 12}
    await wall.stop()
    await sink.close()


@pytest.mark.asyncio
async def test_a_stream_from_before_the_first_value(http: aiohttp.ClientSession, settings: Settings) -> None:
    async with http.get("/api/v1/stream?kpis=revenue&window=today") as response:
        events = Events(response)
        name, data = await events.next()
        assert (name, data["quality"], data["series"]) == ("snapshot", "stale", [])
        sink = RedisSink(settings)
        await sink.publish(SAID)
        await sink.flush()
        _, data = await events.next_with_values()
        assert values_of(data) == {"revenue|today|": 10.5}
        assert data["quality"] == "live"
        await sink.close()


@pytest.mark.asyncio
async def test_the_stream_of_the_wall_has_what_its_playlist_shows_and_moments(
    valkey: RedisServer,
) -> None:
    tiles = [
        {"kind": "number", "kpi": "revenue", "where": "rep:r-1"},
        {"kind": "ranking", "kpi": "revenue", "by": "team", "window": "ytd"},
    ]
    settings = settings_of(valkey, wall={"pages": [{"title": "Ours", "tiles": tiles}]})
    sink, wall = RedisSink(settings), await start_wall(settings)
    await sink.publish(SAID)
    now = datetime.now(UTC)
    moments = [
        json.dumps(
            {"id": f"m{seconds}", "kind": "deal_won", "occurred_at": (now - timedelta(seconds=seconds)).isoformat()}
        )
        for seconds in (3_600, 61, 5)
    ]
    await sink.publish_moments([moment.encode() for moment in moments])
    await sink.flush()
    async with aiohttp.ClientSession(wall.url) as http:
        version = json.loads(await get(http, "/api/v1/wall"))["version"]
        async with http.get("/api/v1/stream?wall") as response:
            events = Events(response)
            name, data = await events.next()
            assert (name, data["page"]["version"]) == ("snapshot", version)
            assert values_of(data) == {"revenue|today|r-1": 1}
            while name != "moment":
                name, data = await events.next()
            assert data == json.loads(moments[2]), "and not what happened longer ago"
            async with http.get("/api/v1/stream?wall=true&window=today") as second:
                late = Events(second)
                found = [await late.next(), await late.next()]
                assert values_of(found[0][1]) == {"revenue|today|r-1": 1, "revenue|today|": 7}
                assert [name for name, _ in found] == ["snapshot", "moment"], "who comes a little later sees it too"
            told = json.dumps({"id": "new", "kind": "goal_reached", "occurred_at": now.isoformat()}).encode()
            await sink.publish_moments([told, moments[2].encode()])
            await sink.flush()
            names = {}
            while "new" not in names:
                name, data = await events.next()
                names[data.get("id")] = name
            assert names["new"] == "moment"
            assert "m5" not in names, "it was told already"
    await wall.stop()
    await sink.close()
