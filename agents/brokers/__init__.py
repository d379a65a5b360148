"""Servers for a laptop or a test: two sorts of Kafka broker, and Redis, each a child process that ends with its parent.

`broker = await start_broker("kafka", Path("data"))` serves at `broker.bootstrap_servers` until `await broker.stop()`.
"""

from pathlib import Path
from typing import get_args

from agents.brokers.base import Broker, BrokerKind
from agents.brokers.kafka import KafkaBroker
from agents.brokers.ports import free_port
from agents.brokers.process import ChildProcess, MissingProgramError, ServerError
from agents.brokers.redis import RedisServer
from agents.brokers.tansu import TansuBroker

__all__ = [
    "Broker",
    "BrokerKind",
    "ChildProcess",
    "MissingProgramError",
    "RedisServer",
    "ServerError",
    "free_port",
    "start_broker",
]


async def start_broker(kind: str, data_dir: Path, port: int | None = None) -> Broker:
    """Start a broker and wait until it serves.

    Args:
        kind: `tansu` (in memory, nothing to install) or `kafka` (Apache Kafka, needs Java and once Maven).
        data_dir: Directory for its log file, settings and data; made if missing. Kafka continues with data found there.
        port: Port on 127.0.0.1; a free one when not given.

    Raises:
        ServerError: The kind is unknown, something is missing on this machine, the port is in use, or it did not come
            up in time. The message says what to do.
    """
    broker: Broker
    if kind == "tansu":
        broker = TansuBroker(data_dir, port)
    elif kind == "kafka":
        broker = KafkaBroker(data_dir, port)
    else:
        raise ServerError(f"unknown broker {kind!r}; allowed: {', '.join(get_args(BrokerKind))}")
    await broker.start()
    return broker
