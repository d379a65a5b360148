"""What all commands print with: tables for people on stdout, remarks on stderr, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 120
"""Columns where the output goes to a file or a pipe: nobody's terminal cuts it there."""


def stdout() -> Console:
    """The console for results."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PLAIN_WIDTH
    return Console(highlight=False, width=width)


def stderr() -> Console:
    """The console for remarks, progress and errors; keeps stdout clean for data."""
    # In a log file a remark stays on one line; in a terminal it is broken between words.
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def remark(text: str) -> None:
    """Say something that is no result."""
    stderr().print(text, markup=False)


def fail(text: str) -> None:
    """Say what went wrong and what to do about it."""
    stderr().print(Text.assemble(("salespulse: ", "bold red"), text))


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def plain_table(*columns: str, title: str | None = None, right: Iterable[str] = ()) -> Table:
    """Return a table without a frame; the columns named in `right` are aligned to the right."""
    table = Table(
        title=title, box=None, header_style="bold", title_justify="left", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table
