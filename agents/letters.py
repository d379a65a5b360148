"""The dead-letter topic, read whole, letter by letter: each may be large, and the topic keeps all there ever were."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agents.kafka import TopicPartition
from agents.reading import read_to_end
from agents.topics import partitions_of
from schemas.errors import SalesPulseError
from schemas.settings import Settings
from streams.intake.deadletters import DeadLetter, from_message

Refused = dict[tuple[str, int, int], set[int]]
"""Source topic, epoch and partition -> offsets of the messages that became dead letters."""


class Numbered(NamedTuple):
    """A dead letter and its number: its offset in the dead-letter topic, behind the partition if there are several."""

    number: str
    letter: DeadLetter


async def letter_partitions(settings: Settings) -> list[TopicPartition]:
    """Return the partitions of the dead-letter topic.

    Raises:
        UnavailableError: Kafka does not answer.
        SalesPulseError: There is no dead-letter topic.
    """
    topic = settings.topics.deadletter
    partitions = await partitions_of(settings, [topic])
    if not partitions:
        raise SalesPulseError(
            f"Kafka at {settings.kafka.bootstrap_servers} has no topic {topic}; `salespulse topics create` makes it"
        )
    return partitions


async def read_letters(settings: Settings, take: Callable[[Numbered], None]) -> Refused:
    """Read the whole dead-letter topic; nothing of a letter stays in memory but what its taker keeps.

    Args:
        settings: Where Kafka is.
        take: Is given the letters as they lie in the topic, which with one partition is oldest first; one that intake
            sent again comes once.

    Returns:
        Where all of them are from.

    Raises:
        UnavailableError: Kafka does not answer.
        SalesPulseError: There is no dead-letter topic.
    """
    partitions = await letter_partitions(settings)
    refused: Refused = {}
    async for records in read_to_end(settings, partitions):
        for record in records:
            letter = from_message(record.key, record.value, record.headers)
            if letter is None:
                continue
            offsets = refused.setdefault((letter.topic, letter.epoch, letter.partition), set())
            if letter.offset not in offsets:
                offsets.add(letter.offset)
                number = str(record.offset) if len(partitions) == 1 else f"{record.partition}:{record.offset}"
                take(Numbered(number, letter))
    return refused
