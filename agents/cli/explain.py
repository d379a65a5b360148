"""`salespulse explain`: why a number is what it is."""

from __future__ import annotations

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.cli.catalogue import select_kpis
from agents.cli.explained import picture
from agents.cli.options import command_options, json_option, pairs, run_async, window_option
from agents.cli.output import print_json, stderr, stdout
from agents.explain import Asked, Explanations
from schemas.explanation import Explanation
from schemas.settings import Settings
from streams.redis_view import RedisReader


@click.command(short_help="Why a number is what it is: its parts, and its events.")
@click.argument("kpi")
@window_option
@click.option("--where", "where", multiple=True, metavar="DIM=VALUE", help="Of the series with this value")
@click.option("--events", is_flag=True, help="Read the source topics, and list the events that made it")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Most events to list")
@json_option
@command_options
@run_async
async def explain(
    settings: Settings, kpi: str, window: str, where: tuple[str, ...], events: bool, limit: int, as_json: bool
) -> None:
    """Explain the value of a KPI.

    Shown are its formula and measures, how it spread over the window, late and corrected events, and dead letters that
    are missing in it; with --events also every event that counts, and what it added.

    \b
    Examples:
        salespulse explain revenue
        salespulse explain win_rate --window ytd --where team=north
        salespulse explain deals_won --window today --where rep=r-7 --events
        salespulse explain target_attainment --window mtd --where target=north-2025 --json
    """
    (chosen,) = select_kpis(settings, (kpi,))
    asked = Asked(kpi=chosen.name, window=window, where=pairs("--where", where), events=events, limit=limit)
    reader = RedisReader(settings)
    try:
        found = await _explained(Explanations(settings, reader), asked)
    finally:
        await reader.close()
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        stdout().print(picture(found, settings.time.zone, settings.money.currency))


async def _explained(explanations: Explanations, asked: Asked) -> Explanation:
    """Explain, with a progress bar while source topics are read."""
    if not asked.events:
        return await explanations.explain(asked)
    columns = (TextColumn("reading source topics"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("events", total=None)
        return await explanations.explain(asked, lambda done, total: bar.update(task, completed=done, total=total))
