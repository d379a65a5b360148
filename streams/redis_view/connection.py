"""Clients with the time limits that a live view wants: what does not answer in a second is away."""

from __future__ import annotations

from typing import Final

from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from schemas.errors import SettingsError, UnavailableError
from schemas.setting_errors import shown

TIMEOUT_S: Final = 1.0
_RETRIES: Final = 3
_CONNECTIONS: Final = 8
AWAY: Final = (RedisError, OSError, TimeoutError)
"""What a client raises when the server is away, slow, loading, full or no Redis at all."""


def connect(url: str) -> Client:
    """Return a client that connects when first used: 1 s time limits, 3 quick retries, 8 connections at most.

    Raises:
        SettingsError: ``redis.url`` is no URL of a Redis.
    """
    return _client(url, TIMEOUT_S)


def connect_subscriber(url: str) -> Client:
    """Return a client that may wait for a message for as long as it takes."""
    return _client(url, None)


def _client(url: str, timeout_s: float | None) -> Client:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=timeout_s,
            socket_connect_timeout=TIMEOUT_S,
            socket_keepalive=True,
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.1), _RETRIES),
        )
    except ValueError as error:
        raise SettingsError(f"redis.url: found {shown('redis.url', url)}; {error}") from None
    return Client(connection_pool=pool)


def unavailable(url: str, error: Exception) -> UnavailableError:
    """Say which server does not answer, and what to try."""
    server = url.rpartition("@")[2] if "@" in url else url  # never a password
    reason = str(error) or type(error).__name__
    return UnavailableError(f"Redis at {server} does not answer ({reason}); is it running, and is redis.url right?")
