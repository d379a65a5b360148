"""`salespulse schemas export`: the contracts and the pages about the KPIs as files."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import command_options
from agents.cli.output import remark
from schemas.catalogue.compose import catalogue_of
from schemas.export import write_documents
from schemas.settings import Settings


@click.group()
def schemas() -> None:
    """Contracts for other programs: JSON Schemas and AsyncAPI; and what each KPI is."""


@schemas.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@command_options
def export(settings: Settings, directory: Path) -> None:
    """Write JSON Schemas of all events and outputs, an AsyncAPI 3 document, and pages about the KPIs to DIRECTORY.

    The topics in the AsyncAPI document and the KPIs of the pages are those of the settings.

    \b
    Example:
        salespulse schemas export contracts/
    """
    names = write_documents(directory, settings.topics, catalogue_of(settings))
    remark(f"{len(names)} files written to {directory}")
