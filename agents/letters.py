"""The dead-letter topic, read whole."""

from __future__ import annotations

from typing import NamedTuple

from agents.reading import read_to_end
from agents.topics import partitions_of
from schemas.errors import SalesPulseError
from schemas.settings import Settings
from streams.intake.deadletters import DeadLetter, from_message


class Numbered(NamedTuple):
    """A dead letter and its number: its offset in the dead-letter topic, behind the partition if there are several."""

    number: str
    letter: DeadLetter


async def read_letters(settings: Settings) -> list[Numbered]:
    """Read the whole dead-letter topic, oldest first; a letter that intake sent again comes once.

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
    found: dict[tuple[str, int, int, int], Numbered] = {}
    async for records in read_to_end(settings, partitions):
        for record in records:
            letter = from_message(record.key, record.value, record.headers)
            if letter is not None:
                number = str(record.offset) if len(partitions) == 1 else f"{record.partition}:{record.offset}"
                found.setdefault(letter.source, Numbered(number, letter))
    return sorted(found.values(), key=lambda each: each.letter.failed_at_ms)
