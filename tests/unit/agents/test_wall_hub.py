"""Those who listen hear of changes again after whatever went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.wall.hub import Hub
from streams.redis_view import Answer, Freshness, Query, Selection, Update
from streams.redis_view.reader import Updates
from tests.polling import until

LIVE = Freshness(None, None, "live", 1, None, 0)


class Faulty:
    """A reader whose first answers about changes are faults that nobody thought of."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.asked = 0

    async def changes(self) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    async def read(self, _query: Query) -> Answer:
        return Answer(LIVE, [], "1-0")

    async def updates(self, since: str) -> Updates:
        self.asked += 1
        if self.asked <= self.faults:
            raise ValueError("not what was expected")
        return Updates(LIVE, [Update("2-0", "revenue|today|", b"{}")], since, gap=False, moments=[])


@pytest.mark.asyncio
async def test_a_fault_is_logged_and_told_and_reading_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agents.wall.hub._POLL_S", 0.02)
    reader: Any = Faulty(faults=2)
    async with Hub(reader).subscribed(Query(("today",), (Selection(),))) as subscriber:
        subscriber.reset = False  # it has had its snapshot
        qualities: list[str] = []
        offer = subscriber.offer

        def overheard(freshness: Freshness, entries: list[Update], *, wake: bool = True) -> None:
            qualities.append(freshness.quality)
            offer(freshness, entries, wake=wake)

        monkeypatch.setattr(subscriber, "offer", overheard)

        async def hears() -> bool:
            return bool(subscriber.take())

        await until(hears)
        assert subscriber.reset, "what changed meanwhile is in a new snapshot only"
    assert qualities[:2] == ["stale", "live"]
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


@pytest.mark.asyncio
async def test_faults_without_end_are_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.wall.hub._POLL_S", 0.05)
    reader: Any = Faulty(faults=1_000_000)
    async with Hub(reader).subscribed(Query(("today",), (Selection(),))):
        await asyncio.sleep(0.3)
    assert 1 <= reader.asked <= 7
