"""One account's leads, deals, sales and conversations: what its measures are computed from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.oracle.deals import Deal, Return, Sale, history

if TYPE_CHECKING:
    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings


@dataclass(frozen=True)
class Account:
    """Everything in event order; `leads` are the first lead.created of each lead_id."""

    facts: list[Fact]
    leads: list[Fact]
    deals: dict[str, Deal]
    sales: list[Sale]
    returns: list[Return]
    conversations: list[Fact]


def account_of(facts: list[Fact], settings: OracleSettings) -> Account:
    """Sort out one account's facts, which are in event order."""
    by_deal: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.deal is not None:
            by_deal[fact.deal].append(fact)
    deals = {deal: history(found, settings) for deal, found in by_deal.items()}
    sales = sorted((sale for deal in deals.values() for sale in deal.sales), key=lambda sale: sale.won.order)
    for place, sale in enumerate(sales):
        sale.customer_class = "new" if place == 0 else "returning"
    return Account(
        facts=facts,
        leads=_leads(facts),
        deals=deals,
        sales=sales,
        returns=[found for deal in deals.values() for found in deal.returns],
        conversations=[fact for fact in facts if _is_conversation(fact)],
    )


def _leads(facts: list[Fact]) -> list[Fact]:
    first: dict[str, Fact] = {}
    for fact in facts:
        if fact.type == "lead.created":
            first.setdefault(fact.body.get("lead_id") or fact.account, fact)
    return list(first.values())


def _is_conversation(fact: Fact) -> bool:
    connected = fact.type == "call.completed" and fact.body.get("outcome") == "connected"
    return connected or fact.type in ("email.replied", "lead.contacted")


def lead_of(account: Account, win: Fact) -> Fact | None:
    """The latest lead of the account created at or before a win."""
    before = [lead for lead in account.leads if lead.order < win.order]
    return before[-1] if before else None
