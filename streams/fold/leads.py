"""An account's leads: created, moved through stages, converted by purchases."""

from __future__ import annotations

import msgspec

from schemas.rows import Row
from streams.dimensions import Dims
from streams.fold.accumulator import Accumulator
from streams.fold.rules import ENTRY_STAGE


class Lead(msgspec.Struct, gc=False):
    """The lead that a purchase would convert: when it was created, and under which dimensions."""

    created_ms: int
    dims: Dims
    converted: bool = False


class _Stay(msgspec.Struct, gc=False):
    """A lead's time in a stage, since its entry."""

    stage: str
    entered_ms: int
    dims: Dims


class Leads:
    """Leads of one account, after some of its events in order of event time.

    Args:
        out: Where contributions go.
    """

    __slots__ = ("_created", "_out", "_stays", "latest")

    def __init__(self, out: Accumulator) -> None:
        self.latest: Lead | None = None
        self._out = out
        self._created: set[str] = set()
        self._stays: dict[str, _Stay | None] = {}

    def created(self, row: Row, dims: Dims) -> None:
        """Take a lead.created; a further one of the same lead adds nothing."""
        lead_id = row.ref or row.account
        if lead_id not in self._created:
            self._created.add(lead_id)
            self.latest = Lead(row.at_ms, dims)
            self._out.fact(self._out.plan.counting("lead"), row.at_ms, dims, (ceil_seconds(row.at_ms),))
        if lead_id not in self._stays:
            self._enter(lead_id, row.label or ENTRY_STAGE, row.at_ms, dims)

    def moved(self, row: Row, dims: Dims) -> None:
        """Take a lead.stage_changed; a closed lead enters no further stage."""
        lead_id, stage = row.ref or row.account, row.label or ENTRY_STAGE
        if lead_id not in self._stays:
            self._enter(lead_id, stage, row.at_ms, dims)
            return
        stay = self._stays[lead_id]
        if stay is not None and stay.stage != stage:
            self._leave(stay, row.at_ms, dims, onward=self._out.rules.is_onward(stay.stage, stage))
            self._enter(lead_id, stage, row.at_ms, dims)

    def qualified(self, row: Row, dims: Dims) -> None:
        """Take a lead.qualified: the lead is closed, onward."""
        self._close(row.ref or row.account, row.at_ms, dims, onward=True)

    def disqualified(self, row: Row, dims: Dims) -> None:
        """Take a lead.disqualified: the lead is closed."""
        self._close(row.ref or row.account, row.at_ms, dims, onward=False)

    def purchase(self, at_ms: int, dims: Dims) -> None:
        """Take a purchase: it closes all leads, and converts the latest."""
        for lead_id in self._stays:
            self._close(lead_id, at_ms, dims, onward=True)
        lead = self.latest
        if lead is not None and not lead.converted:
            lead.converted = True
            out = self._out
            out.fact(out.plan.counting("cohort_win"), lead.created_ms, lead.dims)
            out.fact(out.plan.counting("lead_to_sale"), at_ms, lead.dims, ((at_ms - lead.created_ms) // 1000,))

    def _close(self, lead_id: str, at_ms: int, dims: Dims, *, onward: bool) -> None:
        stay = self._stays.get(lead_id)
        if stay is not None:
            self._leave(stay, at_ms, dims, onward=onward)
        self._stays[lead_id] = None

    def _enter(self, lead_id: str, stage: str, at_ms: int, dims: Dims) -> None:
        self._stays[lead_id] = _Stay(stage, at_ms, dims)
        out = self._out
        out.fact(out.plan.counting("stage_entry", stage), at_ms, dims)
        # It will be stuck, unless it leaves before.
        out.fact(out.plan.counting("stuck_lead", stage), at_ms + out.rules.stuck_after_ms(stage), dims, (1,))

    def _leave(self, stay: _Stay, at_ms: int, dims: Dims, *, onward: bool) -> None:
        out, stage = self._out, stay.stage
        exit_of = out.plan.counting("stage_exit", stage, "yes" if onward else "no")
        out.fact(exit_of, at_ms, dims, ((at_ms - stay.entered_ms) // 1000,))
        stuck_ms = stay.entered_ms + out.rules.stuck_after_ms(stage)
        was_stuck = at_ms > stuck_ms
        out.fact(
            out.plan.counting("stuck_lead", stage),
            at_ms if was_stuck else stuck_ms,
            stay.dims,
            (0 if was_stuck else -1,),
            -1,
        )


def ceil_seconds(at_ms: int) -> int:
    """Return the first whole second at or after an instant.

    An age in whole seconds at a whole second is that second less this one, so ages add up from sums of these.
    """
    return -(-at_ms // 1000)
