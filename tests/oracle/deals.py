"""What became of one deal: sales as they stand after amendments, losses, returns (kpis.md, 10 and 12-16)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings


@dataclass
class Part:
    """A product's share of a sale or return: minor units of the reporting currency, and pieces."""

    amount: int = 0
    cost: int = 0
    units: int = 0


@dataclass
class Sale:
    """A counted deal.won; amounts are restated by later amendments, `parts` is empty without items.

    Items that name no product are the part "".
    """

    won: Fact
    amount: int
    cost: int
    parts: dict[str, Part]
    created_ms: int | None
    customer_class: str = ""


@dataclass
class Return:
    """A deal.returned and the sale it takes back, if there was one by then."""

    returned: Fact
    amount: int
    cost: int
    parts: dict[str, Part]
    sale: Sale | None


@dataclass
class Deal:
    """The history of one deal."""

    sales: list[Sale] = field(default_factory=list)
    losses: list[Fact] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    amendments: list[Fact] = field(default_factory=list)


@dataclass(frozen=True)
class Money:
    """What an event says of money: None is not said; items by product, with the sums of what they say."""

    amount: int | None
    cost: int | None
    parts: dict[str, Part]


def money_of(fact: Fact, settings: OracleSettings) -> Money:
    """Amount, cost and items of a deal event in the reporting currency; a missing amount or cost is the items' sum."""
    body = fact.body
    items = body.get("items") or ()
    currency = body.get("currency")
    stated = {name: _stated(body, name, currency, settings) for name in ("amount", "cost")}
    parts: dict[str, Part] = {}
    for item in items:
        part = parts.setdefault(item.get("product") or "", Part())
        part.units += 1 if item.get("quantity") is None else item["quantity"]
        part.amount += _stated(item, "amount", currency, settings) or 0
        part.cost += _stated(item, "cost", currency, settings) or 0
    if stated["amount"] is None and any(item.get("amount") is not None for item in items):
        stated["amount"] = sum(part.amount for part in parts.values())
    if stated["cost"] is None and any(item.get("cost") is not None for item in items):
        stated["cost"] = sum(part.cost for part in parts.values())
    return Money(stated["amount"], stated["cost"], parts)


def _stated(body: Mapping[str, Any], name: str, currency: str | None, settings: OracleSettings) -> int | None:
    amount = body.get(name)
    return None if amount is None else settings.convert(amount, currency)


def history(facts: Iterable[Fact], settings: OracleSettings) -> Deal:
    """Walk through the events of one deal in event order."""
    walk = _Walk()
    for fact in facts:
        walk.step(fact, money_of(fact, settings))
    return walk.deal


class _Walk:
    def __init__(self) -> None:
        self.deal = Deal()
        self.created_ms: int | None = None
        self.last_amount = 0
        self.last_cost = 0
        self.stands_as_won = False

    def step(self, fact: Fact, money: Money) -> None:
        if fact.type == "deal.created":
            self.created_ms = fact.at_ms if self.created_ms is None else self.created_ms
            self._remember(money)
        elif fact.type == "deal.amended" or (fact.type == "deal.won" and self.stands_as_won):
            self.deal.amendments.append(fact)
            self._remember(money)
            if self.deal.sales:
                restate(self.deal.sales[-1], money)
        elif fact.type == "deal.won":
            self._remember(money)
            self.stands_as_won = True
            self.deal.sales.append(Sale(fact, self.last_amount, self.last_cost, money.parts, self.created_ms))
        elif fact.type == "deal.lost":
            self.stands_as_won = False
            self.deal.losses.append(fact)
        elif fact.type == "deal.returned":
            self._returned(fact, money)

    def _remember(self, money: Money) -> None:
        self.last_amount = self.last_amount if money.amount is None else money.amount
        self.last_cost = self.last_cost if money.cost is None else money.cost

    def _returned(self, fact: Fact, money: Money) -> None:
        sale = self.deal.sales[-1] if self.deal.sales else None
        amount = money.amount
        if amount is None:
            amount = sale.amount if sale else 0
        self.deal.returns.append(Return(fact, amount, money.cost or 0, money.parts, sale))


def restate(sale: Sale, money: Money) -> None:
    """Change a sale by an amendment: its sums, and the products they belong to where that is known (14)."""
    sale.amount = sale.amount if money.amount is None else money.amount
    sale.cost = sale.cost if money.cost is None else money.cost
    if money.parts:
        sale.parts = money.parts
    elif len(sale.parts) == 1:
        (part,) = sale.parts.values()
        part.amount, part.cost = sale.amount, sale.cost
