"""What every benchmark stands on: Apache Kafka, Valkey and the product as a process of its own, with its CPU time."""

from __future__ import annotations

import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from agents.brokers import Broker, ChildProcess, RedisServer, free_port, start_broker
from agents.topics import create_topics
from schemas.settings import Settings, settings_from
from schemas.topics import Topics

PROJECT: Final = Path(__file__).parents[2]
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
_READY_DEADLINE_S: Final = 60.0


@dataclass(frozen=True)
class Servers:
    """Running servers, and a directory for what a benchmark writes."""

    kafka: Broker
    redis: RedisServer
    directory: Path


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Apache Kafka and Valkey for the length of a `with` block, in a directory that goes with them."""
    with tempfile.TemporaryDirectory(prefix="salespulse-benchmark-") as name:
        directory = Path(name)
        kafka = await start_broker("kafka", directory / "kafka")
        redis = RedisServer(directory / "redis")
        try:
            await redis.start()
            yield Servers(kafka, redis, directory)
        finally:
            await redis.stop()
            await kafka.stop()


class Installation:
    """One installation of the product: its own topics, its own names in Redis, and one worker at a time.

    Args:
        running: The servers it uses.
        name: Tells it from others on the same servers.
        settings: Further settings, as nested tables.
    """

    def __init__(self, running: Servers, name: str, settings: Mapping[str, Any] | None = None) -> None:
        topics = {field: f"{name}.{getattr(Topics(), field)}" for field in Topics.__struct_fields__}
        own = {
            "app": {"id": name, "data_dir": str(running.directory / name)},
            "kafka": {"bootstrap_servers": running.kafka.bootstrap_servers, "session_timeout": "45s"},
            "topics": topics,
            "redis": {"url": running.redis.url, "prefix": name},
            "http": {"port": free_port()},
        }
        self._document = _merged(own, settings or {})
        self.settings: Settings = settings_from(self._document)
        self.running = running
        self._name = name

    async def create_topics(self) -> None:
        """Make its topics."""
        await create_topics(self.settings)

    async def start_worker(self, profile: Path | None = None) -> WorkerProcess:
        """Start a worker and wait until it is ready.

        Args:
            profile: Run it under cProfile and write the statistics here when it ends.
        """
        worker = WorkerProcess(self.running.directory / self._name, self._document, f"{self.url}/readyz", profile)
        await worker.start()
        return worker

    async def start_wall(self) -> WorkerProcess:
        """Start the web server alone, and wait until it answers."""
        document = _merged(self._document, {"http": {"port": free_port()}})
        url = f"http://{self.settings.http.host}:{document['http']['port']}"
        wall = WorkerProcess(self.running.directory / self._name, document, f"{url}/healthz", command="wall")
        await wall.start()
        return wall

    @property
    def document(self) -> Mapping[str, Any]:
        """Its settings, as nested tables."""
        return self._document

    @property
    def url(self) -> str:
        """Where the worker's own pages are."""
        return f"http://{self.settings.http.host}:{self.settings.http.port}"


class WorkerProcess:
    """`salespulse worker`, or another command that serves, as a process of its own.

    Args:
        directory: For its data and its log.
        document: Its settings.
        ready_url: Answers 200 when it is ready.
        profile: Run it under cProfile and write the statistics here when it ends.
        command: The command.
    """

    def __init__(
        self,
        directory: Path,
        document: Mapping[str, Any],
        ready_url: str,
        profile: Path | None = None,
        command: str = "worker",
    ) -> None:
        self._ready_url = ready_url
        code = "from agents.cli import main; main()"
        argv = [sys.executable, "-c", code, command]
        if profile is not None:
            argv = [sys.executable, "-m", "tests.benchmarks.profiled", str(profile), command]
        env = {"PYTHONPATH": str(PROJECT), **_variables(document)}
        directory.mkdir(parents=True, exist_ok=True)
        self.process = ChildProcess(f"salespulse {command}", argv, directory / f"{command}.log", env, directory)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return self._ready_url.rpartition("/")[0]

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        await self.process.start(self.ready, _READY_DEADLINE_S)

    async def stop(self) -> None:
        """Stop it in order."""
        await self.process.stop(deadline_s=30.0)

    def ready(self) -> bool:
        """Whether it answers 200 where it says that it is ready."""
        try:
            with urllib.request.urlopen(self._ready_url, timeout=0.5) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def cpu_s(self) -> float:
        """CPU seconds it has used until now, in all its threads."""
        return cpu_s(self.process.pid)


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process and all its threads (Linux: the benchmarks run there only)."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _CLOCK_TICKS


def waited_s(pid: int) -> float:
    """Seconds in which a thread of a process could have run and no core was free (Linux)."""
    waits = (path.read_text().split()[1] for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(map(int, waits)) / 1e9


def memory_mib(pid: int) -> float:
    """Resident memory of a process, MiB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine() -> dict[str, Any]:
    """What figures depend on besides the code."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30),
        "python": sys.version.split()[0],
        "load_before": round(os.getloadavg()[0], 2),
    }


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _variables(document: Mapping[str, Any], prefix: str = "SALESPULSE") -> dict[str, str]:
    """Nested tables as environment variables."""
    found: dict[str, str] = {}
    for key, value in document.items():
        name = f"{prefix}__{key.upper()}" if "_" in prefix else f"{prefix}_{key.upper()}"
        if isinstance(value, Mapping):
            found |= _variables(value, name)
        else:
            found[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return found
