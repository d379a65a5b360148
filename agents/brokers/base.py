"""What a broker for a laptop or a test is, and how one sees that it serves."""

import socket
import struct
from typing import Literal, Protocol

BrokerKind = Literal["tansu", "kafka"]


class Broker(Protocol):
    """A single broker on 127.0.0.1 that ends with the process that started it."""

    @property
    def kind(self) -> BrokerKind:
        """Which sort it is."""
        ...

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`; the port stays the same over restarts."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether aiokafka's idempotent producer works with it."""
        ...

    @property
    def pid(self) -> int:
        """Process id of the current run."""
        ...

    async def start(self) -> None:
        """Start it, again after `stop` or `kill` on the same port; returns when clients can create topics.

        Raises:
            ServerError: Something is missing on this machine, the port is in use, or it did not come up in time.
        """
        ...

    async def stop(self) -> None:
        """Stop it in order; what it had stored on disk stays."""
        ...

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, nothing answers."""
        ...

    def resume(self) -> None:
        """Undo `pause`."""
        ...

    def kill(self) -> None:
        """End it at once, as `kill -9` does. `start` brings it back: Kafka with its data, Tansu empty."""
        ...


def answers_metadata(port: int) -> bool:
    """Whether a broker on 127.0.0.1 answers a Metadata request and lists at least one live broker.

    An open port is not enough: Kafka accepts connections before its own registration is through, and a topic created
    then is refused for want of a broker. Written out by hand, since a client library would log its failures meanwhile.

    Source: Apache Kafka protocol guide, Metadata request and response, version 1.
    """
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata v1, correlation id, no client id, no topics
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(answer) < 12:
        return False
    _size, _correlation, broker_count = struct.unpack(">iii", answer)
    return bool(broker_count > 0)
