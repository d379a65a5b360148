"""Tables of figures in 80 columns, with a last column that says of each goal whether it is met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Row = dict[str, Any]
"""Figures by the key of their column; ``goal`` is the last one, as text."""

WIDTH: Final = 80
FLAT: Final = 1.2
"""How much dearer an event may be at the largest size for its cost to count as flat."""


class Column(NamedTuple):
    """A column: key of the figure, head, and how the figure is written."""

    key: str
    head: str
    form: str = ",.0f"


class Plot(NamedTuple):
    """What is drawn of a table: the column along, those upwards, the axes' titles, and which axes are logarithmic."""

    x: str
    ys: tuple[str, ...]
    x_title: str
    y_title: str
    scales: tuple[str, str] = ("log", "linear")


class Table(NamedTuple):
    """How the rows of an axis are shown."""

    title: str
    columns: tuple[Column, ...]
    plot: Plot | None = None


def render(table: Table, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table for people, at most 80 columns wide."""
    texts = [[_text(column, row) for column in table.columns] for row in rows]
    widths = [
        max(len(column.head), *(len(line[index]) for line in texts)) for index, column in enumerate(table.columns)
    ]
    lines = [
        "  ".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)) + f"  {last}"
        for line, last in zip(
            [[column.head for column in table.columns], *texts],
            ["goal", *(str(row["goal"]) for row in rows)],
            strict=True,
        )
    ]
    return "\n".join([table.title, *(line.rstrip() for line in lines)])


def render_markdown(table: Table, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of a Markdown document."""
    heads = [*(column.head for column in table.columns), "goal"]
    lines = [heads, ["--:" for _ in table.columns] + ["---"]]
    lines += [[*(_text(column, row) for column in table.columns), str(row["goal"])] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def flat(costs: Iterable[float]) -> list[str]:
    """Return for each cost whether it is within 20 % of the first, in words."""
    first, *others = costs
    return ["-", *(met(cost <= first * FLAT, f"{cost / first - 1:+.0%}") for cost in others)]


def met(is_met: bool, found: str) -> str:
    """Return whether a goal is met, in words."""
    return f"{found}: {'met' if is_met else 'NOT MET'}"


def _text(column: Column, row: Mapping[str, Any]) -> str:
    value = row.get(column.key)
    if value is None:
        return "-"
    return value if isinstance(value, str) else format(value, column.form)
