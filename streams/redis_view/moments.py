"""Moments worth celebrating in Redis: a capped stream, in which each stands once however often it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis as Client

from streams.redis_view.keys import Keys

LENGTH: Final = 200
_TTL_MS: Final = 86_400_000
_ADD: Final = """
local moments, channel, length, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known, added = {}, 0
for _, entry in ipairs(redis.call('XREVRANGE', moments, '+', '-')) do known[entry[2][2]] = true end
for at = 4, #ARGV, 2 do
  if not known[ARGV[at]] then
    redis.call('XADD', moments, 'MAXLEN', length, '*', 'id', ARGV[at], 'moment', ARGV[at + 1])
    known[ARGV[at]], added = true, added + 1
  end
end
redis.call('PEXPIRE', moments, ttl)
if added > 0 then redis.call('PUBLISH', channel, '{"moments":' .. added .. '}') end
return added
"""


class _Named(msgspec.Struct):
    id: str


class MomentLog:
    """Keeps the moments that Redis has not taken yet, the newest :data:`LENGTH` of them.

    Args:
        client: Of the server they go to.
        keys: Names in it.
    """

    def __init__(self, client: Client, keys: Keys) -> None:
        self._keys = keys
        self._script = client.register_script(_ADD)
        self._pending: dict[str, bytes] = {}

    def take(self, moments: Sequence[bytes]) -> None:
        """Remember moments, as JSON objects with an ``id``."""
        for moment in moments:
            self._pending[msgspec.json.decode(moment, type=_Named).id] = moment
        for old in list(self._pending)[:-LENGTH]:
            del self._pending[old]

    async def write(self) -> None:
        """Write what is pending; it stays pending when Redis is away."""
        if not self._pending:
            return
        told = dict(self._pending)
        pairs = [part for pair in told.items() for part in pair]
        await self._script(keys=[self._keys.moments], args=[self._keys.changes, LENGTH, _TTL_MS, *pairs])
        for moment in told:
            self._pending.pop(moment, None)
