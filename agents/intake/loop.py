"""Intake: source topics in, frames and dead letters out, and offsets committed once both are safe.

It is a plain consumer group beside Faust's, since a thousand events to a frame share what Faust spends on a message.
All it knows is in the committed offsets; a restart or a rebalance begins from them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final

from agents.fetch_wait import adapt_fetch_wait
from agents.intake.outbox import Outbox
from agents.intake.rebalance import RebalanceListener
from agents.intake.start import starting_points
from agents.kafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    CommitFailedError,
    ConsumerRecord,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetAndMetadata,
    OffsetOutOfRangeError,
    TopicPartition,
    consumer,
    producer,
)
from agents.topics import intake_group, not_where_it_was
from schemas.errors import SalesPulseError, UnavailableError
from schemas.settings import Settings
from streams.intake.counters import IntakeCounters
from streams.intake.reader import Reader
from streams.intake.router import Commit

__all__ = ["Intake", "IntakeCounters"]

_LOG: Final = logging.getLogger(__name__)
_POLL_MS: Final = 200
_POLL_RECORDS: Final = 4_000
_JOIN_TIMEOUT_S: Final = 60.0
_REVOKE_TIMEOUT_S: Final = 5.0
_STOP_TIMEOUT_S: Final = 6.0
_CLOSE_TIMEOUT_S: Final = 5.0
_ADOPT_TIMEOUT_S: Final = 60.0
_AGAIN_S: Final = 0.05


class Intake:
    """Takes events in, as a member of the group ``{app.id}-intake``.

    Args:
        settings: Everything that is set.
    """

    def __init__(self, settings: Settings) -> None:
        self.counters = IntakeCounters()
        self._settings = settings
        self._reader = Reader(settings, self.counters)
        self._clients: list[AIOKafkaConsumer | AIOKafkaProducer] = []
        self._committed: dict[tuple[str, int], Commit] = {}
        self._commit_due = 0.0
        self._generation = 0  # counts rebalances; what was read under an old one is dropped
        self._adopted = -1  # generation whose partitions are set up
        self._assigned = asyncio.Event()
        self._assigned_at = 0.0
        self._waited_s = 0.0
        """Time spent waiting for messages: patience with those that do not deliver must not run out on a busy core."""
        self._busy = asyncio.Lock()  # held while state changes: by the loop, or by a rebalance that commits
        self._failure: SalesPulseError | None = None
        self._stopping = False
        self._running = False
        self.ended = asyncio.Event()

    async def start(self) -> None:
        """Connect and join the group; returns with the first assignment.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        settings = self._settings
        client_id = intake_group(settings)
        sender = await producer(settings, client_id=client_id)
        self._clients.append(sender)
        self._outbox = Outbox(sender)
        self._consumer = await consumer(
            settings,
            *settings.topics.sources().values(),
            client_id=client_id,
            group_id=intake_group(settings),
            listener=RebalanceListener(self._revoked, self._note_assigned),
            auto_offset_reset="none",  # a position that is gone must stop intake, not start it somewhere else
        )
        self._clients.insert(0, self._consumer)
        try:
            async with asyncio.timeout(_JOIN_TIMEOUT_S):
                await self._assigned.wait()
        except TimeoutError:
            raise UnavailableError(
                f"Kafka at {settings.kafka.bootstrap_servers} gave intake no partitions within {_JOIN_TIMEOUT_S:.0f} s;"
                " see the broker's log"
            ) from None

    async def run(self) -> None:
        """Take events in until :meth:`stop` is called.

        Raises:
            IntakeStopped: A source topic was made anew, or too many messages cannot be counted.
            UnavailableError: Kafka failed for good. What was not committed comes again after a restart.
        """
        self._running = True
        try:
            while not self._stopping:
                await self._step()
            async with self._busy:
                await self._commit()
        except KafkaError as error:
            raise UnavailableError(f"Kafka failed while events were taken in: {error}") from error
        finally:
            self.ended.set()

    async def stop(self) -> None:
        """Commit what is done and leave the group; takes at most some seconds."""
        self._stopping = True
        if self._running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await self.ended.wait()
        for client in self._clients:
            with contextlib.suppress(TimeoutError):  # a broker that is away must not hold up the end
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await client.stop()
        self._clients.clear()

    async def _revoked(self) -> None:
        """Commit what is done before partitions go to another member, if that can be done quickly."""
        try:
            async with asyncio.timeout(_REVOKE_TIMEOUT_S), self._busy:
                await self._commit()
        except TimeoutError:
            _LOG.warning("partitions went away before their offsets were committed; the next owner repeats some events")
        except SalesPulseError as error:
            self._failure = error
        except KafkaError as error:
            self._failure = UnavailableError(f"Kafka failed while partitions were handed over: {error}")
        finally:
            self._forget()

    def _note_assigned(self) -> None:
        """Take note that the partitions are others now; the loop sets them up."""
        self._forget()
        self._assigned_at = time.monotonic()
        self._assigned.set()

    def _forget(self) -> None:
        self._generation += 1
        self._reader.clear()
        self._committed.clear()

    async def _step(self) -> None:
        began = time.monotonic()
        if self._failure is not None:
            raise self._failure
        generation = self._generation
        if self._adopted != generation and not await self._adopt(generation):
            return
        records, positions = await self._poll()
        async with self._busy:
            if generation != self._generation:
                return
            now_ms = time.time_ns() // 1_000_000
            letters = self._reader.take_in(records, positions, self._ends(), now_ms)
            await self._outbox.send_dead_letters(self._settings.topics.deadletter, letters)
            self._reader.check()
            frames = self._reader.frames(now_ms, self._waited_s)
            await self._outbox.send_frames(self._settings.topics.log, frames)
            if time.monotonic() >= self._commit_due:
                await self._commit()
        if sum(len(frame.rows) for _, frame in frames) < self._settings.intake.frame_events:
            # Tiny frames times P partitions would be all the work. One broker lets events gather; of several, each
            # answers when it has waited, so that the pace has to be kept here.
            await asyncio.sleep(max(0.0, began + self._settings.intake.pace / 1000 - time.monotonic()))

    async def _adopt(self, generation: int) -> bool:
        """Set up the partitions of this generation; False when there is another one already."""
        client = self._consumer
        try:
            starts = await starting_points(self._settings, client, client.assignment())
        except (CommitFailedError, IllegalStateError):
            await asyncio.sleep(_AGAIN_S)
            return False
        except (UnavailableError, KafkaError):
            # The broker may just be starting again; a rebalance is no moment to give up over it.
            if time.monotonic() - self._assigned_at > _ADOPT_TIMEOUT_S:
                raise
            await asyncio.sleep(0.5)
            return False
        if generation != self._generation:
            return False
        try:
            for partition, (start, _) in starts.items():
                client.seek(partition, start.offset)
        except IllegalStateError:  # partitions that just went: the listener is about to say so
            await asyncio.sleep(_AGAIN_S)
            return False
        for partition, (start, end) in starts.items():
            self._reader.assign(partition.topic, partition.partition, start, end)
        self._adopted = generation
        self._commit_due = time.monotonic() + self._settings.intake.commit_interval / 1000
        return True

    async def _poll(self) -> tuple[Mapping[TopicPartition, list[ConsumerRecord]], dict[tuple[str, int], int]]:
        """Read on, where there is room; returns records by partition, and how far each was read."""
        client = self._consumer
        wanted = [TopicPartition(*source) for source in self._reader.wanted()]
        began = time.monotonic()
        try:
            records = await client.getmany(*wanted, timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            positions = {(tp.topic, tp.partition): await client.position(tp) for tp in wanted}
        except (NoOffsetForPartitionError, IllegalStateError):
            return {}, {}  # partitions that just came or went
        except OffsetOutOfRangeError as error:
            partition, offset = next(iter(error.args[0].items()))
            found = f"offset {offset} is next to be read, and it is not there any more"
            raise not_where_it_was(partition.topic, partition.partition, found) from None
        adapt_fetch_wait(client, sum(map(len, records.values())), self._settings.intake.pace)
        self._waited_s += min(time.monotonic() - began, _POLL_MS / 1000)
        return records, positions

    def _ends(self) -> dict[tuple[str, int], int]:
        """How far each partition can be read, as of the last fetch: with open transactions less than all of it."""
        client = self._consumer
        found: dict[tuple[str, int], int] = {}
        for tp in client.assignment():
            stable, highwater = client.last_stable_offset(tp), client.highwater(tp)
            end = stable if stable is not None and stable >= 0 else highwater
            if end is not None:
                found[tp.topic, tp.partition] = end
        return found

    async def _commit(self) -> None:
        """Cover every log partition up to where intake is, wait until all is acknowledged, then commit."""
        self._commit_due = time.monotonic() + self._settings.intake.commit_interval / 1000
        now_ms = time.time_ns() // 1_000_000
        generation = self._generation
        await self._outbox.send_frames(self._settings.topics.log, self._reader.completion(now_ms))
        commits = self._reader.commits()
        await self._outbox.flush()
        changed = {source: commit for source, commit in commits.items() if self._committed.get(source) != commit}
        if not changed or generation != self._generation:
            return
        offsets = {TopicPartition(*s): OffsetAndMetadata(c.offset, c.metadata) for s, c in changed.items()}
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            return  # the group is being rebalanced: who gets the partitions repeats what was not committed
        self._committed |= changed
