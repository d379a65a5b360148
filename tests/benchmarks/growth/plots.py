"""Plots of what was measured, as SVG beside the results: one an axis that has a course to show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.growth.axes import AXES
from tests.benchmarks.growth.run import RESULTS
from tests.benchmarks.growth.table import Plot, Table

PLOTS: Final = RESULTS.with_name("plots")


class NoPlotsError(Exception):
    """What draws plots is not installed."""


def require() -> None:
    """See to it that plots can be drawn.

    Raises:
        NoPlotsError: matplotlib is not installed.
    """
    try:
        import_module("matplotlib")
    except ImportError:
        msg = "plots need matplotlib: pip install -c tests/constraints.txt -e '.[bench]'"
        raise NoPlotsError(msg) from None


def draw(results: Path = RESULTS, directory: Path = PLOTS) -> list[Path]:
    """Draw the results that are kept; returns the files.

    Raises:
        NoPlotsError: matplotlib is not installed.
    """
    require()
    import matplotlib as mpl  # noqa: PLC0415  nothing else needs it
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "salespulse", "svg.fonttype": "none"})  # equal figures, equal files
    directory.mkdir(exist_ok=True)
    found: Mapping[str, Any] = json.loads(results.read_text())
    files: list[Path] = []
    for name, axis in found.items():
        table = AXES[name].table
        if table.plot is not None:
            files.append(directory / f"{name}.svg")
            _draw(plt, table, table.plot, axis["rows"], files[-1])
    return files


def _draw(pyplot: Any, table: Table, plot: Plot, rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
    heads = {column.key: column.head for column in table.columns}
    for key in plot.ys:
        axes.plot([row[plot.x] for row in rows], [row[key] for row in rows], marker="o", label=heads[key])
    axes.set(title=table.title.partition(":")[0], xlabel=plot.x_title, ylabel=plot.y_title)
    axes.set_xscale(plot.scales[0])
    axes.set_yscale(plot.scales[1])
    if plot.scales[1] == "linear":
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
