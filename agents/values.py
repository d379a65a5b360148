"""Published values from Redis, for commands that cannot do without any."""

from __future__ import annotations

from schemas.errors import UnavailableError
from schemas.settings import Settings
from streams.redis_view import Answer, Query, RedisReader


async def read_values(reader: RedisReader, query: Query, settings: Settings) -> Answer:
    """Read values.

    Raises:
        UnavailableError: Redis does not answer, or holds no values at all.
    """
    answer = await reader.read(query)
    if answer.freshness.as_of is None:
        raise UnavailableError(
            f"Redis at {settings.redis.url} holds no values (prefix {settings.redis.prefix}): no worker has written "
            "any lately. Is one running (`salespulse worker`, `salespulse up`)? `salespulse check` looks for the cause"
        )
    return answer
