"""Which generation of state is in force: one topic says it, and workers change over when it says another.

The first record of a number holds, whoever wrote it: two workers that start a new system at once agree. The topic keeps
all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from agents.kafka import AIOKafkaConsumer, TopicPartition, admin, consumer, producer
from agents.reading import read_to_end
from schemas.errors import StateError
from schemas.generations import COUNTING, TAKING_IN, Counted, Generation, changed_settings
from schemas.settings import Settings
from schemas.topics import TABLES, cells_topic, changelog_topic, generations_topic, state_group
from streams.clock import wall_ms
from streams.time import iso

_decoder: Final = msgspec.msgpack.Decoder(Generation)
_encoder: Final = msgspec.msgpack.Encoder()
_FETCH_WAIT_MS: Final = 1_000  # hardly anything ever comes


class StateNames(NamedTuple):
    """What the topics and the group of a generation are called.

    Args:
        number: Of the generation.
        group: Consumer group of all workers.
        cells: Topic from fold to rollup.
        changelogs: Table -> topic.
    """

    number: int
    group: str
    cells: str
    changelogs: dict[str, str]


def state_names(settings: Settings, number: int = 0) -> StateNames:
    """Return the names of a generation."""
    app_id = settings.app.id
    changelogs = {table: changelog_topic(app_id, table, number) for table in TABLES}
    return StateNames(number, state_group(app_id, number), cells_topic(settings.topics, number), changelogs)


async def current(settings: Settings) -> Generation | None:
    """Return the generation in force; None before the first worker has started.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    known: dict[int, Generation] = {}
    async for batch in read_to_end(settings, [_partition(settings)]):
        for record in batch:
            generation = _decoder.decode(record.value)
            known.setdefault(generation.number, generation)
    return known[max(known)] if known else None


async def generation_number(settings: Settings) -> int:
    """Return the number of the generation in force; 0 where nothing says so yet, not even a topic.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    async with admin(settings) as client:
        topics = {topic["topic"] for topic in await client.describe_topics(None)}
    if generations_topic(settings.app.id) not in topics:
        return 0
    found = await current(settings)
    return found.number if found is not None else 0


async def begin(settings: Settings, counted: Counted) -> Generation:
    """Return the generation in force, making the first one where there is none.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    found = await current(settings)
    if found is None:
        await announce(settings, 0, counted)
        found = await current(settings)
    if found is None:
        raise StateError(f"{generations_topic(settings.app.id)} lost what was just written to it; see the broker's log")
    return found


async def announce(settings: Settings, number: int, counted: Counted) -> None:
    """Let a generation come into force.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    client = await producer(settings, client_id=f"{settings.app.id}-generations")
    try:
        record = _encoder.encode(Generation(number, counted, iso(wall_ms())))
        await client.send_and_wait(generations_topic(settings.app.id), record, str(number).encode(), partition=0)
    finally:
        await client.stop()


class GenerationWatch:
    """Notices that another generation came into force.

    Args:
        settings: Where Kafka is.
        number: Of the generation that this worker runs.
    """

    def __init__(self, settings: Settings, number: int) -> None:
        self._settings = settings
        self._number = number
        self._reader: AIOKafkaConsumer | None = None
        self.superseded = False

    async def look(self) -> None:
        """Read what came since the last look."""
        if self._reader is None:
            self._reader = await consumer(
                self._settings,
                client_id=f"{self._settings.app.id}-generations",
                assignment=[_partition(self._settings)],
                fetch_max_wait_ms=_FETCH_WAIT_MS,
            )
        for records in (await self._reader.getmany(timeout_ms=20)).values():
            for record in records:
                self.superseded |= _decoder.decode(record.value).number > self._number

    async def stop(self) -> None:
        """Disconnect."""
        if self._reader is not None:
            await self._reader.stop()


def remarks(settings: Settings, counted: Counted, waiting: Iterable[str]) -> list[str]:
    """Say what of the settings is not in force: KPIs that are not counted yet, and settings that count otherwise."""
    names, kept = ", ".join(waiting), counted.settings
    changed = changed_settings(settings, counted)
    return [
        *([f"not counted yet: {names}; `salespulse rebuild` counts them from the log"] if names else []),
        *(
            f"{name} is {kept[name]!r} until `salespulse rebuild` counts by the new setting"
            for name in changed
            if name in COUNTING
        ),
        *(
            f"{name} stays {kept[name]!r}: the log was written by it; another needs a new app.id"
            for name in changed
            if name in TAKING_IN
        ),
    ]


def _partition(settings: Settings) -> TopicPartition:
    return TopicPartition(generations_topic(settings.app.id), 0)
