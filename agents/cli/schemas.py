"""`salespulse schemas export`: the contracts as files."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import command_options
from agents.cli.output import remark
from schemas.export import write_documents
from schemas.settings import Settings


@click.group()
def schemas() -> None:
    """Contracts for other programs: JSON Schemas and AsyncAPI."""


@schemas.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@command_options
def export(settings: Settings, directory: Path) -> None:
    """Write JSON Schemas of all events and outputs, and an AsyncAPI 3 document, to DIRECTORY.

    The topics in the AsyncAPI document are those of the settings.

    \b
    Example:
        salespulse schemas export contracts/
    """
    names = write_documents(directory, settings.topics)
    remark(f"{len(names)} files written to {directory}")
