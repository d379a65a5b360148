"""The board of alerts in Redis: fingerprint -> JSON."""

from __future__ import annotations

from collections.abc import Mapping

from redis.asyncio import Redis as Client


class AlertBoard:
    """Keeps the alerts that this worker owns, and writes what changed.

    Args:
        key: The hash.
        ttl_ms: It is kept alive for this long after each write.
    """

    def __init__(self, key: str, ttl_ms: int) -> None:
        self._key = key
        self._ttl_ms = int(ttl_ms)
        self._alerts: dict[str, bytes] = {}
        self._changed: set[str] = set()

    def take(self, alerts: Mapping[str, bytes]) -> None:
        """Remember alerts; an empty value takes one off the board."""
        for fingerprint, payload in alerts.items():
            if payload:
                self._alerts[fingerprint] = payload
            else:
                self._alerts.pop(fingerprint, None)
            self._changed.add(fingerprint)

    async def write(self, client: Client, *, again: bool) -> None:
        """Write what changed; everything where Redis has lost it, which `again` says or the missing key shows."""
        if self._alerts and (again or not await client.pexpire(self._key, self._ttl_ms)):
            self._changed.update(self._alerts)
        if not self._changed:
            return
        changed = frozenset(self._changed)
        async with client.pipeline(transaction=True) as pipe:
            for fingerprint in sorted(changed):
                if fingerprint in self._alerts:
                    pipe.hset(self._key, fingerprint, self._alerts[fingerprint])
                else:
                    pipe.hdel(self._key, fingerprint)
            pipe.pexpire(self._key, self._ttl_ms)
            held = {fingerprint: self._alerts.get(fingerprint) for fingerprint in changed}
            await pipe.execute()
        self._changed -= {name for name, payload in held.items() if self._alerts.get(name) == payload}
