"""`salespulse simulate`: a believable sales floor's events, to Kafka or to a file."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import Final

import click
import orjson
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agents.cli.options import command_options, run_async
from agents.cli.output import remark, stderr
from agents.cli.sending import Sender
from agents.cli.source_topics import require_topics
from agents.kafka import producer as kafka_producer
from schemas.errors import SalesPulseError, UsageError
from schemas.settings import Settings
from schemas.windows import DAY_MS
from streams.clock import wall_ms
from streams.simulator import ConversionDrop, LivePace, SimulatedEvent, SimulationConfig, live
from streams.simulator import simulate as history

_LIVE_RATE: Final = 5.0
_HISTORY_RATE: Final = 0.02
_HISTORY_DAYS: Final = 30.0
_SHOW_EVERY: Final = 200


@click.command()
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second [default: 5; history: 0.02]")
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal floors")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="A history of so many days, up to now, instead of live"
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Write NDJSON to a file (- is stdout)")
@click.option("--label", default="", help="Put into every id, so that a second run is not taken for the first")
@click.option("--drop-after", type=float, metavar="SECONDS", help="From then on half as many deals are won")
@command_options
@run_async
async def simulate(
    settings: Settings,
    rate: float | None,
    seed: int,
    days: float | None,
    count: int | None,
    out: Path | None,
    label: str,
    drop_after: float | None,
) -> None:
    """Simulate a sales floor: teams, funnels, week days and seasons.

    Without --days it runs live: some days of history at once, then events at an even rate until Ctrl-C. With --days, or
    into a file, it is a history at the pace of real life, sent as fast as it goes; --rate is then its average.

    \b
    Examples:
        salespulse simulate --rate 20
        salespulse simulate --days 90 --seed 7 --out events.ndjson
        salespulse simulate --days 90 --out - | gzip > events.ndjson.gz
    """
    if days is None and out is not None:
        days = _HISTORY_DAYS
    rate = rate or (_LIVE_RATE if days is None else _HISTORY_RATE)
    config = floor_config(settings, rate, seed, label=label, drop_after=drop_after)
    now_ms = wall_ms()
    events = live(config, now_ms) if days is None else history(config, now_ms - int(days * DAY_MS), now_ms)
    expected = None if days is None else int(days * DAY_MS / 1000 * config.events_per_second)
    events = islice(events, count)
    if out is None:
        await _to_kafka(settings, events, min(count, expected) if count and expected else count or expected)
    else:
        await _to_file(events, out, expected)


def floor_config(
    settings: Settings, rate: float, seed: int, *, label: str = "", drop_after: float | None = None
) -> SimulationConfig:
    """A floor with the zone and the stages of the settings.

    Raises:
        UsageError: No floor can be made of them.
    """
    drop = None if drop_after is None else ConversionDrop(after_s=drop_after)
    try:
        return SimulationConfig(
            events_per_second=rate,
            seed=seed,
            label=label,
            zone=settings.time.zone,
            stages=settings.kpi.stages,
            conversion_drop=drop,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


async def send_live(settings: Settings, config: SimulationConfig, pace: LivePace | None = None) -> None:
    """Send a live floor's events to Kafka for ever: its history at once, then each when it happens.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    await _send(settings, live(config, wall_ms(), pace), lambda _: None)


async def _to_kafka(settings: Settings, events: Iterator[SimulatedEvent], total: int | None) -> None:
    await require_topics(settings, sorted(settings.topics.sources().values()))
    acknowledged = 0

    def show(count: int) -> None:
        nonlocal acknowledged
        acknowledged = count
        bar.update(task, completed=count)

    bar = _progress_bar(total)
    task = bar.add_task("simulate", total=total)
    with bar, suppress(asyncio.CancelledError):  # Ctrl-C is how a live floor is closed
        await _send(settings, events, show)
    remark(f"{acknowledged:,} events sent")


async def _send(settings: Settings, events: Iterator[SimulatedEvent], show: Callable[[int], None]) -> None:
    topics = settings.topics.sources()
    producer = await kafka_producer(settings, client_id=f"{settings.app.id}-simulator")
    sender = Sender(producer, settings.kafka.bootstrap_servers)
    try:
        for number, event in enumerate(events, 1):
            early_s = event.at_ms / 1000 - time.time()
            if early_s > 0:
                await asyncio.sleep(early_s)
            await sender.send(topics[event.topic], orjson.dumps(event.event), event.key.encode())
            if early_s > 0 or number % _SHOW_EVERY == 0:
                show(sender.acknowledged)
    finally:
        try:
            await sender.finish()
            show(sender.acknowledged)
        finally:
            await producer.stop()


async def _to_file(events: Iterator[SimulatedEvent], out: Path, total: int | None) -> None:
    """Write whole lines, up to the end or to a signal."""
    written = 0
    bar = _progress_bar(total)
    task = bar.add_task("simulate", total=total)
    try:
        with nullcontext(sys.stdout.buffer) if str(out) == "-" else out.open("wb") as target, bar:
            for written, event in enumerate(events, 1):
                target.write(orjson.dumps(event.event) + b"\n")
                if written % _SHOW_EVERY == 0:
                    bar.update(task, completed=written)
                    await asyncio.sleep(0)  # here a signal gets through
            bar.update(task, completed=written, total=written)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SalesPulseError(f"{out}: cannot be written: {error.strerror}") from None
    except asyncio.CancelledError:
        remark(f"only {written:,} events written to {out}")
        raise
    remark(f"{written:,} events written to {out}")


def _progress_bar(total: int | None) -> Progress:
    of = "events" if total is None else f"of about {total:,} events"
    columns = (
        TextColumn("simulate"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TextColumn(of),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=stderr())
