"""Files of events, read in order of event time: NDJSON as it stands, CSV through a mapping.

NDJSON files are indexed, not loaded: per event 24 bytes stay in memory, and the lines are read from the file when their
turn comes. Events of the same millisecond keep the order of the files, and within a file that of its lines.
"""

from __future__ import annotations

import hashlib
import mmap
from array import array
from bisect import bisect_right
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import orjson

from schemas.asyncapi import source_of
from schemas.decode import instant_ms
from schemas.diagnose import excerpt
from schemas.errors import InvalidEvent, UsageError
from schemas.rows import EVENT_TYPES
from streams.mapping.csv_file import DataFileError
from streams.mapping.lines import read_line
from streams.mapping.rows import MappedFile, map_csv
from streams.mapping.rules import CsvMapping
from streams.time import FOREVER_MS

NDJSON_SUFFIXES: Final = (".ndjson", ".jsonl", ".json")
_TABLE_SUFFIXES: Final = (".csv", ".tsv")
_SOURCE_OF: Final = {name: source_of(name) for name in EVENT_TYPES}
"""Event type -> key of its source topic: ``deal.won`` -> ``deals``."""


class OutgoingEvent(NamedTuple):
    """An event to send: key of its source topic, message key, UTF-8 JSON and event time in UTC milliseconds."""

    source: str
    key: bytes | None
    value: bytes
    at_ms: int


class _Events(Protocol):
    """The events of one file."""

    times: array[int]

    def get(self, index: int) -> OutgoingEvent:
        """Return the event of an index of ``times``."""
        ...

    def feed(self, digest: Any) -> None:
        """Put everything that will be sent into a hash."""
        ...


class EventFiles:
    """The events of several files as one sequence in order of event time.

    Args:
        paths: NDJSON (``.ndjson``, ``.jsonl``, ``.json``; without a mapping whatever is no table) and CSV files.
        mapping: How rows of the CSV files become events.

    Raises:
        UsageError: A CSV file and no mapping.
        DataFileError: A file or a line of it cannot be used: file, line, found, allowed.
    """

    def __init__(self, paths: Sequence[Path], mapping: CsvMapping | None = None) -> None:
        self.skipped: dict[str, int] = {}
        self.rows = 0
        self._files = [self._open(path, mapping) for path in paths]
        self._bounds = [0]
        times = array("q")
        for file in self._files:
            times.extend(file.times)
            self._bounds.append(len(times))
        self._times = times
        self._order = _order(times)

    def __len__(self) -> int:
        return len(self._times)

    def since(self, position: int) -> Iterator[OutgoingEvent]:
        """The events from a position in the order of event time on."""
        for place in range(position, len(self)):
            index = self._order[place]
            file = bisect_right(self._bounds, index) - 1
            yield self._files[file].get(index - self._bounds[file])

    def fingerprint(self, *more: str) -> str:
        """A hash of everything that would be sent, and of further texts; the same in every run."""
        digest = hashlib.sha256()
        for file in self._files:
            file.feed(digest)
        for text in more:
            digest.update(b"\0" + text.encode())
        return digest.hexdigest()[:24]

    def _open(self, path: Path, mapping: CsvMapping | None) -> _Events:
        suffix = path.suffix.lower()
        if suffix in NDJSON_SUFFIXES or (mapping is None and suffix not in _TABLE_SUFFIXES):
            return _NdjsonEvents(path)
        if mapping is None:
            raise UsageError(
                f"{path}: found {path.suffix}; events are read from {', '.join(NDJSON_SUFFIXES)} and the like, "
                "tables from CSV with --mapping (crm_opportunities, or a TOML file of your own)"
            )
        mapped = map_csv(mapping, path)
        self.rows += mapped.rows
        for reason, count in mapped.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + count
        return _MappedEvents(mapped)


class _MappedEvents:
    """Events made from a CSV file; they are few enough to be kept."""

    def __init__(self, mapped: MappedFile) -> None:
        self.times = array("q", (event.at_ms for event in mapped.events))
        self._events = mapped.events

    def get(self, index: int) -> OutgoingEvent:
        at_ms, _, _, event = self._events[index]
        return OutgoingEvent(_SOURCE_OF[event["event_type"]], _key(event.get("account_id")), orjson.dumps(event), at_ms)

    def feed(self, digest: Any) -> None:
        for index in range(len(self._events)):
            digest.update(self.get(index).value)


class _NdjsonEvents:
    """An NDJSON file: one event a line, sent byte for byte as it stands."""

    def __init__(self, path: Path) -> None:
        self.times = array("q")
        self._starts = array("q")
        self._ends = array("q")
        try:
            with path.open("rb") as file:
                # An empty file cannot be mapped into memory.
                self._bytes: mmap.mmap | bytes = (
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
                )
        except FileNotFoundError:
            raise DataFileError(f"{path}: no such file") from None
        except OSError as error:
            raise DataFileError(f"{path}: cannot be read: {error.strerror}") from None
        self._index(path)

    def get(self, index: int) -> OutgoingEvent:
        value = self._bytes[self._starts[index] : self._ends[index]]
        line = read_line(value)
        return OutgoingEvent(_SOURCE_OF[line.event_type or ""], _key(line.account_id), value, self.times[index])

    def feed(self, digest: Any) -> None:
        digest.update(self._bytes)

    def _index(self, path: Path) -> None:
        number, size = 0, len(self._bytes)
        start = len(BOM_UTF8) if self._bytes[: len(BOM_UTF8)] == BOM_UTF8 else 0
        while start < size:
            number += 1
            end = self._bytes.find(b"\n", start)
            end = size if end < 0 else end
            line = self._bytes[start:end].rstrip()
            if line:
                self.times.append(_event_time(path, number, line))
                self._starts.append(start)
                self._ends.append(start + len(line))
            start = end + 1


def _event_time(path: Path, number: int, text: bytes) -> int:
    try:
        line = read_line(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise DataFileError(f"{path}, line {number}: not an event in JSON: {error}") from None
    event_type, moment = line.event_type, line.occurred_at
    if event_type not in _SOURCE_OF:
        raise DataFileError(
            f"{path}, line {number}, event_type: found {event_type or 'nothing'}; "
            "allowed: an event type such as deal.won (`salespulse schemas export` writes all)"
        )
    try:
        at_ms = instant_ms("" if moment is None else moment)  # by intake's rule: in the order in which it is counted
    except InvalidEvent as error:
        found = "nothing" if moment is None else error.found
        raise DataFileError(f"{path}, line {number}, occurred_at: found {found}; allowed: {error.allowed}") from None
    if at_ms >= FOREVER_MS:
        raise DataFileError(
            f"{path}, line {number}, occurred_at: found {excerpt(moment)}; allowed: milliseconds below {FOREVER_MS}"
        )
    return at_ms


def _order(times: array[int]) -> Sequence[int]:
    """Indexes in order of time; a file that is in order already costs no memory."""
    if all(earlier <= later for earlier, later in pairwise(times)):
        return range(len(times))
    return array("q", sorted(range(len(times)), key=times.__getitem__))


def _key(account: Any) -> bytes | None:
    return account.encode() if isinstance(account, str) and account else None
