"""`salespulse check`: the doctor. Each line is ok, or says what to do."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import click
from rich.text import Text

from agents.cli.options import command_options, json_option, run_async
from agents.cli.output import plain_table, print_json, stdout
from agents.cli.running import find_running
from agents.generations import current, generation_number, remarks
from agents.kafka import admin
from agents.reading import begin_and_end_offsets, committed_offsets
from agents.topics import check_topics, intake_group, partitions_of
from schemas.catalogue.compose import catalogue_of
from schemas.errors import SalesPulseError
from schemas.settings import DEFAULT_FILE, Settings
from schemas.topics import generations_topic
from streams.clock import wall_ms
from streams.plan import plan_over
from streams.redis_view import RedisReader

State = Literal["ok", "look", "failed"]

_COLOURS: Final[dict[State, str]] = {"ok": "green", "look": "yellow", "failed": "bold red"}
_CLOCK_OFF_MS: Final = 2_000
_LAG: Final = 1_000


class Finding(NamedTuple):
    """What one look found: its subject, how that is, and what it is or what to do."""

    subject: str
    state: State
    text: str


Look = Callable[[Settings], Awaitable[Finding]]


@click.command(short_help="The doctor: what is wrong, and what to do.")
@json_option
@command_options
@run_async
async def check(settings: Settings, as_json: bool) -> None:
    """Examine the installation: settings, data directory, broker, topics, Redis, clock, values, lag, dead letters.

    Exit code 1 when something failed; what is only worth a look does not count.

    \b
    Examples:
        salespulse check
        salespulse check --config salespulse.toml --json
    """
    findings = [_settings(settings), _data_dir(settings)]
    broker = await _broker(settings)
    findings.append(broker)
    findings += [await _guarded(look, settings, broker) for look in (_topics, _catalogue, _lag, _dead_letters)]
    findings += await _redis(settings)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        table = plain_table("", "", "")
        table.show_header = False
        for subject, state, text in findings:
            table.add_row(Text(state, _COLOURS[state]), Text(subject, "bold"), Text(text))
        stdout().print(table)
    if any(finding.state == "failed" for finding in findings):
        raise click.exceptions.Exit(1)


async def _guarded(look: Look, settings: Settings, broker: Finding) -> Finding:
    subject = look.__name__.strip("_").replace("_", " ")
    if broker.state != "ok":
        return _unknown(subject, "the broker")
    try:
        return await look(settings)
    except SalesPulseError as error:
        return Finding(subject, "failed", str(error))


def _unknown(subject: str, server: str) -> Finding:
    """What could not be looked at is a line all the same: who reads only it must not take it for well."""
    return Finding(subject, "failed", f"not known while {server} does not answer; see there")


def _settings(settings: Settings) -> Finding:
    running = find_running(Path(settings.app.data_dir))
    where = f"{DEFAULT_FILE} and environment" if Path(DEFAULT_FILE).is_file() else "--config, environment, defaults"
    servers = f"; servers of the `salespulse up` in {settings.app.data_dir}" if running is not None else ""
    facts = f"app {settings.app.id}, zone {settings.time.zone}, currency {settings.money.currency}"
    return Finding("settings", "ok", f"{where}: {facts}{servers}")


def _data_dir(settings: Settings) -> Finding:
    place = Path(settings.app.data_dir)
    nearest = next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        return Finding("data directory", "ok", str(place))
    return Finding("data directory", "failed", f"{nearest} is not a directory to write to; change app.data_dir")


async def _broker(settings: Settings) -> Finding:
    try:
        async with admin(settings) as client:
            cluster = await client.describe_cluster()
    except SalesPulseError as error:
        return Finding("broker", "failed", str(error))
    count = len(cluster.get("brokers", ()))
    return Finding("broker", "ok", f"{settings.kafka.bootstrap_servers}: {count} broker{'' if count == 1 else 's'}")


async def _catalogue(settings: Settings) -> Finding:
    """Whether all that the catalogue and the settings ask for is counted."""
    if not await partitions_of(settings, [generations_topic(settings.app.id)]):
        return Finding("catalogue", "look", "nothing is counted yet; `salespulse topics create`, then start a worker")
    generation = await current(settings)
    catalogue = catalogue_of(settings)
    if generation is None:
        return Finding("catalogue", "ok", f"{len(catalogue.kpis)} KPIs; the first worker will begin to count them")
    said = remarks(settings, generation.counted, plan_over(catalogue, generation.counted).waiting)
    if said:
        return Finding("catalogue", "look", "; ".join(said))
    return Finding("catalogue", "ok", f"all {len(catalogue.kpis)} KPIs are counted")


async def _topics(settings: Settings) -> Finding:
    problems = await check_topics(settings, await generation_number(settings))
    if not problems:
        return Finding("topics", "ok", "all are there, with the partitions and settings they need")
    repaired = any(line.startswith("topic ") for line in problems)
    hint = "; `salespulse topics create` makes and sets what is needed" if repaired else ""
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return Finding("topics", "failed", "; ".join(problems[:3]) + more + hint)


async def _lag(settings: Settings) -> Finding:
    partitions = await partitions_of(settings, settings.topics.sources().values())
    if not partitions:
        return Finding("lag", "failed", "there are no source topics")
    begins, ends = await begin_and_end_offsets(settings, partitions)
    committed = await committed_offsets(settings, intake_group(settings), partitions)
    lag = sum(end - (committed[at].offset if at in committed else begins[at]) for at, end in ends.items())
    total = sum(ends.values())
    if lag > _LAG:
        return Finding("lag", "look", f"{lag:,} of {total:,} source events wait; do workers run, and are they enough?")
    return Finding("lag", "ok", f"{max(lag, 0):,} of {total:,} source events wait")


async def _dead_letters(settings: Settings) -> Finding:
    partitions = await partitions_of(settings, [settings.topics.deadletter])
    if not partitions:
        return Finding("dead letters", "failed", f"there is no topic {settings.topics.deadletter}")
    begins, ends = await begin_and_end_offsets(settings, partitions)
    count = sum(ends[at] - begins[at] for at in partitions)
    if count:
        return Finding("dead letters", "look", f"{count:,}; `salespulse dlq list` shows them")
    return Finding("dead letters", "ok", "none")


async def _redis(settings: Settings) -> list[Finding]:
    reader = RedisReader(settings)
    try:
        freshness = await reader.freshness()
    except SalesPulseError as error:
        return [Finding("Redis", "failed", str(error)), *(_unknown(name, "Redis") for name in ("clock", "values"))]
    finally:
        await reader.close()
    off_ms = freshness.now_ms - wall_ms()
    clock = Finding("clock", "ok", f"{abs(off_ms)} ms from that of Redis")
    if abs(off_ms) > _CLOCK_OFF_MS:
        clock = Finding("clock", "look", f"{off_ms / 1000:+.1f} s from that of Redis; let NTP set both")
    if freshness.as_of is None:
        hint = "no worker has written lately: start `salespulse worker`, and look at its /readyz"
        values = Finding("values", "look", f"none under the prefix {settings.redis.prefix}; {hint}")
    elif freshness.stale:
        hint = "is a worker running, and what does its /readyz say?"
        values = Finding("values", "look", f"stale since {freshness.as_of}; {hint}")
    else:
        upto = freshness.watermark or "the beginning"
        values = Finding("values", "ok", f"{freshness.quality}, complete up to {upto}")
    return [Finding("Redis", "ok", "answers"), clock, values]
