"""Where intake takes up its source partitions: at what was committed, if that is still there."""

from __future__ import annotations

from collections.abc import Iterable

from agents.kafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition, committed_offsets
from agents.topics import intake_group, not_where_it_was
from schemas.settings import Settings
from streams.router import Commit


async def starting_points(
    settings: Settings, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[Commit, int]]:
    """Return where to start in every partition, and its end as of now.

    A partition without a committed offset gets one, at its beginning and marked as a base: else, if records were
    removed before the first commit, a restart would begin above what some log partitions have covered.

    Raises:
        IntakeStopped: A committed offset lies outside of what the partition holds.
        UnavailableError: No broker answers.
        CommitFailedError: The group is being rebalanced again.
    """
    wanted = sorted(partitions)
    if not wanted:
        return {}
    committed = await committed_offsets(settings, intake_group(settings), wanted)
    begins = await consumer.beginning_offsets(wanted)
    ends = await consumer.end_offsets(wanted)
    starts: dict[TopicPartition, tuple[Commit, int]] = {}
    for partition in wanted:
        begin, end = begins[partition], ends[partition]
        kept = committed.get(partition)
        start = Commit(begin, 1, base=True) if kept is None else Commit.parse(kept.offset, kept.metadata, begin)
        if settings.kafka.idempotence:  # Tansu, which has no idempotent producers, does not tell the right end
            _check(partition, start.offset, begin, end)
        starts[partition] = start, max(end, start.offset)
    fresh = {partition: starts[partition][0] for partition in wanted if partition not in committed}
    if fresh:
        await consumer.commit({tp: OffsetAndMetadata(start.offset, start.metadata) for tp, start in fresh.items()})
    return starts


def _check(partition: TopicPartition, offset: int, begin: int, end: int) -> None:
    if offset > end:
        found = f"offset {offset} was committed, and it ends at {end}"
        raise not_where_it_was(partition.topic, partition.partition, found)
    if offset < begin:
        found = f"offset {offset} was committed, and it begins at {begin}"
        raise not_where_it_was(partition.topic, partition.partition, found)
