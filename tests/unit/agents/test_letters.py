"""Dead letters are read one by one: what is not shown does not stay in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import pytest

import agents.letters
from agents.cli.letters import choose, newest
from agents.kafka import TopicPartition
from agents.letters import read_letters
from schemas.errors import SalesPulseError, UsageError
from schemas.settings import Settings, settings_from
from schemas.windows import DAY_MS
from streams.explain.letters import WindowLetters
from streams.intake.deadletters import DeadLetter, to_headers
from streams.time import Span

BATCH, LETTERS = 10, 300
AT_MS = 1_731_412_800_000
SETTINGS = settings_from({})
_REASONS = ("negative", "bad_date", "bad_date")


class Value(bytes):
    """The value of a message; knows how many there are, and were at most."""

    present = most = 0

    def __new__(cls, text: bytes) -> Value:
        Value.present += 1
        Value.most = max(Value.most, Value.present)
        return super().__new__(cls, text)

    def __del__(self) -> None:
        Value.present -= 1


class Record(NamedTuple):
    partition: int
    offset: int
    key: bytes
    value: Value
    headers: list[tuple[str, bytes]]


def record(offset: int, source: int, failed_at_ms: int, partition: int = 0) -> Record:
    letter = DeadLetter(
        topic=SETTINGS.topics.deals if source % 2 else SETTINGS.topics.leads,
        partition=0,
        offset=source,
        reason=_REASONS[source % 3],
        failed_at_ms=failed_at_ms,
    )
    return Record(partition, offset, b"k", Value(b'{"n": %d}' % source), to_headers(letter))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A dead-letter topic of these partitions: 300 letters, one of which intake has sent again."""
    partitions = [0]

    async def partitions_of(_settings: Settings, names: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(*names, partition) for partition in partitions]

    async def read_to_end(_settings: Settings, _found: list[TopicPartition]) -> AsyncIterator[list[Record]]:
        for start in range(0, LETTERS, BATCH):
            yield [record(n, n, AT_MS + n, n * len(partitions) // LETTERS) for n in range(start, start + BATCH)]
        yield [record(LETTERS, 0, AT_MS + LETTERS)]

    monkeypatch.setattr(agents.letters, "partitions_of", partitions_of)
    monkeypatch.setattr(agents.letters, "read_to_end", read_to_end)
    Value.most = Value.present
    return partitions


@pytest.mark.asyncio
@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(("with_values", "kept"), [(True, 20), (False, 0)])
async def test_of_many_letters_those_that_failed_last_are_kept_and_all_are_counted(
    with_values: bool, kept: int
) -> None:
    letters, counts = await newest(SETTINGS, None, None, 20, with_values=with_values)
    assert [each.number for each in letters] == [str(n) for n in range(LETTERS - 20, LETTERS)]
    assert [each.letter.value for each in letters[-1:]] == [b'{"n": 299}' if with_values else None]
    assert counts == {"bad_date": 200, "negative": 100}
    assert Value.most <= kept + 3 * BATCH


@pytest.mark.asyncio
@pytest.mark.usefixtures("topic")
async def test_letters_of_a_topic_and_a_reason_are_those_listed() -> None:
    letters, counts = await newest(SETTINGS, SETTINGS.topics.deals, "negative", 1000, with_values=False)
    assert [each.letter.offset for each in letters] == list(range(3, LETTERS, 6))
    assert counts == {"negative": 50}


@pytest.mark.asyncio
@pytest.mark.usefixtures("topic")
async def test_what_an_explanation_keeps_of_letters_is_without_their_values() -> None:
    picked = WindowLetters(Span(AT_MS, AT_MS + DAY_MS), ("deal.won",), {})
    refused = await read_letters(SETTINGS, lambda each: picked.take(*each))
    assert picked.letters().count == LETTERS
    assert [each.number for each in picked.letters().letters] == [str(n) for n in reversed(range(280, 300))]
    assert sorted(refused[SETTINGS.topics.deals, 1, 0] | refused[SETTINGS.topics.leads, 1, 0]) == [*range(LETTERS)]
    assert Value.most <= 3 * BATCH


@pytest.mark.asyncio
async def test_letters_are_chosen_by_number_and_a_number_that_is_none_is_said(topic: list[int]) -> None:
    chosen = await choose(SETTINGS, ("250", "7"), None, None)
    assert [(each.number, each.letter.value) for each in chosen] == [("7", b'{"n": 7}'), ("250", b'{"n": 250}')]
    assert [each.number for each in await choose(SETTINGS, ("7", "8"), SETTINGS.topics.leads, None)] == ["8"]
    assert len(await choose(SETTINGS, (), None, "negative")) == 100
    with pytest.raises(UsageError, match="there is no dead letter 300, x;"):  # 300 is one that was sent again
        await choose(SETTINGS, ("300", "7", "x"), None, None)
    topic.append(1)
    assert [each.number for each in await choose(SETTINGS, ("0:7", "1:150"), None, None)] == ["0:7", "1:150"]


@pytest.mark.asyncio
async def test_without_a_dead_letter_topic_the_way_out_is_said(topic: list[int]) -> None:
    topic.clear()
    with pytest.raises(SalesPulseError, match="`salespulse topics create` makes it"):
        await choose(SETTINGS, (), None, None)
