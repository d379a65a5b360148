"""`salespulse worker`: one pipeline worker."""

from __future__ import annotations

import click

from agents.cli.logs import log_to_stderr
from agents.cli.options import command_options, port_option, run_async, with_port
from agents.cli.output import remark
from agents.cli.signals import first_of, stop_signal
from agents.worker import Worker
from schemas.settings import Settings


@click.command(short_help="One pipeline worker.")
@port_option
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
