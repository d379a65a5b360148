"""`salespulse up`: everything on this machine, from the broker to the wall, until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Literal, get_args

import click
import msgspec
from rich.panel import Panel
from rich.table import Table

from agents.brokers import BrokerKind, RedisServer, start_broker
from agents.cli.logs import log_to_file
from agents.cli.options import command_options, run_async, with_port
from agents.cli.output import remark, stderr, stdout
from agents.cli.replay import read_files, send_files
from agents.cli.running import Running, alone
from agents.cli.signals import first_of, stop_signal
from agents.cli.simulate import floor_config, send_live
from agents.topics import create_topics
from agents.wall import wall_routes
from agents.worker import Worker
from schemas.errors import UsageError
from schemas.settings import Settings
from streams.mapping.event_files import EventFiles
from streams.simulator import SimulationConfig

_FILE: Final = click.Path(path_type=Path)
_NAMES: Final[dict[BrokerKind, str]] = {"tansu": "Tansu, in memory", "kafka": "Apache Kafka"}


class Plan(msgspec.Struct, frozen=True):
    """What `up` was asked for: the broker, and where events come from."""

    broker: BrokerKind
    data_dir: Path
    floor: SimulationConfig | None
    events: EventFiles | None
    files: tuple[Path, ...]


@click.command(short_help="Everything on this machine, with a simulated sales floor.")
@click.option("--simulate/--no-simulate", default=True, show_default=True, help="A simulated sales floor")
@click.option(
    "--replay", "first", multiple=True, type=_FILE, metavar="FILE...", help="Events to replay first: one or more files"
)
@click.argument("more", nargs=-1, type=_FILE, metavar="[--replay FILE...]")
@click.option("--mapping", metavar="NAME|FILE", help="How CSV rows become events; built in: crm_opportunities")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the wall page and API [default: 8080]")
@click.option("--broker", type=click.Choice(get_args(BrokerKind)), default="tansu", show_default=True)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for logs and data [default: .salespulse]",
)
@click.option(
    "--clock", type=click.Choice(("wall", "event")), help="What windows end at [default: event for a replay alone]"
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Simulated events a second",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal sales floors")
@command_options
@run_async
async def up(
    settings: Settings,
    simulate: bool,
    first: tuple[Path, ...],
    more: tuple[Path, ...],
    mapping: str | None,
    port: int | None,
    broker: BrokerKind,
    data: Path | None,
    clock: Literal["wall", "event"] | None,
    rate: float,
    seed: int,
) -> None:
    """Run everything on this machine: broker, Valkey, worker, wall page, and a simulated sales floor.

    The embedded broker keeps everything in memory; --broker kafka starts Apache Kafka (needs Java, and once Maven),
    which keeps its data in the directory. In the same directory, all other commands find these servers by themselves.

    \b
    Examples:
        salespulse up
        salespulse up --rate 50 --port 9000
        salespulse up --no-simulate --replay 2024.ndjson 2025.ndjson
        salespulse up --no-simulate --replay sales_pipeline.csv \\
            --mapping crm_opportunities
    """
    files = _files(first, more)
    data_dir = data or Path(settings.app.data_dir)
    chosen = clock or ("event" if files and not simulate else settings.time.clock)
    settings = _own_settings(settings, data_dir, port, chosen)
    plan = Plan(
        broker=broker,
        data_dir=data_dir,
        floor=floor_config(settings, rate, seed) if simulate else None,
        events=read_files(files, mapping) if files else None,
        files=files,
    )
    with log_to_file(data_dir / "salespulse.log"):
        await _run(settings, plan)


def _files(first: Sequence[Path], more: Sequence[Path]) -> tuple[Path, ...]:
    """What is to be replayed: an option of click's takes one value, and what follows it arrives as arguments."""
    if more and not first:
        raise UsageError(f"found {more[0]}; files to replay come after --replay: salespulse up --replay {more[0]}")
    return (*first, *more)


async def _run(settings: Settings, plan: Plan) -> None:
    async with AsyncExitStack() as running:
        announce = running.enter_context(alone(plan.data_dir))
        _require_port(settings.http.host, settings.http.port)
        stopped = running.enter_context(stop_signal())
        started: list[Worker] = []
        if not await first_of(stopped, _start(settings, plan, running, started)):
            return
        (worker,) = started
        announce(_addresses(worker))
        stdout().print(_panel(worker, plan))
        await first_of(stopped, worker.wait(), _feed(worker.settings, plan))
        remark("stopping")


async def _start(settings: Settings, plan: Plan, running: AsyncExitStack, started: list[Worker]) -> None:
    """Start servers and worker; what was started is stopped by the stack, also when this is cancelled half way."""
    replace = msgspec.structs.replace
    with stderr().status("") as status:
        status.update(f"starting {_NAMES[plan.broker]}")
        broker = await start_broker(plan.broker, plan.data_dir / plan.broker)
        running.push_async_callback(broker.stop)
        status.update("starting Valkey")
        redis = RedisServer(plan.data_dir / "redis")
        running.push_async_callback(redis.stop)
        await redis.start()
        kafka = replace(settings.kafka, bootstrap_servers=broker.bootstrap_servers, idempotence=broker.idempotent)
        settings = replace(settings, kafka=kafka, redis=replace(settings.redis, url=redis.url))
        status.update("making topics")
        await create_topics(settings)
        status.update("starting the worker")
        worker = Worker(settings, extra_routes=wall_routes(settings))
        running.push_async_callback(worker.stop)
        await worker.start()
    started.append(worker)


def _addresses(worker: Worker) -> Running:
    settings = worker.settings
    return Running(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        idempotence=settings.kafka.idempotence,
        redis_url=settings.redis.url,
        host=settings.http.host,
        port=int(worker.url.rpartition(":")[2]),
    )


async def _feed(settings: Settings, plan: Plan) -> None:
    """Replay what there is to replay, then simulate for ever, or wait for ever."""
    if plan.events is not None:
        # What an embedded broker in memory has taken before is gone with it.
        sent = await send_files(settings, plan.events, plan.files, restart=plan.broker == "tansu")
        remark(f"{sent:,} events replayed; Ctrl-C stops")
    if plan.floor is not None:
        await send_live(settings, plan.floor)
    await asyncio.Event().wait()


def _own_settings(settings: Settings, data_dir: Path, port: int | None, clock: Literal["wall", "event"]) -> Settings:
    replace = msgspec.structs.replace
    return replace(
        with_port(settings, port),
        app=replace(settings.app, data_dir=str(data_dir)),
        time=replace(settings.time, clock=clock),
        kafka=replace(settings.kafka, replication_factor=1),
    )


def _require_port(host: str, port: int) -> None:
    """Refuse a port in use before anything is started; raises UsageError."""
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"port {port} on {host} cannot be used: {error.strerror}; "
                "choose another with --port, or 0 for a free one"
            ) from None


def _panel(worker: Worker, plan: Plan) -> Panel:
    settings, url = worker.settings, worker.url
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    row = table.add_row
    row("Wall", f"[bold cyan]{url}/[/]")
    row("API", f"{url}/api/v1/kpis?window=24h")
    row("", f"{url}/openapi.json")
    row("Metrics", f"{url}/metrics")
    row("Kafka", f"{settings.kafka.bootstrap_servers}  ({_NAMES[plan.broker]})")
    row("Redis", settings.redis.url)
    row("Logs, data", str(plan.data_dir))
    row("Events", _where_from(settings, plan))
    row("", "")
    row("Try", "salespulse kpis --watch   (here, from another terminal)")
    return Panel(
        table,
        title="SalesPulse",
        subtitle="Ctrl-C stops everything",
        title_align="left",
        subtitle_align="left",
        expand=False,
    )


def _where_from(settings: Settings, plan: Plan) -> str:
    parts = []
    if plan.events is not None:
        parts.append(f"{len(plan.events):,} replayed from {', '.join(path.name for path in plan.files)}")
    if plan.floor is not None:
        parts.append(f"simulated, {plan.floor.events_per_second:g} a second, seed {plan.floor.seed}")
    if not parts:
        parts.append("none but yours: send them to the topics, or run salespulse simulate")
    clock = "; windows end at the newest event" if settings.time.clock == "event" else ""
    return ", then ".join(parts) + clock
