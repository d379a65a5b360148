"""`salespulse catalogue`: every KPI with its formula, unit, dimensions and source."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click
import msgspec
from rich.text import Text

from agents.cli.options import command_options, json_option
from agents.cli.output import plain_table, print_json, stdout
from schemas.catalogue.compose import catalogue_of
from schemas.declare import Kpi
from schemas.errors import UsageError
from schemas.kpi_words import formula_of
from schemas.settings import Settings


@click.command(short_help="Every KPI: formula, unit, dimensions, source.")
@click.argument("names", nargs=-1)
@json_option
@command_options
def catalogue(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """List every KPI: what it is, its formula over measures, its unit and its dimensions.

    NAMES restricts the list. The letters of `source` are the sales-KPI lists the catalogue was made from.

    \b
    Examples:
        salespulse catalogue
        salespulse catalogue win_rate average_ticket
        salespulse catalogue --json
    """
    kpis = select_kpis(settings, names)
    if as_json:
        print_json([{**msgspec.to_builtins(kpi), "formula": formula_of(kpi)} for kpi in kpis])
        return
    table = plain_table("KPI", "What it is", "Unit", "By", "From")
    for kpi in kpis:
        what = Text.assemble(kpi.doc, "\n", (formula_of(kpi), "cyan"))
        by = ", ".join((*(("global",) if kpi.has_global else ()), *kpi.dimensions))
        table.add_row(Text(kpi.name, "bold"), what, kpi.unit, by, kpi.source)
    stdout().print(table)


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
