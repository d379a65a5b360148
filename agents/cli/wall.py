"""`salespulse wall`: the web server alone."""

from __future__ import annotations

import click

from agents.cli.logs import log_to_stderr
from agents.cli.options import command_options, port_option, run_async, with_port
from agents.cli.output import remark
from agents.cli.signals import stop_signal
from agents.wall import start_wall
from schemas.settings import Settings


@click.command(short_help="The web server alone: wall page and HTTP API.")
@port_option
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
