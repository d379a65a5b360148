"""The source topics, read to the ends they have now, and attributed account by account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from agents.kafka import TopicPartition
from agents.letters import Refused
from agents.reading import begin_and_end_offsets, read_to_end
from agents.topics import partitions_of
from schemas.settings import Settings
from streams.explain.attribution import Attribution
from streams.explain.book import Book
from streams.explain.document import Gathering, Place

_AT_ONCE: Final = 1_000_000
"""So many messages' accounts are held in memory; of more, the topics are read several times."""

Progress = Callable[[int, int], None]
"""Told how many messages were read, and how many are to be."""


class Read(NamedTuple):
    """What was read: source partitions by the ``section`` of rows, and how many messages they hold."""

    places: list[Place]
    messages: int


async def read_sources(
    settings: Settings,
    kinds: frozenset[int],
    refused: Refused,
    attribution: Attribution,
    gathering: Gathering,
    progress: Progress,
) -> Read:
    """Read every source topic, since any event type may come on any, and gather what counts.

    What takes processor time runs in a thread, so that the event loop goes on.

    Args:
        settings: Where they are.
        kinds: Kinds of events that matter.
        refused: Where dead letters are from; they do not count.
        attribution: Says what an event added.
        gathering: Is given what counts.
        progress: Is told how far it is.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    partitions = sorted(await partitions_of(settings, settings.topics.sources().values()))
    slots = {partition: slot for slot, partition in enumerate(partitions)}
    begins, ends = await begin_and_end_offsets(settings, partitions)
    total = sum(max(0, ends[partition] - begins[partition]) for partition in partitions)
    passed_over = _newest_epoch(refused, slots)
    rounds = 1 + total // _AT_ONCE
    done = 0
    for part in range(rounds):
        book = Book(settings, kinds, passed_over, (part, rounds))
        async for records in read_to_end(settings, partitions, ends=ends):
            slot = slots[TopicPartition(records[0].topic, records[0].partition)]
            await asyncio.to_thread(book.take, slot, records)
            done += len(records)
            progress(done, total * rounds)
        await asyncio.to_thread(book.attribute, attribution, gathering)
    return Read([(partition.topic, partition.partition) for partition in partitions], total)


def _newest_epoch(refused: Refused, slots: dict[TopicPartition, int]) -> dict[int, set[int]]:
    """Offsets of dead letters by slot; of a topic that was made anew only those of its last epoch."""
    epochs: dict[str, int] = {}
    for topic, epoch, _ in refused:
        epochs[topic] = max(epoch, epochs.get(topic, 0))
    newest = {where: (where.topic, epochs.get(where.topic, 0), where.partition) for where in slots}
    return {slot: refused.get(newest[where], set()) for where, slot in slots.items()}
