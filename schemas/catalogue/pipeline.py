"""Targets and pipeline: attainment, pace, projection, what is open, and how far it covers what remains."""

from __future__ import annotations

from typing import Final

from schemas.declare import Kpi, goal, simple

_GOALS: Final = ("rep", "team", "target")
_STAGED: Final = ("stage", "rep", "rep,stage")
_SUMMED: Final = "revenue"

PIPELINE: Final[tuple[Kpi, ...]] = (
    goal(
        "target_attainment",
        4,
        "Target attainment",
        "attainment",
        _SUMMED,
        _GOALS,
        "P1 D ClickUp",
        "Actual over target, for each goal in the to-date window of its period; "
        "global, rep and team are the sums of the revenue goals with just that dimension.",
        "600.00 of a target of 1,000.00: 60 %.",
    ),
    goal(
        "target_pace",
        5,
        "Target pace",
        "pace",
        _SUMMED,
        _GOALS,
        "C1",
        "Attainment over the share of the period's working time that has passed; 1 is on track.",
        "60 % attained after 10 of 20 working days: 1.2.",
    ),
    goal(
        "target_projection",
        5,
        "Projected finish",
        "projection",
        _SUMMED,
        _GOALS,
        "C1",
        "Actual over the share of the period's working time that has passed.",
        "600.00 after 10 of 20 working days: 1,200.00.",
    ),
    goal(
        "pipeline_coverage",
        43,
        "Pipeline coverage",
        "coverage",
        _SUMMED,
        ("rep",),
        "C2",
        "Open pipeline over what remains of the revenue goals.",
        "3,000.00 open, 1,500.00 to go: 2.",
        covered_by="open_pipeline",
    ),
    simple(
        "open_pipeline",
        43,
        "Open pipeline",
        "open_amount",
        "money",
        type="level",
        dimensions=_STAGED,
        source="C2",
        doc="Amount of deals created and neither won nor lost, at the window's end.",
        example="Open deals of 1,000.00 and 500.00: 1,500.00.",
    ),
    simple(
        "open_deals",
        43,
        "Open deals",
        "open_deals",
        type="level",
        dimensions=_STAGED,
        source="C2",
        doc="Deals created and neither won nor lost, at the window's end.",
        example="Three created, one won: 2.",
    ),
)
"""Rows 4, 5 and 43."""
