"""The proxy of the fault tests leaves no connection open: Python tells of one in whichever test collects it."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest

from tests.faults.proxy import ByteProxy

_ROUNDS = 30
_CLIENTS = 20


async def _answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _connect_again_and_again(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            writer.transport.abort()
        await asyncio.sleep(0)


async def _end_under_connections(*, is_cut: bool) -> None:
    target = await asyncio.start_server(_answer, "127.0.0.1", 0)
    proxy = ByteProxy(target.sockets[0].getsockname()[1])
    async with proxy.serving():
        if is_cut:
            proxy.cut()
        clients = [asyncio.create_task(_connect_again_and_again(proxy.port)) for _ in range(_CLIENTS)]
        for _ in range(_CLIENTS):
            await asyncio.sleep(0)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    target.close()


@pytest.mark.parametrize("is_cut", [False, True])
def test_no_connection_is_left_open_that_came_while_it_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_cut: bool
) -> None:
    told: list[str] = []
    monkeypatch.setattr("sys.unraisablehook", lambda found: told.append(f"{found.exc_value!r} in {found.object!r}"))
    gc.freeze()  # what hundreds of tests before this one left would be gone through every time
    try:
        for _ in range(_ROUNDS):
            asyncio.run(_end_under_connections(is_cut=is_cut))
            gc.collect()
    finally:
        gc.unfreeze()
    assert not told, f"{len(told)}: {told[:3]}"
    assert not caplog.records
