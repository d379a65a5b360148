"""Emission: changed cells to the owners of their series, one message an owner, and signs of life in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from agents.kafka import AIOKafkaProducer
from agents.recovery import grouping_of, owner_of
from schemas.errors import UnavailableError
from schemas.rows import Frame
from schemas.settings import Settings
from schemas.wire import CellsMessage, CellUpdate, Restated, Win
from streams.clock import wall_ms
from streams.fold.partition import PartitionFold
from streams.rollup.upstream import is_busy

_BEAT_MS: Final = 3_000
_FORGET_DELAY_MS: Final = 1_000
_MOST_BYTES: Final = 4_000_000
_encoder: Final = msgspec.msgpack.Encoder()

Emission = dict[int, list[CellsMessage]]
"""Owner -> what the log partitions of this worker have to say to it."""


class _Told(NamedTuple):
    """What a log partition last said to every owner, and when."""

    fence: int
    newest_ms: int | None
    waiting: bool
    at_ms: int


class _Arrival(NamedTuple):
    """The last frame of a log partition: what waited behind it, how long it did, and when it was folded."""

    backlog: int
    delay_ms: int
    at_ms: int


def _payloads(messages: list[CellsMessage]) -> Iterator[bytes]:
    """Encode what an owner is told, in halves where it is too much for one record; cells can be taken one by one."""
    payload = _encoder.encode(messages)
    if len(payload) <= _MOST_BYTES:
        yield payload
    elif len(messages) > 1:
        half = len(messages) // 2
        yield from _payloads(messages[:half])
        yield from _payloads(messages[half:])
    else:
        yield from _halves(messages[0], payload)


def _halves(message: CellsMessage, payload: bytes) -> Iterator[bytes]:
    dims = list(message.cells)
    if len(dims) < 2:
        yield payload
        return
    first = {key: message.cells[key] for key in dims[: len(dims) // 2]}
    rest = {key: message.cells[key] for key in dims[len(dims) // 2 :]}
    yield from _payloads([msgspec.structs.replace(message, cells=first, wins=[], restated=[])])
    # What is told of the cells comes when all of them are there.
    yield from _payloads([msgspec.structs.replace(message, cells=rest)])


class _Share(NamedTuple):
    """What a log partition has to say to one owner."""

    cells: dict[str, list[CellUpdate]]
    wins: list[Win]
    restated: list[Restated]


class Emitter:
    """Sends cells; keeps hold of every send until it is acknowledged.

    Args:
        settings: Partitions, tick.
        topic: That of the cells.
        producer: Its sends must be acknowledged by all replicas.
        fail: Called with the error of a send that was refused.
    """

    def __init__(
        self, settings: Settings, topic: str, producer: AIOKafkaProducer, fail: Callable[[BaseException], None]
    ) -> None:
        self._topic = topic
        self._owners = settings.kafka.partitions
        self._tick_ms = int(settings.time.tick)
        self._producer = producer
        self._fail = fail
        self._arrivals: dict[int, _Arrival] = {}
        self._produced: dict[int, int] = {}
        self._told: dict[int, _Told] = {}
        self._turns: dict[int, int] = {}
        self._owner_of_grouping: dict[str, int] = {}
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None
        # A producer without room lets what is small go before what is large and came first.
        self._turn = asyncio.Lock()

    def note(self, partition: int, frame: Frame) -> None:
        """Remember how long a frame that was folded had waited."""
        now_ms = wall_ms()
        self._arrivals[partition] = _Arrival(frame.backlog, now_ms - frame.produced_ms, now_ms)
        if frame.rows:
            self._produced[partition] = frame.produced_ms

    def take(self, folds: Mapping[int, PartitionFold], *, everything: bool = False) -> Emission:
        """Return what has to be said now; what it holds counts as emitted, so it must be sent.

        Of series that have dimensions, which are published once a tick, it says something once a tick.

        Args:
            folds: By log partition.
            everything: Of all series, as a checkpoint needs it.
        """
        now_ms = wall_ms()
        everything = everything or self.is_behind(folds)
        emission: Emission = {}
        for partition, fold in folds.items():
            by_owner = self._shares(fold, everything=self._has_turn(partition, now_ms) or everything)
            backlog, delay_ms = self._waiting(partition, now_ms)
            produced_ms = self._produced.pop(partition, None)
            to_all = self._is_due(partition, _Told(fold.fence, fold.newest_ms, backlog > 0, now_ms))
            for owner in range(self._owners) if to_all else by_owner:
                cells, won, changed = by_owner.get(owner, _Share({}, [], []))
                message = CellsMessage(
                    partition,
                    fold.fence,
                    fold.newest_ms,
                    backlog,
                    delay_ms,
                    produced_ms if cells else None,
                    cells,
                    won,
                    changed,
                )
                emission.setdefault(owner, []).append(message)
        return emission

    def _shares(self, fold: PartitionFold, *, everything: bool) -> dict[int, _Share]:
        """Take from a fold what it has to say, by owner; what is told of cells comes with them."""
        by_owner: dict[int, _Share] = {}
        changed = fold.take_changed() if everything else fold.take_changed_global()
        for dims, updates in changed.items():
            by_owner.setdefault(self._owner(dims), _Share({}, [], [])).cells[dims] = updates
        for restated in fold.take_restated() if everything else ():
            by_owner.setdefault(self._owner(restated.dims), _Share({}, [], [])).restated.append(restated)
        wins = fold.take_wins()
        if wins:
            by_owner.setdefault(self._owner(""), _Share({}, [], [])).wins.extend(wins)
        return by_owner

    def is_behind(self, partitions: Iterable[int]) -> bool:
        """Tell whether one of these log partitions has much to catch up with."""
        now_ms = wall_ms()
        return any(is_busy(*self._waiting(partition, now_ms)) for partition in partitions)

    async def send(self, emission: Emission) -> None:
        """Hand an emission to the producer, after those that were taken before it.

        To be awaited before anything else is, so that turns are those of :meth:`take`: an owner of series takes the
        highest fence, so of two emissions in the wrong order it would miss what only the first one says.

        Raises:
            UnavailableError: This emission or an earlier one could not be sent.
        """
        async with self._turn:
            self._check()
            try:
                for owner, messages in emission.items():
                    for payload in _payloads(messages):
                        future = await self._producer.send(self._topic, payload, partition=owner)
                        self._in_flight.add(future)
                        future.add_done_callback(self._on_sent)
            except BaseException as error:  # cancelled, too: what was taken and not sent is told by nobody else
                self._failure = self._failure or error
                raise

    async def acknowledged(self) -> None:
        """Wait until everything that was ever sent is acknowledged.

        Raises:
            UnavailableError: Something was not, be it long ago: what it said may not be checkpointed.
        """
        if self._in_flight:
            await asyncio.wait(tuple(self._in_flight))
        self._check()

    def _on_sent(self, future: asyncio.Future[Any]) -> None:
        self._in_flight.discard(future)
        error = asyncio.CancelledError("the producer was closed") if future.cancelled() else future.exception()
        if error is not None:
            self._failure = self._failure or error
            self._fail(error)

    def _check(self) -> None:
        if self._failure is not None:
            reason = str(self._failure) or type(self._failure).__name__
            raise UnavailableError(
                f"Kafka did not take cells ({reason}); nothing more is checkpointed, and what is not comes again"
            )

    def _has_turn(self, partition: int, now_ms: int) -> bool:
        """Tell whether a partition says everything: once a tick, each at a moment of its own.

        All at the same moment, they would hold up what is said of the global series for a tenth of a second.
        """
        turn = (now_ms + self._tick_ms * partition // self._owners) // self._tick_ms
        is_new, self._turns[partition] = self._turns.get(partition) != turn, turn
        return is_new

    def _is_due(self, partition: int, telling: _Told) -> bool:
        """Tell whether every owner must hear of a partition: soon when something changed, else now and then."""
        before = self._told.get(partition)
        if before is not None:
            interval_ms = _BEAT_MS if before[:3] == telling[:3] else self._tick_ms
            if 0 <= telling.at_ms - before.at_ms < interval_ms:  # a clock may be set back
                return False
        self._told[partition] = telling
        return True

    def _waiting(self, partition: int, now_ms: int) -> tuple[int, int]:
        """Return how many events wait behind a partition, and how long its last frame did."""
        backlog, delay_ms, at_ms = self._arrivals.get(partition, _Arrival(0, 0, 0))
        return backlog, delay_ms if now_ms - at_ms < _FORGET_DELAY_MS else 0

    def _owner(self, dims: str) -> int:
        grouping = grouping_of(dims)
        owner = self._owner_of_grouping.get(grouping)
        if owner is None:
            owner = self._owner_of_grouping[grouping] = owner_of(grouping, self._owners)
        return owner
