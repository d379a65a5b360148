"""Open deals by stage: a level that every event of a deal moves to its own dimensions (kpis.md, 42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.contributions import Contribution, each
from tests.oracle.deals import money_of
from tests.oracle.stages import stage_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.accounts import Account
    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings


def of_pipeline(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """Contributions of one account's deals."""
    for deal in account.deals:
        yield from _of_deal([fact for fact in account.facts if fact.deal == deal], settings)


def _of_deal(facts: list[Fact], settings: OracleSettings) -> Iterator[Contribution]:
    stage: str | None = None
    amount = 0
    counted: list[str] = []
    for fact in facts:
        yield from each("open_deals", counted, fact.at_ms, -1)
        yield from each("open_amount", counted, fact.at_ms, -amount)
        if fact.type in ("deal.won", "deal.lost"):
            return
        if fact.type in ("deal.created", "deal.amended"):
            stated = money_of(fact, settings).amount
            amount = amount if stated is None else stated
        if fact.type == "deal.created" and stage is None:
            stage = fact.body.get("stage") or "new"
        elif fact.type == "deal.stage_changed" and stage is not None:
            stage = fact.body["to_stage"]
        if stage is not None:
            counted = stage_keys(fact.dims, stage)
            yield from each("open_deals", counted, fact.at_ms, 1)
            yield from each("open_amount", counted, fact.at_ms, amount)
