"""The board of alerts in Redis: fingerprint -> JSON."""

from __future__ import annotations

from collections.abc import Mapping

from redis.asyncio import Redis as Client


class AlertBoard:
    """Holds the alerts of the series that are watched here, writes what changed and keeps it alive.

    Who watches nothing holds nothing, and so writes and keeps alive nothing.

    Args:
        key: The hash; those who watch other series write into it, too.
        ttl_ms: It is kept alive for this long after each write.
    """

    def __init__(self, key: str, ttl_ms: int) -> None:
        self._key = key
        self._ttl_ms = int(ttl_ms)
        self._alerts: dict[str, bytes] = {}
        self._changed: set[str] = set()

    def hold(self, alerts: Mapping[str, bytes]) -> None:
        """Hold these and no others; what is let go stays in Redis, where somebody else sees to it now."""
        changed = {name for name, payload in alerts.items() if payload != self._alerts.get(name)}
        self._changed = changed | (self._changed & alerts.keys())
        self._alerts = dict(alerts)

    async def write(self, client: Client, *, again: bool) -> None:
        """Write what changed; everything where Redis has lost it, which `again` says or the missing key shows."""
        if self._alerts and (again or not await client.pexpire(self._key, self._ttl_ms)):
            self._changed.update(self._alerts)
        written = {name: self._alerts[name] for name in self._changed}
        if not written:
            return
        async with client.pipeline(transaction=True) as pipe:
            for name, payload in sorted(written.items()):
                pipe.hset(self._key, name, payload)
            pipe.pexpire(self._key, self._ttl_ms)
            await pipe.execute()
        self._changed = {name for name in self._changed if self._alerts[name] != written.get(name)}
