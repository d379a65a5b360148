"""The accounts of one log partition: those lately seen as objects, all as compressed records of their changelog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.wire import body_of, fence_of, pack
from streams.compression import Compression
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator

_LIVE_ACCOUNTS: Final = 20_000
_FRESH_RECORDS: Final = 2_048
"""Records kept as they were written: accounts of which much comes are not compressed at every checkpoint."""

Records = list[tuple[bytes, bytes | None]]
"""Changelog records, key and value; None deletes the key."""

_decoder: Final = msgspec.msgpack.Decoder(AccountRecord)


class AccountStore:
    """Accounts by name.

    Args:
        out: Where accounts put what they add to cells.
        compression: Of the records.
    """

    def __init__(self, out: Accumulator, compression: Compression) -> None:
        self._out = out
        self._compression = compression
        self._live: dict[str, Account] = {}
        self._stored: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, bytes] = {}  # newer than what is stored
        self._unsaved: dict[str, None] = {}

    def __len__(self) -> int:
        newer = self._fresh.keys() | {name.encode() for name in self._unsaved}
        return len(self._stored) + sum(key not in self._stored for key in newer)

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._unsaved)

    def account(self, name: str) -> Account:
        """Return an account, a new one where it was never seen."""
        account = self._live.get(name)
        if account is None:
            record = self._record(name.encode())
            if record is None:
                account = Account(AccountRecord([], {}), self._out)
            else:
                account = Account(_decoder.decode(body_of(record)), self._out, fence_of(record))
            self._live[name] = account
        return account

    def changed(self, name: str) -> None:
        """Note that an account is to be written by the next checkpoint."""
        self._unsaved[name] = None

    def restore(self, records: Mapping[bytes, bytes], marker_fence: int, repair: Iterable[bytes]) -> int:
        """Take the records of the changelog, each the one of the highest fence of its key, compressed or not.

        Those past the marker are unsaved again, and those in ``repair``, which stand below an older record.

        Returns:
            The highest fence seen.
        """
        compress, highest = self._compression.compress, -1
        for key, record in records.items():
            self._stored[key] = compress(record)
            fence = fence_of(record)
            highest = max(highest, fence)
            if fence > marker_fence:
                self._unsaved[key.decode()] = None
        self._unsaved.update(dict.fromkeys(key.decode() for key in repair))
        return highest

    def take_unsaved(self, fence: int) -> Records:
        """Return the changelog records of the accounts changed since the last checkpoint, which ends at ``fence``."""
        records: Records = []
        for name in self._unsaved:
            key, live = name.encode(), self._live.get(name)
            if live is not None:
                record = pack(max(fence, live.fence), live.record)
            else:
                stored = self._record(key)
                assert stored is not None, "what is to be written is live, was recovered, or let go"
                record = pack(max(fence, fence_of(stored)), msgspec.Raw(body_of(stored)))
            self._fresh[key] = record
            records.append((key, record))
        self._unsaved = {}
        if len(self._live) > _LIVE_ACCOUNTS:
            self._live = {}
        self._compress()
        return records

    def let_go(self, fence: int) -> None:
        """Keep as records what is live where that is much; for who folds without checkpoints.

        Args:
            fence: Last log offset folded; all of its frame must be.
        """
        if len(self._live) <= _LIVE_ACCOUNTS:
            return
        for name, live in self._live.items():
            if name in self._unsaved:
                self._fresh[name.encode()] = pack(max(fence, live.fence), live.record)
        self._live = {}
        self._compress()

    def _compress(self) -> None:
        """Compress the records that were kept as they were written, where these are many."""
        if len(self._fresh) > _FRESH_RECORDS:
            compress = self._compression.compress
            self._stored.update((key, compress(record)) for key, record in self._fresh.items())
            self._fresh = {}

    def _record(self, key: bytes) -> bytes | None:
        """Return the last record of an account; None where it was never written."""
        record = self._fresh.get(key)
        if record is not None:
            return record
        kept = self._stored.get(key)
        return self._compression.record(kept) if kept is not None else None
