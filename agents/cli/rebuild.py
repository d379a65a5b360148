"""`salespulse rebuild`: the state counted anew from the log, beside the running workers, then switched to."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.cli.options import command_options, json_option, run_async
from agents.cli.output import plain_table, print_json, remark, stderr, stdout
from agents.rebuild import Difference, Rebuilt, compare, nothing_to_do
from agents.rebuild import rebuild as count_anew
from schemas.settings import Settings
from schemas.windows import RESOLUTIONS
from streams.time import iso

_SHOWN = 20


@click.command(short_help="Count anew from the log; check that the state is right.")
@click.option("--compare", "only_compare", is_flag=True, help="Write nothing; say where the stored state differs")
@click.option("--force", is_flag=True, help="Count anew even if nothing new is to be counted")
@json_option
@command_options
@run_async
async def rebuild(settings: Settings, only_compare: bool, force: bool, as_json: bool) -> None:
    """Count the state anew from the log, by the catalogue and the settings as they are now.

    Workers go on meanwhile with what they count; KPIs that are new wait until everything is counted, from the first
    event that the log still has. Then all workers change over by themselves, within seconds. The log has no fields of
    your own from before a worker knew of them.

    With --compare nothing is written: the state is computed anew and compared with what is stored, cell by cell. The
    exit code is 1 when anything differs.

    \b
    Examples:
        salespulse rebuild
        salespulse rebuild --compare
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    if not only_compare and not force and await nothing_to_do(settings):
        remark("nothing to do: everything in the catalogue is counted already (--force counts anew all the same)")
        return
    with Progress(*columns, console=stderr()) as bar:
        task = bar.add_task("frames of the log", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if only_compare:
            differences = await compare(settings, progress)
        else:
            rebuilt = await count_anew(settings, progress)
    if not only_compare:
        _say_rebuilt(rebuilt, as_json=as_json)
        return
    _say_differences(differences, as_json=as_json)
    if differences:
        raise click.exceptions.Exit(1)


def _say_rebuilt(rebuilt: Rebuilt, *, as_json: bool) -> None:
    if as_json:
        print_json(rebuilt._asdict() | {"begins": {str(key): value for key, value in rebuilt.begins.items()}})
        return
    remark(f"{rebuilt.frames:,} frames counted; generation {rebuilt.number} is in force, workers change over now")
    for partition, begin in rebuilt.begins.items():
        remark(f"log partition {partition} begins at {begin:,}: events of earlier frames are not counted any more")


def _say_differences(differences: Sequence[Difference], *, as_json: bool) -> None:
    if as_json:
        print_json([each._asdict() | {"resolution": RESOLUTIONS[each.resolution]} for each in differences])
        return
    if not differences:
        remark("no difference: the state is what the log says, cell by cell")
        return
    table = plain_table("series", "cell", "measure", "stored", "by the log", right=("stored", "by the log"))
    for each in differences[:_SHOWN]:
        cell = RESOLUTIONS[each.resolution] + (f" {iso(each.start_ms)}" if each.start_ms else "")
        table.add_row(each.dims or "global", cell, each.measure, f"{each.stored:,}", f"{each.anew:,}")
    stdout().print(table)
    remark(f"{len(differences):,} differences; `salespulse rebuild --force` counts anew")
