"""A broker in memory: partitions, compaction, what a group committed, and sends that nobody has taken yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.kafka import KafkaError, OffsetAndMetadata, TopicPartition

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """A message, as aiokafka hands it out."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Content(NamedTuple):
    """What is to be appended."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class Partition:
    """Records in the order they were appended; ``stable`` is how far compaction may go (its minimum lag)."""

    topic: str
    number: int
    records: list[Record] = field(default_factory=list)
    end: int = 0
    stable: int = 0

    def append(self, content: Content) -> None:
        self.records.append(Record(self.topic, self.number, self.end, *content))
        self.end += 1

    def compact(self) -> None:
        """Keep the last record of a key, of those that are old enough."""
        last = {record.key: record.offset for record in self.records if record.offset < self.stable}
        self.records = [one for one in self.records if one.offset >= self.stable or last[one.key] == one.offset]


@dataclass
class Sending:
    """One send of a producer: its records are appended together or, by an older broker, one by one."""

    contents: deque[Content]
    future: asyncio.Future[None]

    def fail(self) -> None:
        if not self.future.done():
            self.future.set_exception(KafkaError("refused"))
            self.future.exception()  # whether it is looked at is for who sent it


class Broker:
    """All partitions, and all that was sent and not taken."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, Partition] = {}
        self.committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self.lost: list[tuple[TopicPartition, Sending]] = []
        """What had been sent when its sender died; it may turn up yet."""

    def partition(self, where: TopicPartition) -> Partition:
        if where not in self._partitions:
            self._partitions[where] = Partition(*where)
        return self._partitions[where]

    def at(self, topic: str, partition: int = 0) -> Partition:
        return self.partition(TopicPartition(topic, partition))

    def take(self, where: TopicPartition, sending: Sending) -> None:
        """Append what was sent; nobody is told any more."""
        for content in sending.contents:
            self.partition(where).append(content)

    def __iter__(self) -> Iterator[tuple[TopicPartition, Partition]]:
        return iter(list(self._partitions.items()))


class Batch:
    """What aiokafka's producer makes batches with."""

    def __init__(self) -> None:
        self.contents: list[Content] = []

    def append(
        self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: Headers = ()
    ) -> object | None:
        assert timestamp is None, "Kafka deletes by the time of a record"
        if len(self.contents) >= _MOST_RECORDS:
            return None
        self.contents.append(Content(key, value, headers))
        return self

    def record_count(self) -> int:
        return len(self.contents)


_MOST_RECORDS = 6
"""In a batch; small, so that a step of a checkpoint takes several."""


class Producer:
    """A client whose sends wait, in order for each partition, until the model lets the broker take them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.waiting: dict[TopicPartition, deque[Sending]] = {}

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> asyncio.Future[None]:
        return self._send(TopicPartition(topic, partition or 0), [Content(key, value, headers)])

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        return self._send(TopicPartition(topic, partition), batch.contents)

    async def stop(self) -> None:
        """Nothing to disconnect."""

    def _send(self, where: TopicPartition, contents: Sequence[Content]) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(where, deque()).append(Sending(deque(contents), future))
        return future

    @property
    def has_waiting(self) -> bool:
        """Whether anything waits."""
        return any(self.waiting.values())

    @property
    def queues(self) -> list[TopicPartition]:
        """Partitions for which something waits."""
        return sorted(where for where, queue in self.waiting.items() if queue)

    def deliver(self, where: TopicPartition, records: int = 1 << 30, *, turn: int = 0) -> None:
        """Let the broker take the next records; ``turn`` changes the order of those of one send."""
        queue = self.waiting.get(where, deque())
        while queue and records:
            sending = queue[0]
            sending.contents.rotate(turn)
            while sending.contents and records:
                self._broker.partition(where).append(sending.contents.popleft())
                records -= 1
            if not sending.contents:
                queue.popleft()
                if not sending.future.done():
                    sending.future.set_result(None)

    def deliver_all(self) -> None:
        """Let the broker take what waits now; what follows from that waits again."""
        for where in self.queues:
            self.deliver(where)

    def refuse(self, where: TopicPartition) -> None:
        """Refuse the oldest send to a partition, for good."""
        if self.waiting.get(where):
            self.waiting[where].popleft().fail()

    def die(self, survivors: set[int]) -> None:
        """Of what waits only some get through, counted over all of it in order; the rest may turn up later."""
        sent = [(where, sending) for where in self.queues for sending in self.waiting[where]]
        self.waiting.clear()
        for number, (where, sending) in enumerate(sent):
            if number in survivors:
                self._broker.take(where, sending)
            else:
                self._broker.lost.append((where, sending))


def appended(partition: Partition, start: int) -> list[Record]:
    """Return the records from an offset on."""
    return [record for record in partition.records if record.offset >= start]
