"""Series as Prometheus reads them: samples kept as ready-made line beginnings, and the choice of what fits the cap.

Ten thousand lines render in a few milliseconds because only the number after ``name{labels} `` is new each time (labels
of `prometheus_client` took ten times as long, faust.md). No timestamps: a vanished series must vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.metric_names import label_name
from schemas.windows import WINDOWS
from streams.metrics.names import MetricFacts

Number = int | float | None
Line = tuple[dict[str, "int | float | str"], str]
"""Where a sample lives: the samples of its family and place in the order, and its line beginning there."""

UNKNOWN: Final = "NaN"
PIPELINE: Final = -1
"""Place in the order of what is never left out before anything else."""

_KEPT_LONGEST: Final = ("24h", "today", "mtd", "7d", "30d", "1h", "ytd", "all", "wtd", "qtd", "5m")
_PLACE: Final = {window: place for place, window in enumerate((*_KEPT_LONGEST, *WINDOWS)) if place < len(WINDOWS)}


def place_of(window: str, *, broken_down: bool, part: bool) -> int:
    """Order in which series are kept when there are more than allowed: global ones, then whole windows of the others.

    A sudden thousand of reps so costs their rarest windows, and never the company's revenue.
    """
    if not broken_down:
        return 0
    return 1 + _PLACE.get(window, len(WINDOWS)) + (len(WINDOWS) + 1 if part else 0)


class Family(msgspec.Struct):
    """One metric: its ``HELP`` and ``TYPE``, and samples by place in the order of what is kept."""

    name: str
    header: str
    samples: dict[int, dict[str, int | float | str]] = {}

    def line(self, labels: Mapping[str, str], place: int) -> Line:
        """Return where the sample with these labels is kept."""
        pairs = ",".join(label_pair(name, value) for name, value in labels.items())
        return self.samples.setdefault(place, {}), f"{self.name}{{{pairs}}} "


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

    Returns:
        The text (families in their order, each in one piece) and how many samples were left out.
    """
    known = list(families)
    wanted = sorted((place, index) for index, each in enumerate(known) for place in each.samples)
    room, left_out = limit, 0
    chosen: dict[int, list[str]] = {}
    for place, index in wanted:
        samples = known[index].samples[place]
        lines = [f"{beginning}{value}\n" for beginning, value in samples.items()] if room > 0 else []
        left_out += max(0, len(samples) - room)
        chosen.setdefault(index, []).extend(lines[:room])
        room = max(0, room - len(samples))
    text = "".join(known[index].header + "".join(lines) for index, lines in sorted(chosen.items()) if lines)
    return text, left_out


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
