"""Series as Prometheus reads them: samples kept as ready-made line beginnings, and the choice of what fits the cap.

Ten thousand lines render in a few milliseconds because only the number after ``name{labels} `` is new each time (labels
of `prometheus_client` took ten times as long, faust.md). No timestamps: a vanished series must vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from schemas.metric_names import label_name
from streams.metrics.names import MetricFacts

Number = int | float | None
Line = tuple[dict[str, "int | float | str"], str]
"""Where a sample lives: the samples of its family and place in the order, and its line beginning there."""

UNKNOWN: Final = "NaN"
PIPELINE: Final = -1
"""Place in the order of what is never left out before anything else."""

FIRST_WINDOWS: Final = ("mtd", "24h")
"""Windows that dashboards begin with; their broken-down series are kept before those of other windows."""

_Sort = Literal["single", "pair", "part"]
_OTHERS: Final = ("today", "7d", "30d", "ytd", "1h", "all", "wtd", "qtd", "5m")
_KEPT: Final[tuple[tuple[str, _Sort], ...]] = (
    *((window, "single") for window in FIRST_WINDOWS),
    *((window, sort) for window in FIRST_WINDOWS for sort in ("pair", "part")),
    *((window, sort) for window in _OTHERS for sort in ("single", "pair")),
    *((window, "part") for window in _OTHERS),
)
_PLACE: Final = {kept: place for place, kept in enumerate(_KEPT, 1)}


def place_of(window: str, *, dimensions: int, part: bool) -> int:
    """Order in which series are kept when there are more than allowed.

    Global ones come first. Then whole windows by single dimensions, those that dashboards begin with before the others;
    for these windows pairs of dimensions, and numerators and denominators; then the other windows. A sudden thousand of
    reps so costs rarer windows and parts, and never the company's revenue.

    Args:
        window: Of the series; empty for what has none.
        dimensions: How many it is broken down by.
        part: Whether it is a numerator or denominator.
    """
    if not dimensions:
        return 0
    sort: _Sort = "part" if part else "pair" if dimensions > 1 else "single"
    return _PLACE.get((window, sort), 1)


class Family(msgspec.Struct):
    """One metric: its ``HELP`` and ``TYPE``, and samples by place in the order of what is kept."""

    name: str
    header: str
    samples: dict[int, dict[str, int | float | str]] = {}

    def line(self, pairs: str, place: int) -> Line:
        """Return where the sample with these labels, as :func:`label_pairs` writes them, is kept."""
        return self.samples.setdefault(place, {}), f"{self.name}{{{pairs}}} "


def label_pairs(labels: Mapping[str, str]) -> str:
    """Write labels and their values."""
    return ",".join(label_pair(name, value) for name, value in labels.items())


def label_pair(name: str, value: str) -> str:
    """Write a label and its value."""
    return f'{label_name(name)}="{_escaped(value)}"'


def family(name: str, facts: MetricFacts) -> Family:
    """Make an empty family with its header."""
    text = facts.help.replace("\\", "\\\\").replace("\n", "\\n")
    return Family(name, f"# HELP {name} {text}\n# TYPE {name} {facts.type}\n")


def put(line: Line, value: Number) -> None:
    """Set a sample; None is unknown."""
    samples, beginning = line
    samples[beginning] = UNKNOWN if value is None else value


def drop(lines: Iterable[Line]) -> None:
    """Take samples out."""
    for samples, beginning in lines:
        samples.pop(beginning, None)


def render_families(families: Iterable[Family], limit: int) -> tuple[str, int]:
    """Write at most ``limit`` samples, in the order of :func:`place_of`.

    Of one place the smallest metrics come first. A metric is shown whole at its place or not at all, so that no ranking
    lacks somebody unnoticed; only of global series some are shown rather than none.

    Returns:
        The text (families in their order, each in one piece) and how many samples were left out.
    """
    known = list(families)
    wanted = sorted(
        (place, len(samples), index) for index, each in enumerate(known) for place, samples in each.samples.items()
    )
    room, left_out = limit, 0
    chosen: dict[int, list[str]] = {}
    for place, size, index in wanted:
        shown = size if size <= room else room if place == 0 else 0
        left_out += size - shown
        if shown:
            lines = [f"{beginning}{value}\n" for beginning, value in known[index].samples[place].items()]
            chosen.setdefault(index, []).extend(lines[:shown])
            room -= shown
    text = "".join(known[index].header + "".join(lines) for index, lines in sorted(chosen.items()))
    return text, left_out


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
