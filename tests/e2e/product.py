"""The product as its users run it: `salespulse` commands in processes of their own, with a settings file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from agents.brokers import ChildProcess, free_port
from schemas.settings import Settings, load_settings
from schemas.topics import Topics
from tests.polling import until

PROJECT: Final = Path(__file__).parents[2]
_RUN: Final = ("-c", "from agents.cli import main; main()")


class Installation:
    """Settings of one product among others on the same servers, and the processes that run with them.

    Args:
        directory: For the settings file and the logs.
        kafka: Bootstrap servers.
        redis: URL.
        prefix: Keeps topics, groups and keys apart from those of other tests.
        tables: Further settings, `{"time": {"clock": "event"}}`.
    """

    def __init__(
        self, directory: Path, kafka: str, redis: str, prefix: str, tables: Mapping[str, Mapping[str, Any]]
    ) -> None:
        names = {field: prefix + getattr(Topics(), field) for field in Topics.__struct_fields__}
        document: dict[str, dict[str, Any]] = {
            "app": {"id": f"{prefix}app"},
            "kafka": {"bootstrap_servers": kafka},
            "redis": {"url": redis, "prefix": prefix.rstrip(".")},
            "topics": names,
        }
        for name, table in tables.items():
            document[name] = document.get(name, {}) | dict(table)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.path = directory / "salespulse.toml"
        self.path.write_text("".join(_toml(name, table) for name, table in document.items()))
        self.settings: Settings = load_settings(self.path, {})
        self._processes: list[Process] = []

    def start(
        self, command: str, *arguments: str, run: Sequence[str] = _RUN, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a server command on a free port; see `Process.until_ready`.

        Args:
            command: `worker` or `wall`.
            arguments: Further ones.
            run: What Python is to run as the command line; a test may put something between.
            env: Further variables.
        """
        port = free_port()
        name = f"{command}-{len(self._processes) + 1}"
        argv = [sys.executable, *run, command, "--config", str(self.path), "--port", str(port), *arguments]
        environment = {**_environment(), **(env or {})}
        process = Process(ChildProcess(name, argv, self.directory / f"{name}.log", environment), port)
        process.child.spawn()
        self._processes.append(process)
        return process

    async def run(self, *arguments: str, deadline_s: float = 30.0) -> str:
        """Run a command that ends by itself, and return what it wrote.

        Raises:
            ServerError: It ended with a code other than 0, or not in time.
        """
        log = self.directory / f"{'-'.join(arguments[:2])}.log"
        argv = [sys.executable, *_RUN, *arguments, "--config", str(self.path)]
        await ChildProcess(" ".join(arguments[:2]), argv, log, _environment()).run_to_end(deadline_s)
        return log.read_text()

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._processes:
            process.kill()


class Process:
    """A `salespulse worker` or `salespulse wall`."""

    def __init__(self, child: ChildProcess, port: int) -> None:
        self.child = child
        self.url = f"http://127.0.0.1:{port}"

    @property
    def log(self) -> str:
        """All that it has written so far."""
        return self.child.log_path.read_text()

    def kill(self) -> None:
        """`kill -9`."""
        self.child.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        os.kill(self.child.pid, signal.SIGTERM)

    async def ends(self, deadline_s: float) -> int | None:
        """Wait for it to end; returns its exit code, None when it still runs."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        while self.child.running and loop.time() < end_s:  # noqa: ASYNC110  nobody sets an event: it is a process
            await asyncio.sleep(0.02)
        return self.child.exit_code

    async def get(self, path: str, **headers: str) -> bytes | None:
        """The body of a page; None when it does not answer, or not with 200."""
        status, body = await self.answer(path, **headers)
        return body if status == 200 else None

    async def answer(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of a page; status 0 and the error when it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
                session.get(self.url + path, headers=headers) as response,
            ):
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error).encode()

    async def events_taken(self) -> int:
        """How many events it has taken in (`salespulse_events_total`)."""
        text = (await self.get("/metrics") or b"").decode()
        lines = [line for line in text.splitlines() if line.startswith("salespulse_events_total{")]
        return int(sum(float(line.rpartition(" ")[2]) for line in lines))

    async def until(self, condition: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        """Wait for something that this process brings about.

        Raises:
            AssertionError: It did not come about in time, or the process ended; with the last lines of its log.
        """

        async def holds_or_ended() -> bool:
            return not self.child.running or await condition()

        try:
            await until(holds_or_ended, deadline_s, every_s=0.05)
            assert self.child.running, f"ended with code {self.child.exit_code}"
        except AssertionError as error:
            lines = "\n  | ".join(self.child.last_log_lines(20))
            raise AssertionError(f"{self.child.name}: {condition.__name__}: {error}\n  | {lines}") from None

    async def until_ready(self, deadline_s: float = 40.0) -> None:
        """Wait until `/readyz` says 200."""

        body = b""

        async def ready() -> bool:
            nonlocal body
            status, body = await self.answer("/readyz")
            return status == 200

        try:
            await self.until(ready, deadline_s)
        except AssertionError as error:
            raise AssertionError(f"not ready: {body.decode()}\n{error}") from None


@contextmanager
def installed(
    directory: Path, kafka: str, redis: str, prefix: str, tables: Mapping[str, Mapping[str, Any]]
) -> Iterator[Installation]:
    """An installation whose processes are gone at the end of the block."""
    product = Installation(directory, kafka, redis, prefix, tables)
    try:
        yield product
    finally:
        product.end()


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(PROJECT)}


def _toml(name: str, table: Mapping[str, Any], header: str = "[{}]") -> str:
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    several = {key: value for key, value in table.items() if _is_list_of_tables(value)}
    plain = {key: value for key, value in table.items() if key not in nested and key not in several}
    lines = [header.format(name), *(f"{key} = {json.dumps(msgspec.to_builtins(v))}" for key, v in plain.items())]
    tables = [_toml(f"{name}.{key}", value) for key, value in nested.items()]
    tables += [_toml(f"{name}.{key}", each, "[[{}]]") for key, value in several.items() for each in value]
    return "\n".join(lines) + "\n" + "".join(tables)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, Sequence) and any(isinstance(each, Mapping) for each in value)
