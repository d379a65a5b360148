"""Apache Kafka: one KRaft node, broker and controller in one process, started from jars with Java.

What tests, faults and benchmarks run on. Data survives `kill` and `stop`; `start` continues on the same ports.
"""

import base64
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agents.brokers.base import BrokerKind, answers_metadata
from agents.brokers.jars import find_java, kafka_jars
from agents.brokers.ports import free_port, require_free
from agents.brokers.process import ChildProcess, ServerError

_START_DEADLINE_S: Final = 60.0
_FORMAT_DEADLINE_S: Final = 60.0

# Start-up is most of what a test waits for: the serial collector and no perf data file save time there.
_JVM: Final = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")
_FORMAT_JVM: Final = (*_JVM, "-XX:TieredStopAtLevel=1", "-Xmx256m")
_BROKER_JVM: Final = (*_JVM, "-Xms256m", "-Xmx1g")

_SETTINGS: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    # One node: nothing can have more than one replica.
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Made at the first use, file by file: 50 partitions each by default.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    # After a kill the old registration must run out before the new one is taken: 9 s by default. Much shorter, and a
    # machine short of CPU would fence its only broker.
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 1000,
    "group.initial.rebalance.delay.ms": 0,
    # Tests of a lost worker need not wait for the default's six seconds.
    "group.min.session.timeout.ms": 1000,
    # The default of 128 MiB is an eighth of the heap; 16 MiB hold 700,000 keys.
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 4,
}

_LOGGING: Final = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
# Every setting of every client, a screenful each.
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
"""


class KafkaBroker:
    """One Apache Kafka node; see `Broker` for what its methods do.

    Args:
        data_dir: Settings, log file and data go here; data found there is continued with.
        port: Port on 127.0.0.1; a free one when not given.
    """

    kind: BrokerKind = "kafka"
    idempotent = True

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self._dir = data_dir.absolute()
        self._port = port if port is not None else free_port()
        self._controller_port = free_port()
        self._process: ChildProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the current run."""
        return self._started().pid

    async def start(self) -> None:
        """Start it, with the data of its directory; formats an empty directory first."""
        if self._process is not None and self._process.running:
            raise ServerError(f"Apache Kafka runs already (pid {self._process.pid})")
        java, jars = find_java(), await kafka_jars()
        require_free("Apache Kafka", self._port)
        require_free("Apache Kafka's controller", self._controller_port)
        self._write_settings()
        if not self._dir.joinpath("kafka-data", "meta.properties").is_file():
            await self._java(java, jars, _FORMAT_JVM, self._format_command()).run_to_end(_FORMAT_DEADLINE_S)
        self._process = self._java(java, jars, _BROKER_JVM, ("kafka.Kafka", str(self._settings_path)))
        await self._process.start(lambda: answers_metadata(self._port), _START_DEADLINE_S)

    async def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None:
            await self._process.stop(deadline_s=20.0)

    def pause(self) -> None:
        """Freeze it."""
        self._started().pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._started().resume()

    def kill(self) -> None:
        """End it at once; `start` recovers from what is on disk."""
        self._started().kill()

    @property
    def _settings_path(self) -> Path:
        return self._dir / "kafka.properties"

    def _started(self) -> ChildProcess:
        if self._process is None:
            raise ServerError("Apache Kafka was not started")
        return self._process

    def _write_settings(self) -> None:
        controller = f"127.0.0.1:{self._controller_port}"
        settings = {
            **_SETTINGS,
            "listeners": f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": self._dir / "kafka-data",
        }
        self._dir.mkdir(parents=True, exist_ok=True)
        self._settings_path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._dir.joinpath("log4j2.properties").write_text(_LOGGING)

    def _format_command(self) -> tuple[str, ...]:
        # Any 16 bytes will do as a cluster id; one beginning with "-" would be read as an option.
        cluster = "s" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        return ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings_path))

    def _java(self, java: str, jars: Path, jvm: tuple[str, ...], command: tuple[str, ...]) -> ChildProcess:
        logging = f"-Dlog4j2.configurationFile={self._dir / 'log4j2.properties'}"
        argv = (java, *jvm, logging, "-cp", f"{jars}/*", *command)
        return ChildProcess("Apache Kafka", argv, self._dir / "kafka.log")
