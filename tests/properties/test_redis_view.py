"""Whatever order owners change in, zombies speak in and keys get lost in: in the end Redis holds the owner's values."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any, Final

import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from agents.brokers import RedisServer
from schemas.settings import settings_from
from streams.history import History, HistoryPoint, HistoryStep
from streams.redis_view import Query, RedisReader, RedisSink, Selection
from tests.properties.profile import examples
from tests.publications import START_MS, kpi_value, publication

OWNERS: Final = 2
REPS: Final = 3
STEPS: Final[dict[str, HistoryStep]] = {"today": "1h", "all": "1d"}
EVERYTHING: Final = Query(("today", "all"), (Selection(by="*"),))

owners = st.integers(0, OWNERS - 1)
series = st.tuples(st.sampled_from(("today", "all")), st.integers(0, REPS - 1))
values = st.dictionaries(series, st.one_of(st.none(), st.integers(0, 99)), max_size=4)
steps = st.one_of(
    st.tuples(st.just("publish"), owners, values),
    st.tuples(st.just("zombie"), owners, values),
    st.tuples(st.just("move"), owners),
    st.tuples(st.just("flush"), st.integers(0, 1)),
    st.tuples(st.just("lose"), st.sampled_from(("*", "*:meta", "*:kpi:today", "*:kpi:*", "*:rank:*", "*:history:*"))),
)


class Story:
    """Two workers, of which one owns each owner's series and the other is a zombie that once did."""

    def __init__(self, url: str) -> None:
        self.settings = settings_from({"redis": {"url": url, "prefix": f"t{uuid.uuid4().hex[:8]}"}})
        self.sinks = (RedisSink(self.settings), RedisSink(self.settings))
        self.raw = redis.asyncio.Redis.from_url(url)
        self.truth: list[dict[tuple[str, int], int | None]] = [{} for _ in range(OWNERS)]
        self.writer = [0] * OWNERS
        self.position = [10] * OWNERS
        self.zombie_position = [9] * OWNERS

    async def tell(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("publish", owner, said):
                self.position[owner] += 1
                self.truth[owner] |= said
                await self.say(self.writer[owner], owner, self.position[owner], said)
            case ("zombie", owner, said):
                await self.say(1 - self.writer[owner], owner, self.zombie_position[owner], said)
            case ("move", owner):
                # What the loser read last, nobody else was the first to read: a state is a function of its position.
                self.zombie_position[owner] = self.position[owner] + 1
                self.position[owner] += 2
                self.writer[owner] = 1 - self.writer[owner]
                await self.say(self.writer[owner], owner, self.position[owner], self.truth[owner], complete=True)
            case ("flush", sink):
                assert await self.sinks[sink].flush(), self.sinks[sink].problem
            case ("lose", what):
                async for key in self.raw.scan_iter(self.settings.redis.prefix + what):
                    await self.raw.delete(key)

    async def say(
        self, sink: int, owner: int, position: int, said: dict[tuple[str, int], int | None], *, complete: bool = False
    ) -> None:
        made = [
            kpi_value("revenue", window, {"rep": f"{owner}-{rep}"}, value=value, revision=position)
            for (window, rep), value in said.items()
        ]
        await self.sinks[sink].publish(publication(made, owner=owner, position=position, complete=complete))
        points = [
            HistoryPoint("revenue", f"rep={owner}-{rep}", STEPS[window], START_MS, value, value, None)
            for (window, rep), value in said.items()
        ]
        await self.sinks[sink].publish_history(History(owner, position, START_MS, points, complete))

    async def end(self) -> None:
        for owner in range(OWNERS):
            await self.tell(("publish", owner, {("today", 0): 1}))
        for sink in (0, 1, 0, 1):
            await self.tell(("flush", sink))

    async def close(self) -> None:
        for sink in self.sinks:
            await sink.close()
        await self.raw.aclose()
        await self.raw.connection_pool.disconnect()


@given(st.lists(steps, max_size=25))
@examples(60)
def test_the_owners_values_stand_in_the_end(valkey: RedisServer, story: list[tuple[Any, ...]]) -> None:
    asyncio.run(play(valkey.url, story))


async def play(url: str, steps_taken: list[tuple[Any, ...]]) -> None:
    story, reader = Story(url), None
    try:
        for step in steps_taken:
            await story.tell(step)
        await story.end()
        reader = RedisReader(story.settings)
        answer = await reader.read(EVERYTHING)
        found = {key: json.loads(payload)["value"] for key, payload in answer.series}
        expected = {
            f"revenue|{window}|rep={owner}-{rep}": value
            for owner, truth in enumerate(story.truth)
            for (window, rep), value in truth.items()
        }
        assert {key: found.get(key) for key in expected} == expected
        assert answer.freshness.version == sum(story.position)
        for owner, truth in enumerate(story.truth):
            for (window, rep), value in truth.items():
                points = await reader.history("revenue", STEPS[window], f"rep={owner}-{rep}")
                assert [json.loads(point)["value"] for _, point in points] == [value]
        for window in ("today", "all"):
            known = {
                f"{owner}-{rep}": value
                for owner, truth in enumerate(story.truth)
                for (at, rep), value in truth.items()
                if at == window
            }
            ranking = f"{story.settings.redis.prefix}:rank:revenue:rep:{window}"
            members: Any = await story.raw.zrange(ranking, 0, -1, withscores=True)
            ranked = dict(members)
            scores = {member: ranked.get(member.encode()) for member in known}
            assert scores == known or any(step[0] == "lose" and "rank" in step[1] for step in steps_taken)
    finally:
        await story.close()
        if reader is not None:
            await reader.close()
