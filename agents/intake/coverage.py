"""What the stored state says of source partitions: the last witness when a committed offset is gone.

Kafka forgets what a group committed when the topic is deleted, and some days after the group's last member left. The
state still knows what was folded.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agents.changelogs import read_changelogs
from agents.generations import generation_number
from agents.kafka import TopicPartition
from schemas.settings import Settings
from schemas.topics import changelog_topic
from schemas.wire import Marker, body_of

_DECODER = msgspec.msgpack.Decoder(Marker)


class Folded(msgspec.Struct, frozen=True):
    """How far a source partition was folded, at the last checkpoints of all log partitions.

    Args:
        epoch: Highest epoch of its topic.
        lowest: Below this offset everything is folded in every log partition; None where one of them has nothing.
        highest: Offset up to which some log partition has folded.
    """

    epoch: int
    lowest: int | None
    highest: int


async def folded(settings: Settings, sources: Iterable[TopicPartition]) -> dict[TopicPartition, Folded]:
    """Read the markers of all log partitions; source partitions that none of them knows are left out.

    Raises:
        UnavailableError: No broker answers.
    """
    wanted = set(sources)
    if not wanted:
        return {}
    topic = changelog_topic(settings.app.id, "markers", await generation_number(settings))
    logs = [TopicPartition(topic, number) for number in range(settings.kafka.partitions)]
    ends: dict[TopicPartition, list[tuple[int, int]]] = {}
    for newest in (await read_changelogs(settings, logs)).values():
        for record in newest.records.values():
            for covered in _DECODER.decode(body_of(record)).covered:
                source = TopicPartition(covered.topic, covered.partition)
                if source in wanted:
                    ends.setdefault(source, []).append((covered.epoch, covered.end))
    return {source: _summary(found, len(logs)) for source, found in ends.items()}


def _summary(found: list[tuple[int, int]], logs: int) -> Folded:
    epoch = max(each for each, _ in found)
    ends = [end for each, end in found if each == epoch]
    return Folded(epoch, min(ends) if len(ends) == logs else None, max(ends))
