"""The accounts of one log partition: those lately seen as objects, all of them as their changelog records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.wire import body_of, fence_of, pack
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator

_LIVE_ACCOUNTS: Final = 20_000

Records = list[tuple[bytes, bytes | None]]
"""Changelog records, key and value; None deletes the key."""

_decoder: Final = msgspec.msgpack.Decoder(AccountRecord)


class AccountStore:
    """Accounts by name.

    Args:
        out: Where accounts put what they add to cells.
    """

    def __init__(self, out: Accumulator) -> None:
        self._out = out
        self._live: dict[str, Account] = {}
        self._stored: dict[str, bytes] = {}
        self._unsaved: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._stored.keys() | self._live.keys())

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._unsaved)

    def account(self, name: str) -> Account:
        """Return an account, a new one where it was never seen."""
        account = self._live.get(name)
        if account is None:
            stored = self._stored.get(name)
            if stored is None:
                account = Account(AccountRecord([], {}), self._out)
            else:
                account = Account(_decoder.decode(body_of(stored)), self._out, fence_of(stored))
            self._live[name] = account
        return account

    def changed(self, name: str) -> None:
        """Note that an account is to be written by the next checkpoint."""
        self._unsaved[name] = None

    def restore(self, records: Iterable[tuple[bytes, bytes]], marker_fence: int, repair: Iterable[bytes]) -> int:
        """Take the records of the changelog, each the one of the highest fence of its key.

        Those past the marker are unsaved again, and those in ``repair``, which stand below an older record.

        Returns:
            The highest fence seen.
        """
        highest = -1
        for key, record in records:
            name, fence = key.decode(), fence_of(record)
            self._stored[name] = record
            highest = max(highest, fence)
            if fence > marker_fence:
                self._unsaved[name] = None
        self._unsaved.update(dict.fromkeys(key.decode() for key in repair))
        return highest

    def take_unsaved(self, fence: int) -> Records:
        """Return the changelog records of the accounts changed since the last checkpoint, which ends at ``fence``."""
        records: Records = []
        for name in self._unsaved:
            live = self._live.get(name)
            if live is not None:
                record = pack(max(fence, live.fence), live.record)
            else:
                stored = self._stored[name]
                record = pack(max(fence, fence_of(stored)), msgspec.Raw(body_of(stored)))
            self._stored[name] = record
            records.append((name.encode(), record))
        self._unsaved = {}
        if len(self._live) > _LIVE_ACCOUNTS:
            self._live = {}
        return records
