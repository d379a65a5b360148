"""How the commands find the servers that `salespulse up` runs: a file in its data directory, locked while it runs.

A lock instead of a process id, since it is gone with its holder, however that ended.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.settings import Settings

_FILE: Final = "up.json"


class Running(msgspec.Struct, frozen=True):
    """Where the servers of a running `up` are."""

    bootstrap_servers: str
    idempotence: bool
    redis_url: str
    host: str
    port: int


@contextmanager
def alone(data_dir: Path) -> Iterator[Callable[[Running], None]]:
    """Be the only `up` of a data directory, for the length of a `with` block.

    Yields:
        A function that says where the servers are, once they run.

    Raises:
        UsageError: Another one runs there.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / _FILE
    with path.open("a+b") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = find_running(data_dir)
            where = f" (http://{other.host}:{other.port})" if other is not None else ""
            raise UsageError(
                f"salespulse up runs in {data_dir} already{where}; stop it, or choose another directory with --data"
            ) from None
        file.truncate(0)

        def announce(running: Running) -> None:
            file.write(msgspec.json.encode(running))
            file.flush()

        try:
            yield announce
        finally:
            file.truncate(0)


def find_running(data_dir: Path) -> Running | None:
    """Where the servers of the `up` of a data directory are; None when none runs."""
    try:
        with (data_dir / _FILE).open("rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return msgspec.json.decode(file.read(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return None  # the file is left over from one that was killed


def with_running(settings: Settings) -> Settings:
    """Settings that name no servers of their own get those of the running `up`; others stay as they are."""
    defaults = Settings()
    own = (
        settings.kafka.bootstrap_servers != defaults.kafka.bootstrap_servers or settings.redis.url != defaults.redis.url
    )
    found = None if own else find_running(Path(settings.app.data_dir))
    return settings if found is None else laid_over(settings, found)


def laid_over(settings: Settings, running: Running) -> Settings:
    """Settings with these servers' addresses; the pages keep theirs, so that a wall of one's own can be started."""
    replace = msgspec.structs.replace
    return replace(
        settings,
        kafka=replace(settings.kafka, bootstrap_servers=running.bootstrap_servers, idempotence=running.idempotence),
        redis=replace(settings.redis, url=running.redis_url),
    )
