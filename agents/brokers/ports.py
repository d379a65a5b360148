"""Ports of 127.0.0.1 for servers that are about to start."""

import random
import socket
from typing import Final

from agents.brokers.process import ServerError

# Below the ports that Linux (32768) and macOS (49152) give to outgoing connections: while a server is down, a client
# that keeps reconnecting to a port of that range may connect to itself and so take the port.
_PORTS: Final = range(15_000, 32_000)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now.

    Raises:
        ServerError: Not one of a few hundred tries found a free port.
    """
    chance = random.SystemRandom()  # a seeded test must not pick the ports of the test beside it
    for _ in range(300):
        port = chance.choice(_PORTS)
        if port_is_free(port):
            return port
    raise ServerError(f"no free port on 127.0.0.1 between {_PORTS.start} and {_PORTS.stop - 1}")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server just stopped leaves TIME_WAIT behind
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(name: str, port: int) -> None:
    """Refuse a port that somebody listens on, before a server fails on it with a long log.

    Raises:
        ServerError: The port is taken.
    """
    if not port_is_free(port):
        raise ServerError(f"{name}: port 127.0.0.1:{port} is in use. Stop what listens there, or choose another port.")
