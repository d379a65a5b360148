"""`salespulse replay`: events from files to Kafka, in order of event time, from where an interruption left off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.cli.options import command_options, run_async
from agents.cli.output import remark, stderr
from agents.cli.sending import Sender
from agents.cli.source_topics import cluster_id, messages_held, require_topics
from agents.kafka import producer as kafka_producer
from schemas.settings import Settings
from streams.clock import wall_ms
from streams.mapping.event_files import EventFiles
from streams.mapping.find import fitting_mapping, load_mapping
from streams.mapping.rules import CsvMapping
from streams.time import iso

_SAVE_EVERY_S: Final = 0.5


class Progressed(msgspec.Struct):
    """How far a replay has come: what the progress file holds."""

    files: list[str]
    acknowledged: int
    total: int
    saved_at: str


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--mapping", metavar="NAME|FILE", help="How CSV rows become events; built in: crm_opportunities")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second [default: no limit]")
@click.option("--restart", is_flag=True, help="Send from the beginning, whatever was sent before")
@command_options
@run_async
async def replay(
    settings: Settings, files: tuple[Path, ...], mapping: str | None, rate: float | None, restart: bool
) -> None:
    """Send events from FILES to Kafka in order of event time.

    NDJSON files hold one event a line, whatever they are called. CSV files need a mapping: a TOML file that says which
    column is what (see README), or the name of a built-in one; a table with a built-in one's columns needs none.
    Interrupted, the same command goes on where it stopped; events keep their ids, so that one sent twice still counts
    once.

    \b
    Examples:
        salespulse replay events.ndjson
        salespulse replay sales_pipeline.csv --mapping crm_opportunities
        salespulse replay 2024.ndjson 2025.ndjson --rate 500
    """
    events = read_files(files, mapping)
    sent = await send_files(settings, events, files, rate=rate, restart=restart)
    remark(f"{sent:,} events sent, {len(events):,} in all")


def read_files(files: Sequence[Path], mapping: str | None) -> EventFiles:
    """Read and order the events of files; says which rows made none."""
    events = EventFiles(files, load_mapping(mapping) if mapping else _fitting(files))
    for reason, count in sorted(events.skipped.items()):
        remark(f"{count:,} of {events.rows:,} rows make no event: {reason}")
    return events


def _fitting(files: Sequence[Path]) -> CsvMapping | None:
    tables = [file for file in files if file.suffix.lower() == ".csv" and file.is_file()]
    found = fitting_mapping(tables[0]) if tables else None
    if found is not None:
        remark(f"{tables[0].name} has the columns of the built-in mapping {found.name}; --mapping chooses another")
    return found


async def send_files(
    settings: Settings, events: EventFiles, files: Sequence[Path], *, rate: float | None = None, restart: bool = False
) -> int:
    """Send events to their source topics, with a progress bar; returns how many were sent now.

    Raises:
        UnavailableError: Kafka does not answer, or stopped answering; what was acknowledged is remembered.
        SalesPulseError: The source topics do not exist.
    """
    topics = settings.topics.sources()
    await require_topics(settings, sorted(topics.values()))
    place = await _progress_file(settings, events)
    start = 0 if restart else await _resume_at(settings, place, len(events))
    if start == len(events):
        remark("all of it was sent before; --restart sends it again")
        return 0
    if start:
        remark(f"going on after {start:,} events that were acknowledged before (--restart sends all again)")
    producer = await kafka_producer(settings, client_id=f"{settings.app.id}-replay")
    sender = Sender(producer, settings.kafka.bootstrap_servers, rate)
    columns = (
        TextColumn("replay"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[moment]}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=stderr()) as bar:
            task = bar.add_task("replay", total=len(events), completed=start, moment="")
            saved = time.monotonic()
            for event in events.since(start):
                await sender.send(topics[event.source], event.value, event.key)
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    saved = time.monotonic()
                    _save(place, files, start + sender.acknowledged, len(events))
                    bar.update(task, completed=start + sender.acknowledged, moment=_day(event.at_ms))
            await sender.finish()
            bar.update(task, completed=start + sender.acknowledged)
    finally:
        _save(place, files, start + sender.acknowledged, len(events))
        await producer.stop()
    return sender.acknowledged


async def _progress_file(settings: Settings, events: EventFiles) -> Path:
    """One file for every combination of events, Kafka cluster and topics."""
    topics = ",".join(settings.topics.sources().values())
    name = events.fingerprint(await cluster_id(settings), topics)
    return Path(settings.app.data_dir) / "replay" / f"{name}.json"


async def _resume_at(settings: Settings, place: Path, total: int) -> int:
    """How far an earlier run came; 0 when the topics hold less than it had sent, as after they were made anew."""
    acknowledged = _acknowledged_before(place)
    if acknowledged and await messages_held(settings, settings.topics.sources().values()) < acknowledged:
        return 0
    return min(acknowledged, total)


def _acknowledged_before(place: Path) -> int:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Progressed).acknowledged
    except (OSError, msgspec.DecodeError):
        return 0


def _save(place: Path, files: Sequence[Path], acknowledged: int, total: int) -> None:
    """Write the progress file in one step, so that an interruption leaves the old one or the new one."""
    progressed = Progressed([str(file) for file in files], acknowledged, total, iso(wall_ms()))
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = place.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode(progressed))
    scratch.replace(place)


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
