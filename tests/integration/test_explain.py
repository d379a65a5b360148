"""`salespulse explain` and `GET /api/v1/explain` over a running worker, with real Kafka and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from agents.brokers import Broker, RedisServer, free_port
from agents.kafka import producer
from agents.wall import start_wall
from schemas.settings import settings_from
from schemas.windows import MINUTE_MS
from streams.redis_view import RedisSink
from tests.e2e.product import Installation, Process, installed
from tests.publications import kpi_value, publication

NOON_MS = 1_731_412_800_000  # Tuesday, 12 November 2024, 12:00 UTC
LATE_ID = "deal.won-99"
_TABLES: dict[str, Any] = {
    "kafka": {"partitions": 2, "source_partitions": 2},
    "time": {"clock": "event"},
    "money": {"currency": "EUR"},
}


def event(event_type: str, number: int, minutes: int, **fields: Any) -> dict[str, Any]:
    at_ms = NOON_MS + minutes * MINUTE_MS
    return {"event_id": f"{event_type}-{number}", "event_type": event_type, "occurred_at": at_ms, **fields}


def sales_days() -> list[tuple[str, dict[str, Any]]]:
    """What happened in the days before noon, in order of event time, each with the key of its topic."""
    found: list[tuple[str, dict[str, Any]]] = [
        (
            "targets",
            event("target.set", 0, -10_000, target_id="g", period="month", start="2024-11-01", value=900_000)
            | {"kpi": "revenue", "kind": "currency"},
        ),
    ]
    for number in range(40):
        of = {"account_id": f"a{number % 9}", "rep_id": f"r{number % 3}"}
        at = number * 97 - 4_000
        deal = {"deal_id": f"d{number}", "amount": 1_000 * number, **of}
        found += [
            ("leads", event("lead.created", number, at, lead_id=f"l{number}", source="ads", **of)),
            ("calls", event("call.completed", number, at + 3, outcome="connected", account_id=of["account_id"])),
            ("deals", event("deal.created", number, at + 5, **deal)),
        ]
        if number % 4:
            found.append(("deals", event("deal.won" if number % 4 < 3 else "deal.lost", number, at + 40, **deal)))
        if number % 8 == 1:
            found.append(("deals", event("deal.returned", number, at + 70, deal_id=f"d{number}", amount=500, **of)))
    return sorted(found, key=lambda each: each[1]["occurred_at"])


LATE = event(
    "deal.won", 99, -3 * 1_440, event_id=LATE_ID, account_id="late", deal_id="late", rep_id="r1", amount=77_700
)
BROKEN = (
    b'{"event_id": "x", ',
    json.dumps(event("deal.won", 100, -500, account_id="a1", deal_id="x", amount=5, currency="CHF")).encode(),
    json.dumps(event("service.complaint", 101, -10)).encode(),  # no account; revenue does not count it
)


class Running:
    """A worker and a wall over events that have all been counted."""

    def __init__(self, product: Installation, wall: Process) -> None:
        self.product = product
        self.wall = wall

    async def http(self, query: str, status: int = 200) -> Any:
        found, body = await self.wall.answer(f"/api/v1/explain?{query}")
        assert found == status, body
        return json.loads(body)

    async def up_to_date(self, query: str) -> Any:
        """The explanation of a value, once it is published as it is: other series are told a tick later."""
        found: list[Any] = []

        async def as_it_is() -> bool:
            found[:] = [await self.http(query)]
            return found[0]["moved_on"] is None

        await self.wall.until(as_it_is, deadline_s=20)
        return found[0]

    async def command(self, *arguments: str) -> str:
        return await self.product.run("explain", *arguments)


async def send(product: Installation, messages: Sequence[tuple[str, bytes]]) -> None:
    topics = product.settings.topics.sources()
    sending = await producer(product.settings, client_id="test")
    try:
        for source, value in messages:
            await sending.send_and_wait(topics[source], value)
    finally:
        await sending.stop()


async def until_counted(wall: Process, expected: Mapping[str, int]) -> None:
    """Wait until global series over 30 days have these numerators."""

    async def counted() -> bool:
        body = await wall.get(f"/api/v1/kpis?window=30d&kpi={','.join(expected)}")
        return {each["kpi"]: each["numerator"] for each in json.loads(body or b'{"series":[]}')["series"]} == expected

    await wall.until(counted, deadline_s=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    kafka: Broker, valkey: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """Tests only ask it."""
    where = tmp_path_factory.mktemp("explain")
    with installed(where, kafka.bootstrap_servers, valkey.url, f"{where.name}.", _TABLES) as product:
        await product.run("topics", "create")
        worker, wall = product.start("worker"), product.start("wall")
        await worker.until_ready()
        events = sales_days()
        await send(product, [(source, json.dumps(each).encode()) for source, each in events])
        await send(product, [("deals", json.dumps(events[-1][1]).encode())])  # again: it counts once
        won = [each for _, each in events if each["event_type"] == "deal.won"]
        back = sum(each["amount"] for _, each in events if each["event_type"] == "deal.returned")
        revenue = sum(each["amount"] for each in won) - back
        await until_counted(wall, {"revenue": revenue, "deals_won": len(won), "calls": 40})
        await send(product, [("deals", value) for value in BROKEN])
        await send(product, [("deals", json.dumps(LATE).encode())])
        await until_counted(wall, {"revenue": revenue + 77_700, "deals_won": len(won) + 1, "calls": 40})

        async def buried() -> bool:
            text = (await worker.get("/metrics") or b"").decode()
            lines = [line for line in text.splitlines() if line.startswith("salespulse_dead_letters_total{")]
            return sum(float(line.rpartition(" ")[2]) for line in lines) == len(BROKEN)

        await worker.until(buried, deadline_s=20)
        running = Running(product, wall)

        async def restated() -> bool:
            return bool((await running.http("kpi=revenue&window=30d"))["restatements"])

        await wall.until(restated, deadline_s=20)  # told with the cells of all series, once a tick
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_a_number_is_explained_down_to_its_events(running: Running) -> None:
    found = await running.http("kpi=revenue&window=30d&events&limit=1000")
    value, events = found["value"], found["events"]
    assert found["moved_on"] is None
    assert {each["label"] for each in found["readings"]} == {"won_amount", "returned_amount"}
    assert sum(each["numerator"] for each in events["events"]) == value["numerator"]
    assert sum(each["numerator"] for each in found["slices"]["slices"]) == value["numerator"]
    assert events["difference"] == {}
    assert events["count"] == len(events["events"])
    assert len({each["event_id"] for each in events["events"]}) == events["count"]
    by_id = {each["event_id"]: each for each in events["events"]}
    assert by_id[LATE_ID]["adds"] == [{"reading": "won_amount", "at": "2024-11-09T12:00:00Z", "amount": 77_700}]
    assert by_id[LATE_ID]["topic"] == running.product.settings.topics.deals

    # What is late, what is missing.
    (restated,) = found["restatements"]
    assert restated["after"]["numerator"] - restated["before"]["numerator"] == 77_700
    assert [cause["event_id"] for cause in restated["events"]] == [LATE_ID]
    letters = found["dead_letters"]
    assert letters["reasons"] == {"unknown_currency": 1}  # what has no time counts by when it failed: today
    assert letters["letters"][0]["event_id"] == "deal.won-100"

    # The command says the same, and people can read it.
    said = await running.command("revenue", "--window", "30d", "--events", "--limit", "1000", "--json")
    assert json.loads(said) == found
    text = await running.command("revenue", "--window", "30d", "--events", "--limit", "3")
    text = text.removeprefix(said)  # one log file for both
    assert "exactly the number" in text
    assert f"{events['count']} events count" in text
    assert f"salespulse dlq show {letters['letters'][0]['number']}" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.asyncio(loop_scope="module")
async def test_under_every_dimension_a_value_is_made_up_by_its_events(running: Running) -> None:
    body = await running.wall.get("/api/v1/kpis?by=*&window=30d,mtd")
    series = [each for each in json.loads(body or b"")["series"] if each["kpi"] in EXPLAINED]
    assert {each["kpi"] for each in series} == EXPLAINED
    one_of_each = {(each["kpi"], each["window"], *each["dimensions"]): each for each in series}
    for each in one_of_each.values():
        where = "".join(f"&where={name}:{quote(value)}" for name, value in each["dimensions"].items())
        found = await running.up_to_date(f"kpi={each['kpi']}&window={each['window']}{where}&events&limit=0")
        assert found["events"]["difference"] == {}, each


EXPLAINED = {
    "win_rate",
    "calls",
    "average_ticket",
    "active_customers",
    "open_deals",
    "weakest_stage",
    "abc_share",
    "ltv",
    "target_attainment",
    "sales_cycle_p90",
}


@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_explained_says_why(running: Running) -> None:
    unknown = await running.http("kpi=revenue&where=rep:r99", 404)
    assert "no value of revenue|30d|rep=r99" in unknown["detail"]
    elsewhere = await running.http("kpi=target_attainment&window=30d&where=target:g", 404)
    assert "but over mtd" in elsewhere["detail"]
    assert "did you mean revenue?" in (await running.http("kpi=revenu", 400))["detail"]
    assert "one value is explained at a time" in (await running.http("kpi=revenue,calls", 400))["detail"]
    assert "allowed is an integer" in (await running.http("kpi=revenue&limit=many", 400))["detail"]


@pytest.mark.asyncio
async def test_without_kafka_the_route_says_so(valkey: RedisServer, topic_prefix: str) -> None:
    settings = settings_from(
        {
            "redis": {"url": valkey.url, "prefix": topic_prefix},
            "http": {"port": 0},
            "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
        }
    )
    sink, wall = RedisSink(settings), await start_wall(settings)
    try:
        await sink.publish(publication([kpi_value("revenue", "30d", value=1, numerator=100)], complete=True))
        assert await sink.flush()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(wall.url.rpartition(":")[2]))
        writer.write(b"GET /api/v1/explain?kpi=revenue HTTP/1.1\r\nHost: wall\r\nConnection: close\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 503")
        assert "application/problem+json" in answer
        assert "Kafka at 127.0.0.1" in answer
    finally:
        await wall.stop()
        await sink.close()
