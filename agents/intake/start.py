"""Where intake takes up its source partitions: at what was committed, if that is still there."""

from __future__ import annotations

from collections.abc import Iterable

from agents.intake.coverage import Folded, folded
from agents.kafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from agents.reading import committed_offsets
from agents.topics import intake_group, not_where_it_was
from schemas.errors import IntakeStopped
from schemas.settings import Settings
from streams.intake.router import Commit


async def starting_points(
    settings: Settings, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[Commit, int]]:
    """Return where to start in every partition, and its end as of now.

    A partition without a committed offset gets one at once: else, if records were removed before the first commit, a
    restart would begin above what some log partitions have covered.

    Raises:
        IntakeStopped: What was committed or folded lies outside of what the partition holds: the topic is another one.
            Or somebody set the group's offset beyond what is folded.
        UnavailableError: No broker answers.
        CommitFailedError: The group is being rebalanced again.
    """
    wanted = sorted(partitions)
    if not wanted:
        return {}
    committed = await committed_offsets(settings, intake_group(settings), wanted)
    keeps_metadata = settings.kafka.idempotence  # as Tansu does not
    by_hand = {tp for tp, kept in committed.items() if keeps_metadata and not kept.metadata}
    known = await folded(settings, (set(wanted) - committed.keys()) | by_hand)
    begins = await consumer.beginning_offsets(wanted)
    ends = await consumer.end_offsets(wanted)
    starts: dict[TopicPartition, tuple[Commit, int]] = {}
    for partition in wanted:
        begin, end = begins[partition], ends[partition]
        kept = committed.get(partition)
        if partition in by_hand:
            start, reached = _set_by_hand(settings, partition, committed[partition].offset, known.get(partition), begin)
            said = "was folded already" if partition in known else "was committed"
        elif kept is not None:
            start = Commit.parse(kept.offset, kept.metadata, begin)
            reached, said = start.offset, "was committed"
        else:
            start, reached = _without_commit(known.get(partition), begin)
            said = "was folded already, and nothing is committed any more"
        if settings.kafka.idempotence:  # Tansu, which has no idempotent producers, does not tell the right end
            _check(partition, start.offset, reached, (begin, end), said)
        starts[partition] = start, max(end, start.offset)
    fresh = {tp: starts[tp][0] for tp in wanted if tp not in committed or tp in by_hand}
    if fresh:
        await consumer.commit({tp: OffsetAndMetadata(start.offset, start.metadata) for tp, start in fresh.items()})
    return starts


def _without_commit(known: Folded | None, begin: int) -> tuple[Commit, int]:
    """Begin at the beginning, or where the state ends: the start, and an offset that must still be there."""
    if known is None:
        return Commit(begin, 1, base=True), begin
    if known.lowest is None:
        return Commit(begin, known.epoch, base=True), known.highest
    return Commit(known.lowest, known.epoch, base=False), known.highest


def _set_by_hand(
    settings: Settings, partition: TopicPartition, offset: int, known: Folded | None, begin: int
) -> tuple[Commit, int]:
    """Begin where somebody set the group's offset, unless messages would be passed over that nobody folded."""
    if known is None:
        return Commit(offset, 1, base=True), offset
    below = begin if known.lowest is None else known.lowest
    if offset > below:
        raise IntakeStopped(
            f"{partition.topic} partition {partition.partition}: the group {intake_group(settings)} was set to offset"
            f" {offset}, and only what is below {below} is folded: messages between them would be missing. Stop all"
            " workers, set it back to that offset or an earlier one (what is folded already is not counted twice), and"
            " start again"
        )
    return Commit(offset, known.epoch, base=known.lowest is None), known.highest


def _check(partition: TopicPartition, start: int, reached: int, holds: tuple[int, int], said: str) -> None:
    begin, end = holds
    if reached > end:
        found = f"offset {reached} {said}, and it ends at {end}"
        raise not_where_it_was(partition.topic, partition.partition, found)
    if start < begin:
        found = f"offset {start} {said}, and it begins at {begin}"
        raise not_where_it_was(partition.topic, partition.partition, found)
