"""What Kafka alone takes of a worker: all that it read and wrote, read and written again with nothing done to it.

`python -m tests.benchmarks.transport FROM TO EVENTS`, with the settings of an installation that has caught up with so
many events, and of one whose topics are empty, as JSON. The same events are read, the same records written, and those
of the log and of the cells topic read again, through the same clients, in batches as large as they may be. How much CPU
time that took, start-up apart, is what no change of the code between the topics can save.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from agents.batches import Headers, send_batches
from agents.generations import state_names
from agents.kafka import TopicPartition, consumer, producer
from schemas.settings import Settings, settings_from
from tests.e2e.surfaces import records_of

_POLL_MS: Final = 200

_Record = tuple[bytes, bytes | None, Headers]


class _Topic(NamedTuple):
    """What a worker wrote to a topic, by partition; whether workers read it; and its name in the other installation."""

    name: str
    is_read: bool
    partitions: Sequence[Sequence[_Record]]


async def carry(done: Settings, empty: Settings, events: int) -> dict[str, Any]:
    """Read and write what a worker did.

    Args:
        done: The installation it worked for.
        empty: One with as many partitions; it has the records after that.
        events: How many there are in the source topics of the first.
    """
    topics = [await _stored(done, *names) for names in _written(done, empty)]
    partitions = range(done.kafka.partitions)
    sources = [TopicPartition(topic, number) for topic in done.topics.sources().values() for number in partitions]
    between = {topic.name: sum(map(len, topic.partitions)) for topic in topics if topic.is_read}
    writer = await producer(empty, client_id="transport")
    began_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(
        _read(done, sources, events),
        _write(writer, topics),
        *(_read(empty, [TopicPartition(name, n) for n in partitions], number) for name, number in between.items()),
    )
    took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    await writer.stop()
    written = {topic.name: sum(map(len, topic.partitions)) for topic in topics}
    return {"events": events, "seconds": took_s, "cpu_s": took_cpu_s, "records": written}


def _written(done: Settings, empty: Settings) -> Iterable[tuple[str, str, bool]]:
    """Name every topic that workers write much to, in both installations, and say whether they read it."""
    mine, yours = state_names(done), state_names(empty)
    yield done.topics.log, empty.topics.log, True
    yield mine.cells, yours.cells, True
    for table, changelog in mine.changelogs.items():
        yield changelog, yours.changelogs[table], False
    yield done.topics.updates, empty.topics.updates, False
    yield done.topics.latest, empty.topics.latest, False


async def _stored(done: Settings, name: str, other_name: str, is_read: bool) -> _Topic:
    found = await records_of(done, name)
    return _Topic(other_name, is_read, [[(r.key, r.value, list(r.headers)) for r in records] for records in found])


async def _write(writer: Any, topics: Iterable[_Topic]) -> None:
    for topic in topics:
        for partition, records in enumerate(topic.partitions):
            await asyncio.gather(*await send_batches(writer, topic.name, partition, records))


async def _read(settings: Settings, partitions: Sequence[TopicPartition], number: int) -> None:
    reader = await consumer(settings, client_id="transport", assignment=partitions)
    try:
        read = 0
        while read < number:
            read += sum(map(len, (await reader.getmany(timeout_ms=_POLL_MS)).values()))
    finally:
        await reader.stop()


def _main(done: Mapping[str, Any], empty: Mapping[str, Any], events: int) -> None:
    print(json.dumps(asyncio.run(carry(settings_from(done), settings_from(empty), events))))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
