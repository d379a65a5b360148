"""Entries by key, and which of them somebody else has not been told of yet; pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Untold(NamedTuple, Generic[Key]):
    """Keys of entries that changed, and of entries that are no more."""

    changed: frozenset[Key]
    gone: frozenset[Key]


class Ledger(Generic[Key, Value]):
    """The newest of every entry; memory is bounded by the number of keys, however long nobody is told.

    Attributes:
        entries: Key -> value.
    """

    def __init__(self) -> None:
        self.entries: dict[Key, Value] = {}
        self._changed: set[Key] = set()
        self._gone: set[Key] = set()

    def put(self, key: Key, value: Value) -> None:
        """Set an entry; what is the same as before is no news."""
        if self.entries.get(key) != value:
            self.entries[key] = value
            self._changed.add(key)
            self._gone.discard(key)

    def drop(self, keys: Collection[Key]) -> None:
        """Take entries out."""
        for key in keys:
            del self.entries[key]
            self._changed.discard(key)
            self._gone.add(key)

    def drop_all_but(self, keys: Collection[Key]) -> None:
        """Take out the entries that are not among these."""
        self.drop([key for key in self.entries if key not in keys])

    @property
    def has_untold(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._changed or self._gone)

    def take(self) -> Untold[Key]:
        """Take out what is to be told."""
        untold = Untold(frozenset(self._changed), frozenset(self._gone))
        self._changed.clear()
        self._gone.clear()
        return untold

    def give_back(self, untold: Untold[Key]) -> None:
        """Undo `take` where telling failed; what came in meanwhile is newer and stays."""
        self._changed |= {key for key in untold.changed if key in self.entries}
        self._gone |= {key for key in untold.gone if key not in self.entries}
