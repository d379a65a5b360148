"""How the product is held against the oracle: which of its measures the oracle has as well, and where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from schemas.measures import MEASURES
from schemas.windows import RETENTION_MS
from streams.plan import Plan

WORKED_OUT_OTHERWISE: Final = frozenset(
    {
        "customer_cost",  # the oracle has the margin
        "deal_stage_moves",  # the oracle has activity and points
        "lead_stage_moves",
        "first_purchase_seconds",  # the oracle has the times themselves
        "lead_created_seconds",
    }
)
"""Measures that the oracle has no cells of: it comes to the values of their KPIs in another way."""

_DECLARED: Final = frozenset(measure.name for measure in MEASURES)


def is_retained(resolution: str, start_ms: int, newest_ms: int) -> bool:
    """Whether a cell has to be kept yet."""
    return start_ms + RETENTION_MS.get(resolution, 1 << 60) > newest_ms


def compared_cells(plan: Plan, newest_ms: int) -> Callable[[str, str, str, int], bool]:
    """Tell of a measure, dims, resolution and start whether both sides have to have the same cell.

    Keyed measures (histograms, goals) are left to the values that are made of them. What only says that a series exists
    is compared by the series that exist.
    """
    groupings = plan.groupings

    def compared(measure: str, dims: str, resolution: str, start_ms: int) -> bool:
        name = measure.partition("@")[0]
        if name not in _DECLARED or name in WORKED_OUT_OTHERWISE or "#" in measure:
            return False
        grouping = ",".join(part.partition("=")[0] for part in dims.split(","))
        return grouping in groupings[name] and is_retained(resolution, start_ms, newest_ms)

    return compared
