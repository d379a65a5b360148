"""The newest of everything one owner has said, and which part of it Redis has not got yet."""

from __future__ import annotations

from typing import NamedTuple

from schemas.kpi import Quality
from streams.publication import Publication


class Entry(NamedTuple):
    """One value as Redis gets it: its JSON, and its score in a ranking (None when unknown)."""

    payload: bytes
    score: float | int | None


class Head(NamedTuple):
    """What a publication says of all series of its owner."""

    position: int
    clock_ms: int
    watermark_ms: int | None
    quality: Quality

    @property
    def version(self) -> str:
        """``position:clock_ms``, as stored in the meta hash."""
        return f"{self.position}:{self.clock_ms}"


class Pending(NamedTuple):
    """What one write has to say: keys of values that changed, and of series that are no more."""

    head: Head
    changed: frozenset[str]
    gone: frozenset[str]


class OwnerSnapshot:
    """Last value of every series of one owner; memory is bounded by the number of series, however long Redis is away.

    Attributes:
        entries: Series key -> value.
        confirmed: Version that Redis is known to hold; None until it took everything once.
        outdated: Whether Redis holds values of a newer writer.
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.entries: dict[str, Entry] = {}
        self.confirmed: str | None = None
        self.outdated = False
        self._head: Head | None = None
        self._changed: set[str] = set()
        self._gone: set[str] = set()

    def take(self, publication: Publication) -> None:
        """Coalesce a publication; one that is older than what is held already is dropped."""
        if self._head is not None and (publication.position, publication.clock_ms) < self._head[:2]:
            return
        self._head = Head(
            publication.position,
            publication.clock_ms,
            publication.watermark_ms,
            publication.quality,
        )
        if publication.complete:
            self._drop_all_but({published.key for published in publication.values})
        for published in publication.values:
            entry = Entry(published.payload, published.value.value)
            if self.entries.get(published.key) != entry:
                self.entries[published.key] = entry
                self._changed.add(published.key)
                self._gone.discard(published.key)

    def begin(self) -> Pending | None:
        """Take out what is not written yet; None before the first publication."""
        if self._head is None:
            return None
        pending = Pending(self._head, frozenset(self._changed), frozenset(self._gone))
        self._changed.clear()
        self._gone.clear()
        return pending

    def give_back(self, pending: Pending) -> None:
        """Undo `begin` for a write that failed; what came in meanwhile is newer and stays."""
        self._changed |= {key for key in pending.changed if key in self.entries}
        self._gone |= {key for key in pending.gone if key not in self.entries}

    def _drop_all_but(self, keys: set[str]) -> None:
        for key in [key for key in self.entries if key not in keys]:
            del self.entries[key]
            self._changed.discard(key)
            self._gone.add(key)
