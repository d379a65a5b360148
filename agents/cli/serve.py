"""`salespulse worker` and `salespulse wall`: the two services of an installation."""

from __future__ import annotations

import click
import msgspec

from agents.cli.logs import log_to_stderr
from agents.cli.options import command_options, run_async
from agents.cli.output import remark
from agents.cli.signals import first_of, stop_signal
from agents.wall import start_wall
from agents.worker import Worker
from schemas.settings import Settings

_port_option = click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [default: http.port]")


@click.command()
@_port_option
@command_options
@run_async
async def worker(settings: Settings, port: int | None) -> None:
    """Run one pipeline worker against the Kafka and Redis of the settings.

    Start as many as you like, up to the number of partitions of the log; they share the work, and when one ends the
    others take over. It serves /metrics, /healthz and /readyz. SIGTERM or Ctrl-C ends it within seconds.

    \b
    Example:
        salespulse worker --config salespulse.toml
    """
    log_to_stderr()
    running = Worker(with_port(settings, port))
    with stop_signal() as stopped:
        try:
            if await first_of(stopped, running.start()):
                remark(f"worker runs: {running.url}/metrics, {running.url}/readyz")
                await first_of(stopped, running.wait())
            remark("stopping")
        finally:
            await running.stop()


@click.command()
@_port_option
@command_options
@run_async
async def wall(settings: Settings, port: int | None) -> None:
    """Serve the wall page and the HTTP API, fed from the Redis of the settings.

    Redis may be away, also at the start: the pages then say that their values are stale.

    \b
    Example:
        salespulse wall --port 8080
    """
    log_to_stderr()
    with stop_signal() as stopped:
        server = await start_wall(with_port(settings, port))
        try:
            remark(f"wall page: {server.url}/")
            await stopped.wait()
        finally:
            await server.stop()


def with_port(settings: Settings, port: int | None) -> Settings:
    """Settings with another port, if one is given."""
    if port is None:
        return settings
    replace = msgspec.structs.replace
    return replace(settings, http=replace(settings.http, port=port))
