"""What the fold needs of the settings."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.sections import Settings
from schemas.windows import DAY_MS

ENTRY_STAGE: Final = "new"
"""The stage of a lead or deal that is created without one."""


class FoldRules(msgspec.Struct, frozen=True):
    """What the fold needs of the settings.

    Args:
        dedupe_horizon_ms: How long behind the newest event duplicates are recognised.
        churn_horizon_ms: After so long without a purchase a customer has left.
        stages: Stages of leads in their order.
        stage_limit_ms: A lead longer in its stage than this is stuck.
        stage_limits_ms: Stages with a limit of their own.
    """

    dedupe_horizon_ms: int = 35 * DAY_MS
    churn_horizon_ms: int = 90 * DAY_MS
    stages: tuple[str, ...] = ("new", "contacted", "first_meeting", "proposal", "negotiation")
    stage_limit_ms: int = 7 * DAY_MS
    stage_limits_ms: dict[str, int] = {}

    def is_onward(self, from_stage: str, to_stage: str) -> bool:
        """Tell whether a move is to a later stage; any is, where one of the two is not in the order."""
        stages = self.stages
        if from_stage not in stages or to_stage not in stages:
            return True
        return stages.index(to_stage) > stages.index(from_stage)

    def stuck_after_ms(self, stage: str) -> int:
        """Return how long a lead may stay in a stage."""
        return self.stage_limits_ms.get(stage, self.stage_limit_ms)


def fold_rules(settings: Settings) -> FoldRules:
    """Return the rules as set."""
    kpi = settings.kpi
    return FoldRules(
        dedupe_horizon_ms=int(settings.pipeline.dedupe_horizon),
        churn_horizon_ms=int(kpi.churn_horizon),
        stages=kpi.stages,
        stage_limit_ms=int(kpi.stage_limit),
        stage_limits_ms={stage: int(limit) for stage, limit in kpi.stage_limits.items()},
    )
