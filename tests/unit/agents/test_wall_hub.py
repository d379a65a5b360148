"""Those who listen hear of changes again after whatever went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from agents.wall.hub import Hub, Subscriber
from streams.redis_view import Answer, Freshness, Query, Selection, Update
from streams.redis_view.reader import Updates
from tests.polling import until

LIVE = Freshness(None, None, "live", 1, None, 0)
STALE = Freshness(None, None, "stale", 1, None, 0)
REVENUE = Query(("today",), (Selection(("revenue",)),))


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

        def overheard(freshness: Freshness, entries: Iterable[Update]) -> None:
            qualities.append(freshness.quality)
            offer(freshness, entries)

        monkeypatch.setattr(subscriber, "offer", overheard)

        async def hears() -> bool:
            return bool(subscriber.take())

        await until(hears)
        assert subscriber.reset, "what changed meanwhile is in a new snapshot only"
    assert qualities[:3] == ["stale", "stale", "live"]
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


@pytest.mark.asyncio
async def test_faults_without_end_are_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.wall.hub._POLL_S", 0.05)
    reader: Any = Faulty(faults=1_000_000)
    async with Hub(reader).subscribed(Query(("today",), (Selection(),))):
        await asyncio.sleep(0.3)
    assert 1 <= reader.asked <= 7


def told(freshness: Freshness) -> Subscriber:
    """One who has had its snapshot, and was told so."""
    subscriber = Subscriber(REVENUE)
    subscriber.reset = False
    subscriber.tell(freshness)
    return subscriber


def test_what_was_sent_as_stale_comes_anew_when_it_is_not_any_more() -> None:
    subscriber = told(LIVE)
    subscriber.offer(LIVE, [Update("2-0", "revenue|today|", b"{}")])
    subscriber.offer(STALE, ())  # before it was sent, so that it is sent as stale
    subscriber.tell(STALE)
    assert len(subscriber.take()) == 1
    subscriber.wake.clear()
    subscriber.offer(LIVE, ())
    assert subscriber.wake.is_set()
    assert subscriber.reset


def test_silence_is_told_again_to_whoever_got_an_older_snapshot_after_it() -> None:
    subscriber = told(LIVE)
    subscriber.offer(STALE, ())
    subscriber.tell(LIVE)  # a snapshot that was read before
    subscriber.wake.clear()
    subscriber.offer(STALE, ())
    assert subscriber.wake.is_set()
    assert not subscriber.reset


def test_what_came_while_its_snapshot_was_read_is_sent_if_it_is_not_in_it() -> None:
    subscriber = Subscriber(Query(("today", "7d"), (Selection(("revenue",)),)))
    subscriber.begin_snapshot()
    subscriber.offer(LIVE, [Update("2-0", "revenue|today|", b"{}")])
    subscriber.end_snapshot("2-0", LIVE)
    assert not subscriber.wake.is_set()
    subscriber.ask_snapshot()
    subscriber.begin_snapshot()
    subscriber.offer(LIVE, [Update("3-0", "revenue|today|", b"{}"), Update("4-0", "revenue|7d|", b"{}")])
    subscriber.end_snapshot("3-0", LIVE)
    assert subscriber.wake.is_set()
    assert [entry.id for entry in subscriber.take()] == ["4-0"]


def test_what_is_lost_while_a_snapshot_is_read_needs_another() -> None:
    subscriber = Subscriber(REVENUE)
    subscriber.begin_snapshot()
    subscriber.ask_snapshot()
    subscriber.end_snapshot("2-0", LIVE)
    assert subscriber.wake.is_set()
    assert subscriber.reset


def test_a_snapshot_is_no_reason_for_another_when_values_are_live_again_meanwhile() -> None:
    subscriber = told(STALE)
    subscriber.offer(LIVE, ())
    subscriber.begin_snapshot()
    subscriber.offer(LIVE, ())
    subscriber.end_snapshot("2-0", LIVE)
    assert not subscriber.reset
    assert not subscriber.wake.is_set()


def test_how_fresh_values_are_is_told_once_a_second_and_what_they_are_worth_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 10.0
    monkeypatch.setattr("agents.wall.hub.time.monotonic", lambda: now_s)
    subscriber = told(LIVE)
    newer = Freshness("2026-03-02T10:00:00Z", None, "live", 2, 0, 0)
    subscriber.offer(LIVE, ())
    assert not subscriber.wake.is_set()
    now_s = 10.9
    subscriber.offer(newer, ())
    assert not subscriber.wake.is_set()
    now_s = 11.0
    subscriber.offer(newer, ())
    assert subscriber.wake.is_set()
    subscriber.wake.clear()
    subscriber.offer(Freshness(None, None, "partial", 2, 0, 0), ())
    assert subscriber.wake.is_set()
