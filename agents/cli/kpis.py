"""`salespulse kpis`: live values as a table, once or over and over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Final

import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from agents.cli.catalogue import closest, select_kpis
from agents.cli.options import command_options, json_option, pairs, run_async, window_option
from agents.cli.output import plain_table, print_json, stdout
from agents.cli.units import show_change, show_value
from agents.values import read_values
from schemas.catalogue.compose import dimensions_of, known_kpis
from schemas.declare import Better
from schemas.errors import UnavailableError, UsageError
from schemas.kpi import KpiValue
from schemas.settings import Settings
from streams.redis_view import Answer, Query, RedisReader, Selection

_EVERY_S: Final = 1.0


@click.command()
@click.argument("names", nargs=-1)
@window_option
@click.option(
    "--by", "by", multiple=True, metavar="DIM", help="Break down by a dimension, or a pair: rep,stage (* for all)"
)
@click.option("--where", "where", multiple=True, metavar="DIM=VALUE", help="Only series with this value")
@click.option("--watch", is_flag=True, help="Go on, and show changes as they come")
@json_option
@command_options
@run_async
async def kpis(
    settings: Settings,
    names: tuple[str, ...],
    window: str,
    by: tuple[str, ...],
    where: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> None:
    """Show live KPI values from Redis: all, or those of NAMES.

    \b
    Examples:
        salespulse kpis
        salespulse kpis revenue win_rate --window ytd --by team
        salespulse kpis revenue --where rep=r-7 --watch
        salespulse kpis win_rate --by '*' --json
    """
    if watch and as_json:
        raise UsageError("--watch and --json: one of them, please (a stream of JSON is at /api/v1/stream)")
    query = make_query(settings, names, window, by, where)
    reader = RedisReader(settings)
    better = {kpi.name: kpi.better for kpi in known_kpis(settings).values()}
    try:
        if watch:
            with suppress(asyncio.CancelledError):  # Ctrl-C is how one looks away
                await _watch(reader, query, window, better)
        else:
            answer = await read_values(reader, query, settings)
            if as_json:
                print_json(as_document(answer))
            else:
                stdout().print(_picture(answer, window, better))
    finally:
        await reader.close()


def make_query(
    settings: Settings, names: tuple[str, ...], window: str, by: tuple[str, ...], where: tuple[str, ...]
) -> Query:
    """What is asked for; raises UsageError for a KPI or a dimension that does not exist."""
    chosen = select_kpis(settings, names)
    conditions = pairs("--where", where)
    known = {"*", *dimensions_of(known_kpis(settings).values())}
    by_each = tuple(name.strip() for text in by for name in text.split(","))
    for option, dimension in [*(("--by", name) for name in by_each), *(("--where", name) for name in conditions)]:
        if dimension not in known:
            raise UsageError(
                f"{option}: found {dimension!r}{closest(dimension, known)}; allowed: {', '.join(sorted(known))}"
            )
    selection = Selection(
        kpis=tuple(kpi.name for kpi in chosen) if names else None,
        by="*" if "*" in by_each else by_each,
        where=conditions,
    )
    return Query((window,), (selection,))


def as_document(answer: Answer) -> dict[str, Any]:
    """The answer as the HTTP API gives it."""
    freshness = answer.freshness
    return {
        "as_of": freshness.as_of,
        "watermark": freshness.watermark,
        "quality": freshness.quality,
        "series": [msgspec.json.decode(payload) for _, payload in answer.series],
    }


async def _watch(reader: RedisReader, query: Query, window: str, better: Mapping[str, Better]) -> None:
    """Show the values once a second until Ctrl-C; into a pipe, one table after the other."""
    console = stdout()
    shown: RenderableType = Text("waiting for values")
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        while True:
            try:
                shown = _picture(await reader.read(query), window, better)
                picture = shown
            except UnavailableError as error:
                picture = Group(shown, Text(str(error), "red"))
            if live is None:
                console.print(picture)
            else:
                live.update(picture, refresh=True)
            await asyncio.sleep(_EVERY_S)


def _picture(answer: Answer, window: str, better: Mapping[str, Better]) -> RenderableType:
    values = [msgspec.json.decode(payload, type=KpiValue) for _, payload in answer.series]
    freshness = answer.freshness
    colour = {"live": "green", "catching_up": "yellow"}.get(freshness.quality, "red")
    head = Text.assemble(
        (f"{window}", "bold"),
        "  complete up to ",
        (freshness.watermark or "-", "bold"),
        "  ",
        (freshness.quality, colour),
    )
    if not values:
        return Group(head, Text("no series like that; --by '*' shows every one there is"))
    return Group(head, _table(values, better))


def _table(values: Sequence[KpiValue], better: Mapping[str, Better]) -> RenderableType:
    dimensions = sorted({name for value in values for name in value.dimensions})
    table = plain_table("KPI", *dimensions, "value", "before", "change", right=("value", "before", "change"))
    last = ""
    for value in values:
        table.add_row(
            Text("" if value.kpi == last else value.kpi, "bold"),
            *(value.dimensions.get(name, "") for name in dimensions),
            show_value(value.value, value.unit, value.currency),
            show_value(value.previous, value.unit, value.currency),
            show_change(value, better.get(value.kpi, "none")),
        )
        last = value.kpi
    return table
