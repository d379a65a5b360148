"""A proxy between a client and a server whose network can be cut, slowed, or closed to some of Kafka's requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from agents.brokers import free_port

PRODUCE: Final = 0
"""Kafka's key of the request that carries records."""

_CHUNK: Final = 65_536


class Proxy:
    """Hands bytes on between its port and a server.

    Args:
        target_port: Of the server on 127.0.0.1.
        port: Its own; a free one when not given.
    """

    def __init__(self, target_port: int, port: int | None = None) -> None:
        self.port = port if port is not None else free_port()
        self.latency_s = 0.0
        self._target_port = target_port
        self._open = asyncio.Event()
        self._produces = asyncio.Event()
        self._open.set()
        self._produces.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.StreamWriter] = set()
        self._serves = False
        self.held = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for the length of a block."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self._serves = True
        try:
            yield
        finally:
            self._serves = False
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for connection in self._connections:
                connection.transport.abort()
            closed = (connection.wait_closed() for connection in self._connections)
            await asyncio.gather(*closed, return_exceptions=True)
            self._connections.clear()

    def cut(self) -> None:
        """Let nothing through; connections stay open, and new ones are taken, as where packets are lost."""
        self._open.clear()

    def heal(self) -> None:
        """Undo `cut`: what was held comes through."""
        self._open.set()

    def block_produce(self) -> None:
        """Hold back requests that carry records, and what the same connection sends behind them."""
        self._produces.clear()

    def unblock_produce(self) -> None:
        """Undo `block_produce`."""
        self._produces.set()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on in a task of ours: one of `asyncio.start_server` tells the log of every end by cancellation."""
        if not self._serves:  # it was on its way when the server was closed
            writer.transport.abort()
            return
        self._connections.add(writer)
        task = asyncio.ensure_future(self._between(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        self._connections.add(back)
        pumps = [
            asyncio.ensure_future(self._pump(reader, back, self._requests)),
            asyncio.ensure_future(self._pump(there, writer, self._bytes)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            writer.close()
            back.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        split: Callable[[asyncio.StreamReader], AsyncIterator[bytes]],
    ) -> None:
        """Hand on, each piece as late as the latency says, in order."""
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due_s, piece = await late.get()
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                await self._open.wait()
                writer.write(piece)
                await writer.drain()

        delivering = asyncio.ensure_future(deliver())
        try:
            async for piece in split(reader):
                late.put_nowait((loop.time() + self.latency_s, piece))
                if delivering.done():
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def _bytes(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while piece := await reader.read(_CHUNK):
            yield piece

    async def _requests(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """Kafka's requests one by one: 4 bytes of length, 2 bytes of what it is, the rest."""
        if self._produces_always:
            async for piece in self._bytes(reader):
                yield piece
            return
        while True:
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length))
            if int.from_bytes(body[:2]) == PRODUCE and not self._produces.is_set():
                self.held += 1
                await self._produces.wait()
            yield length + body

    _produces_always = False


class ByteProxy(Proxy):
    """A proxy of a server that does not speak Kafka's protocol."""

    _produces_always = True
