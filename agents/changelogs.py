"""Changelogs: read once to their end at a recovery, keeping the highest fence per key, and written in steps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agents.batches import Headers, send_batches
from agents.cadence import let_others
from agents.kafka import MAX_REQUEST_BYTES, AIOKafkaProducer, MessageSizeTooLargeError, TopicPartition
from agents.progress import RecoveryProgress
from agents.reading import begin_and_end_offsets, read_to_end
from schemas.errors import SalesPulseError
from schemas.settings import Settings
from schemas.wire import fence_of

_LOG = logging.getLogger(__name__)
_LARGE_BYTES = 225_000
"""Records beyond this go by themselves: a batch takes little more."""

Record = tuple[bytes, bytes | None]


class Newest(NamedTuple):
    """One changelog partition: per key the record of the highest fence.

    Args:
        records: Key -> record.
        repair: Keys whose last record is not the one of the highest fence: an old owner wrote after the new one.
        end: Offset after its last record.
    """

    records: dict[bytes, bytes]
    repair: frozenset[bytes]
    end: int


async def read_changelogs(
    settings: Settings,
    partitions: Sequence[TopicPartition],
    *,
    wanted: Callable[[bytes], bool] | None = None,
    kept_as: Mapping[str, Callable[[bytes], bytes]] | None = None,
    progress: RecoveryProgress | None = None,
) -> dict[TopicPartition, Newest]:
    """Read changelog partitions to the ends they have now; what was written last need not be what is right.

    Args:
        settings: Where they are.
        partitions: What to read.
        wanted: Tells by its key whether a record is kept; None: all are.
        kept_as: Topic -> what is kept of a record in its place; its fence stays in front.
        progress: Told how far it is.
    """
    begins, ends = await begin_and_end_offsets(settings, partitions)
    progress = progress or RecoveryProgress()
    progress.begin({partition: ends[partition] - begins[partition] for partition in partitions})
    records: dict[TopicPartition, dict[bytes, bytes]] = {partition: {} for partition in partitions}
    repair: dict[TopicPartition, set[bytes]] = {partition: set() for partition in partitions}
    read = 0
    async for batch in read_to_end(settings, partitions, ends=ends):
        where = TopicPartition(batch[0].topic, batch[0].partition)
        kept, outdated = records[where], repair[where]
        as_kept = (kept_as or {}).get(where.topic, bytes)
        read += len(batch)
        for record in batch if wanted is None else (record for record in batch if wanted(record.key)):
            _keep_highest(kept, outdated, record.key, record.value, as_kept)
        progress.reached(where, batch[-1].offset + 1 - begins[where])
    _LOG.info("read %d changelog records of %d partitions", read, len(partitions))
    return {p: Newest(records[p], frozenset(repair[p]), ends[p]) for p in partitions}


def _keep_highest(
    kept: dict[bytes, bytes],
    outdated: set[bytes],
    key: bytes,
    value: bytes | None,
    as_kept: Callable[[bytes], bytes] = bytes,
) -> None:
    if value is None:
        kept.pop(key, None)
        outdated.discard(key)
        return
    before = kept.get(key)
    if before is None or fence_of(value) >= fence_of(before):
        kept[key] = as_kept(value)
        outdated.discard(key)
    else:
        outdated.add(key)


class ChangelogWriter:
    """Writes records in batches, each step acknowledged before the next.

    Args:
        producer: Its own idempotent producer.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, topic: str, by_partition: Iterable[tuple[int, Sequence[Record]]]) -> None:
        """Write records and wait until all are acknowledged.

        Raises:
            SalesPulseError: One of them was refused; nothing that depends on it may be written.
        """
        acknowledged: list[asyncio.Future[object]] = []
        try:
            for partition, records in by_partition:
                acknowledged += await self._hand_over(topic, partition, records)
                await let_others()
        except Exception as error:
            raise _refused(topic, error) from error
        for result in await asyncio.gather(*acknowledged, return_exceptions=True):
            if isinstance(result, BaseException):
                raise _refused(topic, result) from result

    async def _hand_over(self, topic: str, partition: int, records: Sequence[Record]) -> list[asyncio.Future[object]]:
        small: list[tuple[bytes, bytes | None, Headers]] = []
        futures: list[asyncio.Future[object]] = []
        for key, value in records:
            if value is not None and len(value) + len(key) > _LARGE_BYTES:
                futures.append(await self._send(topic, partition, key, value))
            else:
                small.append((key, value, []))
        return [*futures, *await send_batches(self._producer, topic, partition, small)]

    async def _send(self, topic: str, partition: int, key: bytes, value: bytes) -> asyncio.Future[object]:
        """Hand a large record over by itself; the producer refuses one that is larger than any topic of ours takes."""
        try:
            future: asyncio.Future[object] = await self._producer.send(topic, value, key, partition=partition)
        except MessageSizeTooLargeError:
            raise SalesPulseError(
                f"the record of {key.decode('utf-8', 'replace')} has {len(value):,} bytes, and this program sends"
                f" {MAX_REQUEST_BYTES:,} at most, whatever the topic allows"
            ) from None
        return future


def _refused(topic: str, error: BaseException) -> SalesPulseError:
    return SalesPulseError(
        f"writing to {topic} failed: {error}; the worker stops without committing{_way_out(topic, error)}"
    )


def _way_out(topic: str, error: BaseException) -> str:
    """Say what to do about a record that the broker refuses for its size."""
    if not isinstance(error, MessageSizeTooLargeError):
        return ""
    return f". Raise max.message.bytes of {topic} (`salespulse topics check` says how far) and start it again"
