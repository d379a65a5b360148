"""`salespulse catalogue`: every KPI with its formula, unit, dimensions and source."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from agents.cli.options import command_options, json_option
from agents.cli.output import plain_table, print_json, remark, stdout
from schemas.catalogue.compose import catalogue_of
from schemas.declare import Kpi
from schemas.errors import UsageError
from schemas.kpi_pages import kpi_page
from schemas.kpi_words import formula_of, measures_named
from schemas.measures import MEASURES
from schemas.playlist import playlist
from schemas.settings import Settings
from streams.plan import plan_of


class _Catalogue(click.Group):
    """The group; what is none of its commands is the name of a KPI to list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Catalogue, short_help="Every KPI: formula, unit, dimensions, source; and those of your own.")
def catalogue() -> None:
    """Every KPI: what it is, its formula over measures, its unit and its dimensions.

    Without a command, or with names of KPIs, it lists them. KPIs of your own are declared in TOML files that
    catalogue.files of the settings names; `check` tells what is wrong with one. All take --config FILE and --json.

    \b
    Examples:
        salespulse catalogue
        salespulse catalogue win_rate average_ticket --json
        salespulse catalogue show win_rate
        salespulse catalogue check my-kpis.toml
    """


@catalogue.command(name="list")
@click.argument("names", nargs=-1)
@json_option
@command_options
def list_kpis(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """List every KPI in force, or those of NAMES.

    The letters of `From` are the sales-KPI lists the catalogue was made from.

    \b
    Examples:
        salespulse catalogue list
        salespulse catalogue list win_rate average_ticket --json
    """
    kpis = select_kpis(settings, names)
    if as_json:
        print_json([{**msgspec.to_builtins(kpi), "formula": formula_of(kpi)} for kpi in kpis])
        return
    stdout().print(_table(kpis))


@catalogue.command()
@click.argument("name", metavar="KPI")
@json_option
@command_options
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show all that is to be known of one KPI: formula, measures, what makes it unknown, an example, its metrics.

    \b
    Examples:
        salespulse catalogue show average_ticket
        salespulse catalogue show average_ticket --json
    """
    (kpi,) = select_kpis(settings, (name,))
    measures = {measure.name: measure for measure in catalogue_of(settings).measures}
    if as_json:
        named = [msgspec.to_builtins(measures[each]) for each in measures_named(kpi)]
        print_json({**msgspec.to_builtins(kpi), "formula": formula_of(kpi), "measures": named})
        return
    stdout().print(Markdown(kpi_page(kpi, measures.values())))


@catalogue.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, exists=True))
@json_option
@command_options
def check(settings: Settings, files: tuple[Path, ...], as_json: bool) -> None:
    """Check files of KPIs of your own, and show what they declare.

    They are read after those that the settings name already. What is wrong is told with file, line and key; the exit
    code is 2 then.

    \b
    Examples:
        salespulse catalogue check my-kpis.toml
    """
    named = {Path(name).resolve() for name in settings.catalogue.files}
    more = [str(path) for path in files if path.resolve() not in named]
    section = msgspec.structs.replace(settings.catalogue, files=(*settings.catalogue.files, *more), include=())
    found = catalogue_of(msgspec.structs.replace(settings, catalogue=section))
    playlist(settings.wall, found.kpis, own=found.tiles)
    plan = plan_of(found)
    sources = {path.name for path in files}
    kpis = [kpi for kpi in found.kpis if kpi.source in sources and not kpi.row]
    if as_json:
        print_json([{**msgspec.to_builtins(kpi), "formula": formula_of(kpi)} for kpi in kpis])
        return
    stdout().print(_table(kpis))
    built_in = {measure.name for measure in MEASURES}
    counted = dict.fromkeys(name for kpi in kpis for name in plan.counted_for(kpi) if name not in built_in)
    remark(
        f"{', '.join(map(str, files))}: all right. KPIs: {len(kpis)}; measures of your own: {len(counted)}; dimensions"
        f" of your own: {len(found.dimensions)}. On a running system `salespulse rebuild` counts what is new."
    )


def _table(kpis: Iterable[Kpi]) -> Table:
    table = plain_table("KPI", "What it is", "Unit", "By", "From")
    for kpi in kpis:
        what = Text.assemble(kpi.doc, "\n", (formula_of(kpi), "cyan"))
        by = ", ".join((*(("global",) if kpi.has_global else ()), *kpi.dimensions))
        table.add_row(Text(kpi.name, "bold"), what, kpi.unit, by, kpi.source)
    return table


def select_kpis(settings: Settings, names: tuple[str, ...]) -> tuple[Kpi, ...]:
    """The KPIs in force, or those of them that are named.

    Raises:
        UsageError: One of the names is no KPI.
    """
    known = {kpi.name: kpi for kpi in catalogue_of(settings).kpis}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"no such KPI: {', '.join(unknown)}{closest(unknown[0], known)} (`salespulse catalogue` lists all)"
        )
    return tuple(known[name] for name in names) if names else tuple(known.values())


def closest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, where something comes close."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
