"""Rows to frames: which log partition an account has, and which source offsets every frame covers.

A frame says, for each source partition it has rows of, that its log partition now holds everything in ``[start, end)``;
``start`` is where the frame before it *to that log partition* ended. The fold takes a section only where it joins on to
what is covered there. So a lost frame leaves a gap that is refused, and a repeated one adds nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final

import msgspec

from schemas.rows import Frame, Row, Section

_ITEMS: Final = attrgetter("items")
_MIX: Final = 2_654_435_761
"""2**32 over the golden ratio; its multiples spread evenly (Knuth, The Art of Computer Programming 3, 6.4)."""


@lru_cache(maxsize=1 << 17)
def log_partition(account: str, partitions: int) -> int:
    """Return the log partition of an account; stable for ever, since state lives where its events are.

    A plain CRC-32, with any salt, would follow librdkafka's partitioner bit by bit: each source partition would feed
    just one log partition, and a fault in the coverage would never show. The multiplication breaks that.
    """
    return ((zlib.crc32(account.encode()) * _MIX & 0xFFFF_FFFF) >> 16) % partitions


class Commit(msgspec.Struct, frozen=True):
    """What is committed for a source partition: the offset, and as its metadata the rest.

    Args:
        offset: Everything below it is covered in every log partition.
        epoch: How often the topic was made anew.
        base: Nothing was covered yet when it was committed: who starts from here sends sections with ``base``.
    """

    offset: int
    epoch: int
    base: bool

    @property
    def metadata(self) -> str:
        """``epoch=2;base``: kept by the broker along with the offset."""
        return f"epoch={self.epoch};base" if self.base else f"epoch={self.epoch}"

    @staticmethod
    def parse(offset: int, metadata: str, log_start: int) -> Commit:
        """Read what was committed; a broker that keeps no metadata (Tansu) leaves ``base`` to be inferred.

        Args:
            offset: The committed offset.
            metadata: What came back with it.
            log_start: First offset that the source partition still has.
        """
        if not metadata:
            return Commit(offset, 1, offset <= log_start)
        epoch, _, rest = metadata.removeprefix("epoch=").partition(";")
        return Commit(offset, int(epoch) if epoch.isdigit() else 1, rest == "base")


class _Source:
    """How far one source partition has got, as a whole and towards every log partition."""

    __slots__ = ("base", "epoch", "partition", "position", "sent", "topic")

    def __init__(self, topic: str, partition: int, start: Commit, partitions: int) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = start.epoch
        self.position = start.offset
        self.sent = [start.offset] * partitions
        self.base = [start.base] * partitions

    def section(self, log: int, end: int) -> Section:
        """Cover up to ``end`` towards one log partition."""
        section = Section(self.topic, self.partition, self.epoch, self.sent[log], end, self.base[log])
        self.sent[log] = end
        self.base[log] = False
        return section


class Router:
    """Assigns rows to log partitions and keeps account of what was covered. Knows no broker and no clock.

    Args:
        partitions: Partitions of the log.
        frame_events: Most rows (items of sales count like rows) in a frame.
    """

    def __init__(self, partitions: int, frame_events: int) -> None:
        self._partitions = partitions
        self._frame_events = frame_events
        self._sources: list[_Source] = []

    def assign(self, topic: str, partition: int, start: Commit) -> int:
        """Take up a source partition where it was committed; returns its slot, which rows name in ``section``."""
        self._sources.append(_Source(topic, partition, start, self._partitions))
        return len(self._sources) - 1

    def clear(self) -> None:
        """Forget all source partitions; slots start from 0 again."""
        self._sources.clear()

    def route(
        self, rows: Sequence[Row], positions: Mapping[int, int], produced_ms: int, backlog: int
    ) -> list[tuple[int, Frame]]:
        """Put rows into frames.

        Args:
            rows: In the order of folding; those of one slot in the order of their offsets.
            positions: Slot -> offset up to which all its rows have been routed with this call.
            produced_ms: Goes into the frames.
            backlog: Goes into the frames.

        Returns:
            Log partition and frame, to be sent in this order.
        """
        partitions = self._partitions
        parts: list[list[Row]] = [[] for _ in range(partitions)]
        for row in rows:
            parts[log_partition(row.account, partitions)].append(row)
        for slot, position in positions.items():
            self._sources[slot].position = position
        return [
            (log, self._frame(log, chunk, produced_ms, backlog))
            for log, part in enumerate(parts)
            if part
            for chunk in self._chunks(part)
        ]

    def completion(self, produced_ms: int, backlog: int) -> list[tuple[int, Frame]]:
        """Return empty frames that bring every log partition up to every position.

        Positions may be committed when these are acknowledged, and not before: else, after a restart, coverage would
        begin above what a log partition has, and everything would be refused there for ever.
        """
        frames: list[tuple[int, Frame]] = []
        for log in range(self._partitions):
            sections = tuple(
                source.section(log, source.position) for source in self._sources if source.sent[log] < source.position
            )
            if sections:
                frames.append((log, Frame(sections, [], produced_ms, backlog)))
        return frames

    def commits(self) -> dict[tuple[str, int], Commit]:
        """Return, by topic and partition, what may be committed once the completion is acknowledged."""
        return {
            (source.topic, source.partition): Commit(source.position, source.epoch, any(source.base))
            for source in self._sources
        }

    def _chunks(self, rows: list[Row]) -> list[list[Row]]:
        limit = self._frame_events
        if len(rows) <= limit and not any(map(_ITEMS, rows)):
            return [rows]
        chunks: list[list[Row]] = [[]]
        weight = 0
        for row in rows:
            own = 1 + len(row.items or ())
            if weight + own > limit and chunks[-1]:
                chunks.append([])
                weight = 0
            chunks[-1].append(row)
            weight += own
        return chunks

    def _frame(self, log: int, rows: list[Row], produced_ms: int, backlog: int) -> Frame:
        """Turn slots into indices of the frame's sections; each section ends behind its last row."""
        ends: dict[int, int] = {row.section: row.offset + 1 for row in rows}
        index = {slot: place for place, slot in enumerate(ends)}
        for row in rows:
            row.section = index[row.section]
        sections = tuple(self._sources[slot].section(log, end) for slot, end in ends.items())
        return Frame(sections, rows, produced_ms, backlog)


def split(frame: Frame) -> tuple[Frame, Frame]:
    """Cut a frame of two rows or more in two that cover the same, one after the other: it was too large to send."""
    half = len(frame.rows) // 2
    parts = frame.rows[:half], frame.rows[half:]
    last = {row.section: row.offset + 1 for row in parts[0]}
    later = {row.section for row in parts[1]}
    first_sections: dict[int, Section] = {}
    second_sections: dict[int, Section] = {}
    for place, section in enumerate(frame.sections):
        if place not in later:
            first_sections[place] = section
        elif place not in last:
            second_sections[place] = section
        else:
            first_sections[place] = msgspec.structs.replace(section, end=last[place])
            second_sections[place] = msgspec.structs.replace(section, start=last[place], base=False)
    first, second = (
        _with_rows(frame, sections, rows)
        for sections, rows in zip((first_sections, second_sections), parts, strict=True)
    )
    return first, second


def _with_rows(frame: Frame, sections: Mapping[int, Section], rows: list[Row]) -> Frame:
    index = {old: new for new, old in enumerate(sections)}
    for row in rows:
        row.section = index[row.section]
    return Frame(tuple(sections.values()), rows, frame.produced_ms, frame.backlog)
