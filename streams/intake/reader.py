"""The inside of intake: messages to rows, rows to frames, and account of how far everything is. Knows no broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Protocol

from schemas.errors import IntakeStopped, InvalidEvent
from schemas.rows import Frame, Row
from schemas.settings import Settings
from streams.intake.breaker import Breaker
from streams.intake.counters import IntakeCounters
from streams.intake.deadletters import DeadLetter, dead_letter
from streams.intake.merge import Merger
from streams.intake.normalise import Normaliser
from streams.intake.router import Commit, Router

Source = tuple[str, int]
"""Topic and partition."""

_BUFFER_ROWS: Final = 2_000
_PATIENCE_S: Final = 1.0
_KIND: Final = attrgetter("kind")


class Message(Protocol):
    """A message of a source topic, as the client library gives it."""

    @property
    def key(self) -> bytes | None: ...  # noqa: D102  as in Kafka
    @property
    def value(self) -> bytes | None: ...  # noqa: D102  as in Kafka
    @property
    def offset(self) -> int: ...  # noqa: D102  as in Kafka
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...  # noqa: D102  as in Kafka


class _Partition:
    """One source partition: its slot, how far it was read, and where it ends."""

    __slots__ = ("end", "epoch", "read", "slot", "starving_since")

    def __init__(self, slot: int, start: Commit, end: int) -> None:
        self.slot = slot
        self.epoch = start.epoch
        self.read = start.offset
        self.end = end
        self.starving_since: float | None = None


class Reader:
    """Everything intake keeps for the partitions it has.

    Args:
        settings: Limits, currencies, partitions of the log.
        counters: What it counts in.
    """

    def __init__(self, settings: Settings, counters: IntakeCounters) -> None:
        limits = settings.intake
        self._settings = settings
        self._counters = counters
        self._normaliser = Normaliser(settings)
        self._merger = Merger()
        self._router = Router(settings.kafka.partitions, limits.frame_events)
        self._partitions: dict[Source, _Partition] = {}
        self._breaker = Breaker(limits.dead_letter_window, limits.dead_letter_minimum, limits.dead_letter_ratio)
        self._last: DeadLetter | None = None

    def clear(self) -> None:
        """Forget all partitions."""
        self._merger.clear()
        self._router.clear()
        self._partitions.clear()
        self._counters.lag.clear()

    def assign(self, topic: str, partition: int, start: Commit, end: int) -> None:
        """Take up a partition; ``end`` is the offset after its last message."""
        slot = self._router.assign(topic, partition, start)
        self._partitions[topic, partition] = _Partition(slot, start, end)
        self._counters.lag[topic, partition] = end - start.offset

    def wanted(self) -> list[Source]:
        """Return the partitions of which more should be read: not those that wait for others already."""
        return [source for source, it in self._partitions.items() if self._merger.size(it.slot) < _BUFFER_ROWS]

    def take_in(
        self,
        records: Mapping[Source, Sequence[Message]],
        positions: Mapping[Source, int],
        ends: Mapping[Source, int],
        now_ms: int,
    ) -> list[DeadLetter]:
        """Decode what was read.

        Args:
            records: Messages by partition.
            positions: Offset to be read next, also where there were no messages (transaction markers have offsets).
            ends: How far partitions can be read now.
            now_ms: Wall clock, UTC milliseconds.

        Returns:
            The messages that are no events; when :meth:`check` is about to raise, enough of them to see what they are.
        """
        letters: list[DeadLetter] = []
        for source, messages in records.items():
            it = self._partitions.get((source[0], source[1]))
            if it is not None:
                rows = self._rows(source, it, messages, now_ms, letters)
                self._merger.add(it.slot, rows)
                self._counters.took_in(source[0], map(_KIND, rows))
        for source, position in positions.items():
            self._partitions[source].read = position
        for source, end in ends.items():
            if source in self._partitions:
                self._partitions[source].end = end
        if self._breaker.tripped:  # nothing of this is committed, so all of it comes again with every restart
            return letters[: self._settings.intake.dead_letter_minimum]
        return letters

    def check(self) -> None:
        """Raise ``IntakeStopped`` when too many of the last messages were no events."""
        if self._breaker.tripped and self._last is not None:
            raise IntakeStopped(
                f"{self._breaker.dead} of the last {self._breaker.total} messages cannot be counted, the last of them"
                f" {self._last.summary()}. The worker stops rather than divert everything; they are not committed."
                " Correct the producers or the settings, or let it pass with intake.dead_letter_ratio = 1"
            )

    def frames(self, now_ms: int, clock_s: float) -> list[tuple[int, Frame]]:
        """Return the frames that can go now; what may yet be preceded by older events waits, but not for long.

        Args:
            now_ms: Wall clock, UTC milliseconds; goes into the frames.
            clock_s: A clock that never goes back, in seconds; for patience with partitions that do not deliver.
        """
        rows = self._merger.take(self._lagging(clock_s))
        positions = {it.slot: self._routed_to(it) for it in self._partitions.values()}
        for source, it in self._partitions.items():
            self._counters.lag[source] = max(0, it.end - positions[it.slot])
        return self._router.route(rows, positions, now_ms, self._counters.backlog)

    def completion(self, now_ms: int) -> list[tuple[int, Frame]]:
        """Return the empty frames that make everything routed so far fit to be committed."""
        return self._router.completion(now_ms, self._counters.backlog)

    def commits(self) -> dict[Source, Commit]:
        """Return what may be committed once all frames and dead letters so far are acknowledged."""
        return self._router.commits()

    def _rows(
        self, source: Source, it: _Partition, messages: Iterable[Message], now_ms: int, letters: list[DeadLetter]
    ) -> list[Row]:
        rows: list[Row] = []
        slot, row_of, append = it.slot, self._normaliser.take, rows.append
        max_bytes = self._settings.intake.max_event_bytes
        counted = 0
        for message in messages:
            try:
                append(row_of(message.value, message.headers, slot, message.offset, now_ms, max_bytes))
            except InvalidEvent as error:
                place = (source[0], it.epoch, source[1], message.offset)
                letter = dead_letter(place, error, now_ms, (message.key, message.value, message.headers))
                letters.append(letter)
                self._last = letter
                self._counters.dead_letters[source[0], error.reason] += 1
                self._breaker.good(len(rows) - counted)
                self._breaker.bad()
                counted = len(rows)
        self._breaker.good(len(rows) - counted)
        return rows

    def _routed_to(self, it: _Partition) -> int:
        first = self._merger.first_offset(it.slot)
        return it.read if first is None else first

    def _lagging(self, clock_s: float) -> list[int]:
        """Slots behind their end, but for those that had nothing to give for too long."""
        lagging: list[int] = []
        for it in self._partitions.values():
            if it.read >= it.end or self._merger.size(it.slot):
                it.starving_since = None
            elif it.starving_since is None:
                it.starving_since = clock_s
            patient = it.starving_since is None or clock_s - it.starving_since < _PATIENCE_S
            if it.read < it.end and patient:
                lagging.append(it.slot)
        return lagging
