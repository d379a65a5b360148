"""Writes the dashboards from the catalogue: ``python -m deploy.grafana.generate``.

The JSON is committed, so that Grafana needs nothing but files, and a test fails when it differs from the catalogue
(``--check`` only compares). ``--config salespulse.toml --out DIR`` writes dashboards that have KPIs of your own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import dashboard_of
from schemas.areas import BOARDS
from schemas.catalogue import KPIS
from schemas.catalogue.compose import catalogue_of
from schemas.declare import Kpi
from schemas.errors import SalesPulseError
from schemas.settings import load_settings

DASHBOARDS: Final = Path(__file__).parent / "dashboards"


def generated(kpis: Sequence[Kpi] = KPIS) -> dict[str, str]:
    """Return file name -> JSON of every dashboard."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{board.uid}.json": encoder.encode(dashboard_of(board, kpis)) + "\n" for board in BOARDS}


@click.command()
@click.option("--check", is_flag=True, help="Only name the files that differ; exit code 1 where there are any")
@click.option("--config", type=click.Path(path_type=Path), help="Settings whose catalogue they are of; needs --out")
@click.option("--out", type=click.Path(path_type=Path), help="Directory to write to, instead of the committed files")
def command(check: bool, config: Path | None, out: Path | None) -> None:
    """Write the dashboards from the catalogue.

    \b
    Examples:
        python -m deploy.grafana.generate
        python -m deploy.grafana.generate --config salespulse.toml --out boards
    """
    if config is not None and out is None:
        raise click.UsageError("--config needs --out: the committed dashboards are those of the built-in catalogue")
    wanted = generated(KPIS if config is None else catalogue_of(load_settings(config)).kpis)
    directory = DASHBOARDS if out is None else out
    have = {path.name: path.read_text("utf-8") for path in directory.glob("*.json")}
    different = sorted(name for name in wanted | have if wanted.get(name) != have.get(name))
    if check:
        for name in different:
            click.echo(f"{name} is not what the catalogue makes: run python -m deploy.grafana.generate", err=True)
        raise click.exceptions.Exit(1 if different else 0)
    directory.mkdir(parents=True, exist_ok=True)
    for name in different:
        path = directory / name
        if name in wanted:
            path.write_text(wanted[name], "utf-8")
        elif out is None:
            path.unlink()


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 1 where files differ, 2 for wrong use."""
    try:
        code = command.main(args=list(arguments), standalone_mode=False)
    except (click.ClickException, SalesPulseError) as error:
        click.echo(
            f"deploy.grafana.generate: {error.message if isinstance(error, click.ClickException) else error}", err=True
        )
        return 2
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
