"""Leads in their stages: entries, onward moves, dwell, stuck leads and cohorts (kpis.md, 23 and 25-27)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.oracle.contributions import Contribution, conversions, each, encode, series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.oracle.accounts import Account
    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings


@dataclass(frozen=True)
class Stay:
    """A lead's time in a stage; `left` is the event that ended it, None while it lasts."""

    stage: str
    entered: Fact
    left: Fact | None
    onward: bool


def of_stages(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """Contributions of one account's leads."""
    for stay in stays(account, settings):
        entered, left = stay.entered, stay.left
        yield from each("stage_entries", stage_keys(entered.dims, stay.stage), entered.at_ms, 1)
        stuck_ms = entered.at_ms + settings.stage_limits_ms.get(stay.stage, settings.stage_limit_ms)
        if left is None or left.at_ms > stuck_ms:
            yield from each("stuck_leads", stage_keys(entered.dims, stay.stage), stuck_ms, 1)
            if left is not None:
                yield from each("stuck_leads", stage_keys(entered.dims, stay.stage), left.at_ms, -1)
        if left is not None:
            keys = stage_keys(left.dims, stay.stage)
            yield from each("stage_dwell_seconds", keys, left.at_ms, (left.at_ms - entered.at_ms) // 1000)
            yield from each("stage_dwell_count", keys, left.at_ms, 1)
            if stay.onward:
                yield from each("stage_onward", keys, left.at_ms, 1)
    for lead, _ in conversions(account):
        yield from each("cohort_won", series(lead.dims, ("source", "channel", "rep")), lead.at_ms, 1)


def stage_keys(dims: Mapping[str, str], stage: str) -> list[str]:
    """Global, by rep, by stage and by both."""
    at_stage = f"stage={encode(stage)}"
    by_rep = series(dims, ("rep",))[1:]
    return ["", at_stage, *by_rep, *(f"{rep},{at_stage}" for rep in by_rep)]


def stays(account: Account, settings: OracleSettings) -> list[Stay]:
    """Every stay of every lead, until the lead is qualified, disqualified or its account buys."""
    purchases = {sale.won.order for sale in account.sales}
    walk = _Walk(settings)
    for fact in account.facts:
        if fact.order in purchases:
            walk.purchase(fact)
        elif fact.type.startswith("lead."):
            walk.step(fact.body.get("lead_id") or fact.account, fact)
    return [*walk.done, *(Stay(*stay, None, onward=False) for stay in walk.current.values() if stay is not None)]


class _Walk:
    """Through one account's events; `current` holds stage and entry of each lead, None for one that is closed."""

    def __init__(self, settings: OracleSettings) -> None:
        self.settings = settings
        self.current: dict[str, tuple[str, Fact] | None] = {}
        self.done: list[Stay] = []

    def purchase(self, fact: Fact) -> None:
        for lead in self.current:
            self.leave(lead, fact, onward=True)

    def step(self, lead: str, fact: Fact) -> None:
        if fact.type == "lead.created" and lead not in self.current:
            self.current[lead] = (fact.body.get("stage") or "new", fact)
        elif fact.type in ("lead.qualified", "lead.disqualified"):
            self.leave(lead, fact, onward=fact.type == "lead.qualified")
        elif fact.type == "lead.stage_changed":
            self.move(lead, fact.body["to_stage"], fact)

    def move(self, lead: str, to_stage: str, fact: Fact) -> None:
        stay = self.current.get(lead)
        if stay is not None and stay[0] != to_stage:
            self.leave(lead, fact, onward=is_onward(stay[0], to_stage, self.settings))
            self.current[lead] = (to_stage, fact)
        elif lead not in self.current:
            self.current[lead] = (to_stage, fact)

    def leave(self, lead: str, fact: Fact, *, onward: bool) -> None:
        stay = self.current.get(lead)
        if stay is not None:
            self.done.append(Stay(*stay, fact, onward))
        self.current[lead] = None


def is_onward(from_stage: str, to_stage: str, settings: OracleSettings) -> bool:
    """Whether a move goes to a later stage; any move does if one of the two is not in the settings' order."""
    order = settings.stages
    if from_stage not in order or to_stage not in order:
        return True
    return order.index(to_stage) > order.index(from_stage)
