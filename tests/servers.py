"""Real servers for tests, as a pytest plugin: each on a free port of 127.0.0.1, each gone when the test run is.

What is not installed skips its tests, and says so again at the end of the run; under CI it fails them.
"""

import asyncio
import os
import shutil
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from agents.brokers import Broker, BrokerKind, ChildProcess, MissingProgramError, RedisServer, free_port, start_broker

CRM = Path(__file__).parents[2] / "shared" / "data" / "crm_opportunities"
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class PrometheusServer:
    """A running Prometheus. `url` has no slash at its end; `log_path` is its log."""

    url: str
    log_path: Path


StartPrometheus = Callable[..., PrometheusServer]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = (report.longrepr for report in terminalreporter.stats.get("skipped", []))
    reasons = dict.fromkeys(longrepr[2].removeprefix("Skipped: ") for longrepr in skipped)
    if reasons:
        terminalreporter.section("NOT TESTED: something is not there", red=True, bold=True)
        for reason in reasons:
            terminalreporter.line(reason)


def missing(reason: str) -> NoReturn:
    """End a test that needs what is not here: skipped with `reason`, which the summary repeats; failed under CI."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI must have everything: {reason}", pytrace=False)
    pytest.skip(reason)


def program(*names: str, install: str) -> str:
    """Path of the first of these programs that is installed; without one the test ends (see `missing`)."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found if found is not None else missing(f"no {names[0]} on PATH (apt-get install {install})")


def _running_broker(kind: BrokerKind, data_dir: Path) -> Iterator[Broker]:
    try:
        broker = asyncio.run(start_broker(kind, data_dir))
    except MissingProgramError as error:
        missing(str(error))
    try:
        yield broker
    finally:
        asyncio.run(broker.stop())


@pytest.fixture(scope="session")
def crm() -> Path:
    """The directory of the real CRM export; it lies beside the project and is read in place."""
    if not CRM.is_dir():
        missing(f"no {CRM} (the CRM export of 8,800 opportunities)")
    return CRM


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One Apache Kafka for the whole run; tests keep apart by `topic_prefix`. Do not pause, kill or stop it."""
    yield from _running_broker("kafka", tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Broker]:
    """An Apache Kafka for one test, which may do to it what it likes (about 4 s to start)."""
    yield from _running_broker("kafka", tmp_path / "kafka")


@pytest.fixture
def tansu(tmp_path: Path) -> Iterator[Broker]:
    """A Tansu for one test, which may do to it what it likes (0.1 s to start)."""
    yield from _running_broker("tansu", tmp_path / "tansu")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis-compatible server for the whole run; tests keep apart by key names. Do not pause, kill or stop it."""
    yield from _running_redis(tmp_path_factory.mktemp("redis"))


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis-compatible server for one test, which may do to it what it likes."""
    yield from _running_redis(tmp_path / "redis")


def _running_redis(data_dir: Path) -> Iterator[RedisServer]:
    try:
        server = RedisServer(data_dir)
    except MissingProgramError as error:
        missing(str(error))
    try:
        asyncio.run(server.start())
        yield server
    finally:
        asyncio.run(server.stop())


@pytest.fixture
def topic_prefix() -> str:
    """Put before topic names and group names, so that tests can share a broker."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture(scope="module")
def prometheus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPrometheus]:
    """Starts real Prometheus servers: `prometheus_server(config, files={"rules.yml": ...})`.

    `config` is the text of `prometheus.yml`; `files` are written beside it, so it can name them without a directory.
    """
    path = program("prometheus", install="prometheus")
    with ExitStack() as stopping:

        def start(config: str, files: Mapping[str, str] | None = None) -> PrometheusServer:
            port = free_port()
            home = tmp_path_factory.mktemp("prometheus")
            for name, text in {**(files or {}), "prometheus.yml": config}.items():
                (home / name).write_text(text)
            argv = [path, f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}"]
            process = ChildProcess("Prometheus", [*argv, f"--web.listen-address=127.0.0.1:{port}"], home / "log")
            url = f"http://127.0.0.1:{port}"
            asyncio.run(process.start(lambda: _answers(f"{url}/-/ready"), deadline_s=20.0))
            stopping.callback(process.kill)
            return PrometheusServer(url, process.log_path)

        yield start


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a headless-capable Chromium or Chrome."""
    return program(*_CHROMIUMS, install="chromium")
