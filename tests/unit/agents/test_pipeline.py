"""What is said of cells is said in order, and owners of series have room in turn for what they publish."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import msgspec
import pytest

from agents.emission import Emitter
from agents.generations import state_names
from agents.kafka import AIOKafkaProducer, KafkaError
from agents.kpi_topics import KpiTopics
from agents.lease import Lease
from agents.outlet import Outlet
from agents.pipeline import Pipeline
from agents.sinks import Sinks
from schemas.errors import UnavailableError
from schemas.frames import decode_frame
from schemas.settings import settings_from
from schemas.windows import RESOLUTIONS
from schemas.wire import CellsMessage, CellUpdate
from streams.clock import wall_ms
from streams.publication import Publication
from streams.rollup.owner import Rollup
from tests.harness import PurePipeline
from tests.polling import until
from tests.unit.streams.rows import CALENDAR, plan_of, rollup_rules


class SlowProducer:
    """Takes no message until it is let; remembers the fences in the order in which they came through."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.asked = 0
        self.fences: list[int] = []

    async def send(self, _topic: str, payload: bytes, **_where: Any) -> asyncio.Future[None]:
        self.asked += 1
        if self.asked == 1:
            await self.free.wait()
        self.fences += {message.fence for message in msgspec.msgpack.decode(payload, type=list[CellsMessage])}
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def celebrate(_moments: object) -> None: ...


@pytest.mark.asyncio
async def test_an_emission_does_not_overtake_that_of_a_checkpoint() -> None:
    settings = settings_from({"kafka": {"partitions": 1}})
    pure = PurePipeline(settings, partitions=1, frame_events=1)
    pure.send(
        {"event_id": str(n), "event_type": "call.completed", "occurred_at": 1_700_000_000_000 + n, "account_id": "a"}
        for n in range(2)
    )
    slow = SlowProducer()
    producer = cast(AIOKafkaProducer, slow)

    pipeline = Pipeline(settings, pure.plan, producer, Outlet(settings, producer, celebrate), state_names(settings))
    fold = pipeline.folds[0] = pure.new_fold(0)
    pure_frames = iter(pure.logs[0])

    def take_next() -> None:
        offset = fold.fence + 1
        fold.fold(offset, decode_frame(next(pure_frames)))

    take_next()
    checkpoint = asyncio.ensure_future(pipeline.checkpoint())

    async def waits() -> bool:
        return slow.asked == 1

    await until(waits)
    take_next()
    emission = asyncio.ensure_future(pipeline.emit())
    await asyncio.wait({emission}, timeout=0.05)  # time enough to overtake
    slow.free.set()
    await emission
    checkpoint.cancel()
    await asyncio.wait({checkpoint})
    assert slow.fences == [0, 1]


@pytest.mark.asyncio
async def test_once_closed_nothing_is_folded_taken_or_told_but_what_was_folded_can_be_made_durable() -> None:
    pure = PurePipeline(settings_from({"kafka": {"partitions": 1}}), partitions=1, frame_events=1)
    pure.send([_call(0), _call(1)])
    pipeline = under_way(leads(0, "", "rep=r1"))
    fold = pipeline.folds[0] = pure.new_fold(0)
    pipeline._checkpoints.add_fold(0)
    pipeline._checkpoints.add_rollup(0)
    first, second, *_ = pure.logs[0]
    await pipeline.take_frame(0, 0, first, object())
    pipeline.close()
    await pipeline.take_frame(0, 1, second, object())
    await pipeline.take_cells(0, 7, msgspec.msgpack.encode([leads(1, "rep=r1")]), None)
    assert fold.fence == 0
    assert pipeline.rollups[0].position == -1
    assert [only async for only in pipeline.publishing.publications(global_only=False)] == []
    assert [offset for offset, _ in pipeline._checkpoints.frames[0]] == [0]
    assert fold.checkpoint().fence == 0


class RefusingProducer:
    """Takes cells and never gets them acknowledged; whatever else it is asked for is a fault."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self.sent: list[str] = []

    async def send(self, topic: str, *_: Any, **_where: Any) -> asyncio.Future[None]:
        self.sent.append(topic)
        if self._at_once:
            raise KafkaError
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(KafkaError())
        return refused


async def with_one_call(producer: object) -> Pipeline:
    """A pipeline of one log partition that has folded one call."""
    settings = settings_from({"kafka": {"partitions": 1}})
    pure = PurePipeline(settings, partitions=1, frame_events=1)
    pure.send([_call(0)])
    client = cast(AIOKafkaProducer, producer)
    pipeline = Pipeline(settings, pure.plan, client, Outlet(settings, client, celebrate), state_names(settings))
    pipeline.folds[0] = pure.new_fold(0)
    pipeline._checkpoints.add_fold(0)
    await pipeline.take_frame(0, 0, pure.logs[0][0], Mock())
    return pipeline


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.asyncio
async def test_what_was_not_emitted_is_never_checkpointed(*, at_once: bool) -> None:
    producer = RefusingProducer(at_once=at_once)
    pipeline = await with_one_call(producer)
    with contextlib.suppress(KafkaError):
        await pipeline.emit()
    await asyncio.sleep(0)  # the refusal is heard of
    assert pipeline.failure is not None or at_once
    with pytest.raises(UnavailableError, match="did not take cells") if at_once else contextlib.nullcontext():
        await pipeline.checkpoint()
    assert set(producer.sent) == {pipeline._cells}
    pipeline._checkpoints.frames[0][0][1].ack.assert_not_called()


@pytest.mark.asyncio
async def test_what_failed_by_half_is_neither_told_nor_checkpointed() -> None:
    slow = SlowProducer()
    slow.free.set()
    pipeline = await with_one_call(slow)
    pipeline.fail(ValueError("a fault inside the fold"))
    await pipeline.emit()
    await pipeline.checkpoint()
    assert slow.asked == 0
    await pipeline.reassign("rollup", set(), set())
    assert pipeline.publishing.revoked, "an assignment lets nothing out either"


@pytest.mark.asyncio
async def test_what_fails_while_folds_are_checkpointed_is_not_made_durable() -> None:
    slow = SlowProducer()
    pipeline = await with_one_call(slow)
    other = pipeline.folds[1] = PurePipeline(settings_from({}), partitions=1).new_fold(1)
    other.fence = 0
    checkpoint = asyncio.ensure_future(pipeline.checkpoint())

    async def waits() -> bool:
        return slow.asked == 1

    await until(waits)
    pipeline.fail(ValueError("a fault inside the fold of the other"))
    slow.free.set()
    await checkpoint
    assert slow.asked == 1, "the other is not even told"
    pipeline._checkpoints.frames[0][0][1].ack.assert_not_called()


@pytest.mark.asyncio
async def test_what_fails_while_rollups_are_checkpointed_is_not_made_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = under_way(leads(0, ""), leads(0, "rep=r"))
    first, second = pipeline.rollups.values()
    pipeline._checkpoints.messages = {0: deque([(0, Mock())]), 1: deque([(0, Mock())])}
    take, never = first.checkpoint, Mock()

    def take_and_fail() -> Any:
        asyncio.get_running_loop().call_soon(pipeline.fail, ValueError("a fault inside the other"))
        return take()

    monkeypatch.setattr(first, "checkpoint", take_and_fail)
    monkeypatch.setattr(second, "checkpoint", never)
    await pipeline.checkpoint()
    never.assert_not_called()
    assert [messages[0][1].ack.called for messages in pipeline._checkpoints.messages.values()] == [False, False]


@pytest.mark.asyncio
async def test_frames_that_nobody_commits_are_not_remembered() -> None:
    pure = PurePipeline(settings_from({"kafka": {"partitions": 1}}), partitions=1, frame_events=1)
    pure.send([_call(0), _call(1)])
    pipeline = under_way()
    pipeline.folds[0] = pure.new_fold(0)
    pipeline._checkpoints.add_fold(0)
    for offset, raw in enumerate(pure.logs[0]):
        await pipeline.take_frame(0, offset, raw, None)
    assert pipeline.folds[0].fence == len(pure.logs[0]) - 1
    assert not pipeline._checkpoints.frames[0]


_Said = tuple[PurePipeline, list[CellsMessage], list[CellsMessage]]
"""Folds, what they say of a sale, and what they say of sales on days before it that come late."""


class Told:
    """A pipeline of one owner, and what it tells of days that are over."""

    def __init__(self, pure: PurePipeline) -> None:
        self.outlet = Mock()
        self.pipeline = Pipeline(pure.settings, pure.plan, Mock(), self.outlet, state_names(pure.settings))
        self.rollup = self.pipeline.rollups[0] = pure.new_rollup()
        self.pipeline._checkpoints.add_rollup(0)

    def take(self, offset: int, messages: list[CellsMessage]) -> Coroutine[Any, Any, int | None]:
        return self.pipeline.take_cells(0, offset, msgspec.msgpack.encode(messages), Mock())

    @property
    def restatements(self) -> dict[str, tuple[object, object]]:
        calls = self.outlet.restated.call_args_list
        return {each.id: (each.before, each.after) for call in calls for each in call.args[1]}


def _late(day: int) -> dict[str, Any]:
    won = {"event_type": "deal.won", "deal_id": f"d{day}", "amount": 100, "rep_id": "r1"}
    return {"event_id": f"day {day}", "account_id": "a", "occurred_at": 1_700_000_000_000 - day * 86_400_000, **won}


@pytest.fixture
def before_and_late(monkeypatch: pytest.MonkeyPatch) -> _Said:
    monkeypatch.setattr("agents.pipeline.TURN_S", 0.0)
    pure = PurePipeline(settings_from({"time": {"clock": "event"}, "kafka": {"partitions": 1}}), partitions=1)
    said = []
    for events in ([_late(0)], [_late(day) for day in (5, 2, 40)]):
        pure.send(events)
        pure.fold_all()
        said.append(pure.messages())
    return pure, said[0], said[1]


@pytest.mark.asyncio
async def test_what_is_checkpointed_between_restatements_leaves_none_of_them_out(before_and_late: _Said) -> None:
    pure, before, late = before_and_late
    undisturbed = Told(pure)
    for offset, messages in enumerate((before, late)):
        await undisturbed.take(offset, messages)
    assert len(undisturbed.restatements) > 20
    crashes = 0
    for crash_after in range(1, 1_000):
        first = Told(pure)
        await first.take(0, before)
        work = first.take(1, late)
        try:
            for _ in range(crash_after):
                work.send(None)
        except StopIteration:
            break
        position, records, marker = first.rollup.checkpoint()
        assert position == 0
        second = Told(pure)
        second.rollup.recover({key: record for key, record in (*records, marker) if record is not None}, (), 0)
        await second.take(1, late)
        assert second.restatements == undisturbed.restatements
        assert second.rollup.position == 1
        work.close()
        crashes += 1
    assert crashes > 5, "others have their turn between days of a series"


@pytest.mark.asyncio
async def test_once_closed_no_further_restatement_is_computed_and_none_counts_as_told(before_and_late: _Said) -> None:
    pure, before, late = before_and_late
    told = Told(pure)
    await told.take(0, before)
    work = told.take(1, late)
    work.send(None)
    some = len(told.restatements)
    told.pipeline.close()
    with pytest.raises(StopIteration):
        work.send(None)
    assert len(told.restatements) == some
    assert told.rollup.position == 0
    assert not told.rollup._restater.told


def leads(fence: int, *dims: str) -> CellsMessage:
    """Say of each dimension key that there were so many leads a moment ago."""
    now_ms = wall_ms()
    updates = [
        CellUpdate(index, CALENDAR.slice_start(resolution, now_ms - 1), fence, {"leads_created": fence + 1})
        for index, resolution in enumerate(RESOLUTIONS)
    ]
    return CellsMessage(0, fence, now_ms, 0, 0, None, dict.fromkeys(dims, updates))


def under_way(*taken: CellsMessage, every_ms: int = 0) -> Pipeline:
    """A pipeline whose owners have published before: each takes a message, the first has the global series."""
    settings = settings_from({"kafka": {"partitions": 1}})
    plan = plan_of("leads_created", dimensions=("rep",))
    producer = cast(AIOKafkaProducer, SlowProducer())
    pipeline = Pipeline(settings, plan, producer, Outlet(settings, producer, celebrate), state_names(settings))
    for owner, message in enumerate(taken):
        rules = msgspec.structs.replace(rollup_rules(), broken_down_every_ms=every_ms)
        pipeline.rollups[owner] = Rollup(owner, plan, CALENDAR, rules, has_global=owner == 0)
        pipeline.rollups[owner].take(message, wall_ms())
        pipeline.publishing._begun.add(owner)
    return pipeline


@pytest.mark.asyncio
async def test_the_global_series_waits_for_nobody_and_the_others_have_room_for_some_hundred_values_in_turn() -> None:
    reps = [f"rep={n}" for n in range(200)]
    pipeline = under_way(leads(0, *reps), leads(0, *reps))
    publishing = pipeline.publishing

    async def act(*, global_only: bool = False) -> dict[int, set[str]]:
        acts = publishing.publications(global_only=global_only)
        return {each.owner: {value.dims for value in each.values} async for each in acts}

    async def everything() -> list[dict[int, set[str]]]:
        acts = []
        publishing.changed.set()
        while publishing.changed.is_set():
            publishing.changed.clear()
            acts.append(await act())
        return acts

    await everything()
    for fence in range(1, 4):
        messages = [leads(fence, "", *reps), leads(fence, *reps)]
        for owner, message in enumerate(messages):
            pipeline.rollups[owner].take(message, wall_ms())
            publishing.took(owner, [message])
        assert publishing.global_changed.is_set()
        assert publishing.changed.is_set()
        publishing.global_changed.clear()
        assert await act(global_only=True) == {0: {""}}
        assert await act(global_only=True) == {}
        acts = await everything()
        assert all(0 < sum(map(len, each.values())) <= 250 for each in acts[:-1])
        assert set().union(*(each.get(0, set()) for each in acts)) >= set(reps)
        assert set().union(*(each.get(1, set()) for each in acts)) == set(reps)
        assert len({next(iter(each)) for each in acts[:2]}) == 2, "owners have it in turn"
    pipeline.rollups[1].take(leads(4, reps[0]), wall_ms())
    publishing.took(1, [leads(4, reps[0])])
    assert not publishing.global_changed.is_set()
    assert publishing.changed.is_set()


@pytest.mark.asyncio
async def test_an_owner_that_has_nothing_due_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = under_way(leads(0, "rep=a"), leads(0, "rep=b"), every_ms=1_000)
    began_ms = now_ms = wall_ms()
    monkeypatch.setattr("agents.publishing.wall_ms", lambda: now_ms)

    async def act() -> dict[int, int]:
        return {each.owner: len(each.values) async for each in pipeline.publishing.publications(global_only=False)}

    assert sorted(await act()) == [0, 1]
    pipeline.rollups[1].take(leads(1, "rep=b"), wall_ms())
    now_ms = began_ms + 499
    assert await act() == {}
    now_ms = began_ms + 1_000
    found = await act()
    assert found.keys() == {0, 1}, "now and then all say that they are there"
    assert found[1] > found[0]


@pytest.mark.asyncio
async def test_an_owner_that_waits_for_kafka_has_its_turn_when_it_has_acknowledged() -> None:
    publishing = under_way(leads(0, "")).publishing
    publishing.acknowledged()
    assert not publishing.global_changed.is_set()
    assert [each async for each in publishing.publications({0}, global_only=True)] == []
    publishing.acknowledged()
    assert publishing.global_changed.is_set()
    assert publishing.changed.is_set()


class SlowTopics:
    """Takes values and acknowledges them when it is let; remembers of which owner and series they were."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.taken: list[tuple[int, set[str]]] = []

    def silent(self, _owners: object) -> set[int]:
        return set()

    async def publish(self, publications: Sequence[Publication]) -> list[int]:
        self.taken += [(each.owner, {value.dims for value in each.values}) for each in publications]
        await self.free.wait()
        return []


@pytest.mark.asyncio
async def test_while_the_global_series_waits_for_kafka_its_owner_sends_nothing_else() -> None:
    pipeline, topics = under_way(leads(0, "rep=a")), SlowTopics()
    sending: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        sending.append(asyncio.ensure_future(work))
        return sending[-1]

    view: Any = AsyncMock(wants_everything=Mock(return_value=False))
    sinks = Sinks(pipeline, view, view, cast(KpiTopics, topics), Lease(60.0), spawn)
    await sinks.publish(global_only=False)
    pipeline.rollups[0].take(leads(1, "", "rep=a"), wall_ms())
    waiting = asyncio.ensure_future(sinks.publish(global_only=True))
    await asyncio.sleep(0)  # it has begun to wait
    await sinks.publish(global_only=False)
    assert len(topics.taken) == 1, "before Kafka has acknowledged nothing is sent"
    changed = pipeline.publishing.changed
    changed.clear()

    async def others() -> None:
        await changed.wait()
        await sinks.publish(global_only=False)

    at_once = asyncio.ensure_future(others())
    await asyncio.sleep(0)
    topics.free.set()
    await asyncio.gather(at_once, waiting)
    assert changed.is_set(), "now the others have their turn"
    await asyncio.gather(*sending)
    await sinks.publish(global_only=False)
    await asyncio.gather(*sending)
    assert topics.taken == [(0, {"rep=a"}), (0, {""}), (0, {"rep=a"})]


@pytest.mark.asyncio
async def test_nothing_is_told_between_the_loss_of_partitions_and_the_next_assignment() -> None:
    pipeline = under_way(leads(0, ""))

    async def told() -> int:
        return sum([len(each.values) async for each in pipeline.publishing.publications(global_only=True)])

    pipeline.revoke()
    assert await told() == 0
    pipeline.publishing.revoked = False  # as the next assignment says
    assert await told() > 0


def test_of_series_with_dimensions_something_is_said_once_a_tick_and_at_every_checkpoint() -> None:
    settings = settings_from({"kafka": {"partitions": 1}, "time": {"tick": "1h"}, "redis": {"ttl": "1d"}})
    pure = PurePipeline(settings, partitions=1, frame_events=1)
    failures: list[BaseException] = []
    emitter = Emitter(settings, "cells", cast(AIOKafkaProducer, SlowProducer()), failures.append)
    offsets = iter(range(4))

    def said(*, everything: bool = False) -> set[str]:
        n = next(offsets)
        pure.send([_call(n)])
        pure.fold_all()
        found = emitter.take({0: pure.folds[0]}, everything=everything)
        return {dims for messages in found.values() for message in messages for dims in message.cells}

    assert said() == {"", "rep=r"}
    assert said() == {""}
    assert said() == {""}
    assert said(everything=True) == {"", "rep=r"}


def test_partitions_say_everything_once_a_tick_each_at_a_moment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from({"kafka": {"partitions": 4}, "time": {"tick": "1s"}})
    pure = PurePipeline(settings, partitions=4)
    emitter = Emitter(settings, "cells", cast(AIOKafkaProducer, SlowProducer()), Mock())
    folds, now_ms, taken = dict(enumerate(pure.folds)), 1_700_000_000_000, list[int]()
    monkeypatch.setattr("agents.emission.wall_ms", lambda: now_ms)
    for fold in folds.values():
        monkeypatch.setattr(fold, "take_changed", partial(_note_and_take, taken, fold.partition, fold.take_changed))
    emitter.take(folds)
    assert taken == [0, 1, 2, 3], "the first time all of them"
    for second in range(3):
        taken.clear()
        for tenth in range(1, 11):
            now_ms = 1_700_000_000_000 + 1_000 * second + 100 * tenth
            before = len(taken)
            emitter.take(folds)
            assert len(taken) <= before + 1
        assert sorted(taken) == [0, 1, 2, 3]


def _note_and_take(taken: list[int], partition: int, take: Callable[[], Any]) -> Any:
    taken.append(partition)
    return take()


def test_cells_and_values_are_the_same_whether_they_were_told_in_parts_or_not() -> None:
    settings = settings_from({"kafka": {"partitions": 1}})
    at_once, in_parts = (PurePipeline(settings, partitions=1, frame_events=3) for _ in range(2))
    wall = 1_700_000_600_000
    for n in range(0, 60, 6):
        for pure in (at_once, in_parts):
            pure.send(_call(number) for number in range(n, n + 6))
            pure.fold_all()
        (fold,) = in_parts.folds
        in_parts.rollup.take(CellsMessage(0, fold.fence, fold.newest_ms, 0, 0, None, fold.take_changed_global()), wall)
        if n % 4 == 0:
            in_parts.emit(wall)
    at_once.emit(wall)
    in_parts.emit(wall)
    assert in_parts.cells() == at_once.cells()
    right, found = at_once.publish(wall), in_parts.publish(wall)
    assert {key: value.payload for key, value in found.items()} == {key: value.payload for key, value in right.items()}


def _call(n: int) -> dict[str, object]:
    return {
        "event_id": str(n),
        "event_type": "call.completed",
        "occurred_at": 1_700_000_000_000 + 7_000 * n,
        "account_id": f"a{n % 5}",
        "rep_id": "r",
    }
