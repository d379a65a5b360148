"""Cells: contributions added up per series, resolution and slice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.oracle.periods import RESOLUTION_OF_WINDOW, RESOLUTIONS, slice_start_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.contributions import Contribution
    from tests.oracle.settings import OracleSettings

CellKey = tuple[str, str, int]


def cells(found: Iterable[Contribution], settings: OracleSettings) -> dict[CellKey, dict[str, int]]:
    """Sums by (dims, resolution, slice start in ms) and measure; what adds up to 0 is left out."""
    sums: dict[CellKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for measure, dims, at_ms, delta in found:
        for resolution in RESOLUTIONS[RESOLUTIONS.index(finest_resolution(measure)) :]:
            sums[dims, resolution, slice_start_ms(resolution, at_ms, settings.zone)][measure] += delta
    kept = {key: {measure: total for measure, total in cell.items() if total} for key, cell in sums.items()}
    return {key: cell for key, cell in kept.items() if cell}


def finest_resolution(measure: str) -> str:
    """The finest slices a measure is kept in: those of its window, if it belongs to one ("buyers@24h")."""
    window = measure.partition("@")[2]
    return RESOLUTION_OF_WINDOW[window] if window else "10s"
