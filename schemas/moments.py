"""Moments worth celebrating, as they stand on ``sales.moments.v1``."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.kpi import Unit

MomentKind = Literal["deal_won", "rank_up", "goal_reached"]


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something to celebrate; its ``id`` is the message key, and each id is sent once.

    Args:
        id: ``deal_won/{event_id}``, ``rank_up/{kpi}/{window}/{period start}/{rep}/{rank}`` or
            ``goal_reached/{target_id}/{period start}``.
        kind: What happened.
        occurred_at: When: the win's event time, else the end of the window in which it was seen; RFC 3339 in UTC.
        title: In words.
        kpi: The KPI it is about; None for a deal.
        window: Its window; None for a deal.
        dimensions: Whose it is.
        value: Amount of the deal in major units, or the KPI's value.
        unit: Unit of ``value``.
        currency: Of money.
        rank: The rank reached.
        previous_rank: The best rank of the period before, where there was one.
    """

    id: str
    kind: MomentKind
    occurred_at: str
    title: str
    kpi: str | None = None
    window: str | None = None
    dimensions: dict[str, str]
    value: float | int | None
    unit: Unit
    currency: str | None = None
    rank: int | None = None
    previous_rank: int | None = None
