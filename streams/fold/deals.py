"""An account's deals: open, won, amended, lost, returned, invoiced.

A sale counts in the window in which it was won, under the dimensions of the win; an amendment takes it back and counts
it anew. An open deal is a level that every event of the deal moves to its own dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from schemas.rows import KIND, Row
from streams.dimensions import Dims
from streams.fold.accumulator import Accumulator
from streams.fold.items import Products, amended_products, amount_of_items, cost_of_items, first, names, splits
from streams.fold.rules import ENTRY_STAGE

_WON: Final = KIND["deal.won"]
_LOST: Final = KIND["deal.lost"]
_CREATED: Final = KIND["deal.created"]
_MOVED: Final = KIND["deal.stage_changed"]
_AMENDED: Final = KIND["deal.amended"]


class Sale(msgspec.Struct, gc=False):
    """A deal as it stands as won; ``products`` is None when it was sold without items."""

    win: int
    at_ms: int
    dims: Dims
    customer_class: str
    amount: int
    cost: int
    products: Products
    step: int = -1


class _Position(msgspec.Struct, frozen=True, gc=False):
    """Where an open deal counts."""

    stage: str
    dims: Dims
    amount: int


class Deal(msgspec.Struct):
    """What later events of a deal need of the earlier ones."""

    stated: Dims
    created_ms: int | None = None
    amount: int | None = None
    cost: int | None = None
    sale: Sale | None = None
    stands_won: bool = False
    closed: bool = False
    stage: str | None = None
    position: _Position | None = None
    overdue: dict[str, list[tuple[int, Dims, int]]] = {}


class Deals:
    """Deals of one account, after some of its events in order of event time.

    Args:
        out: Where contributions go.
    """

    __slots__ = ("_deals", "_out", "amended", "wins")

    def __init__(self, out: Accumulator) -> None:
        self._out = out
        self._deals: dict[str, Deal] = {}
        self.amended: dict[int, Products] = {}
        self.wins = 0

    def of(self, row: Row) -> Deal:
        """Return the deal of an event."""
        key = row.ref or ""
        deal = self._deals.get(key)
        if deal is None:
            deal = self._deals[key] = Deal(self._out.unknown)
        return deal

    def redistributes(self, row: Row) -> bool:
        """Tell whether the next event would bring a sale to other products than those it was counted under."""
        deal = self._deals.get(row.ref or "")
        if deal is None or deal.sale is None or not row.items:
            return False
        restates = row.kind == _AMENDED or (row.kind == _WON and deal.stands_won)
        return restates and names(splits(row, units=True)) != names(deal.sale.products)

    def created(self, row: Row, _dims: Dims, deal: Deal) -> None:
        """Take a deal.created."""
        if deal.created_ms is None:
            deal.created_ms = row.at_ms
        deal.amount = row.amount if row.amount is not None else deal.amount
        deal.cost = row.cost if row.cost is not None else deal.cost

    def lost(self, row: Row, dims: Dims, deal: Deal) -> None:
        """Take a deal.lost."""
        deal.stands_won = False
        self._out.fact(self._out.plan.counting("loss"), row.at_ms, dims)

    def won(self, row: Row, dims: Dims, deal: Deal) -> Sale | None:
        """Take a deal.won; of a deal that stands as won it is an amendment.

        Returns:
            A sale of which the customer is to know, as of :meth:`changed`; ``step`` of a new one is not set yet.
        """
        if deal.stands_won:
            return self.changed(row, dims, deal)
        amount = first(row.amount, amount_of_items(row), deal.amount)
        cost = first(row.cost, cost_of_items(row), deal.cost)
        deal.amount, deal.cost = amount, cost
        customer_class = "returning" if self.wins else "new"
        sale = Sale(row.event_hash, row.at_ms, dims, customer_class, amount, cost, splits(row, units=True))
        deal.sale, deal.stands_won = sale, True
        self._count_sale(sale, 1)
        self.wins += 1
        self._out.announce(row, sale.dims, amount)
        return sale

    def changed(self, row: Row, dims: Dims, deal: Deal) -> Sale | None:
        """Take an amendment: before the win of the open amount, after it of the sale, in the window of the sale.

        Returns:
            The sale that was brought to other amounts.
        """
        self._out.fact(self._out.plan.counting("amendment"), row.at_ms, dims)
        told, told_cost = (row.amount, amount_of_items(row)), (row.cost, cost_of_items(row))
        old = deal.sale
        if old is None:
            deal.amount, deal.cost = first(*told, deal.amount), first(*told_cost, deal.cost)
            return None
        amount, cost = first(*told, old.amount), first(*told_cost, old.cost)
        deal.amount, deal.cost = first(*told, deal.amount), first(*told_cost, deal.cost)
        products = amended_products(row, old.products, amount, cost)
        new = msgspec.structs.replace(old, amount=amount, cost=cost, products=products)
        deal.sale = new
        if row.items:
            self.amended[new.win] = products
        self._count_sale(old, -1)
        self._count_sale(new, 1)
        return new

    def returned(self, row: Row, dims: Dims, deal: Deal) -> tuple[int, int]:
        """Take a deal.returned; returns amount and cost."""
        sale, out = deal.sale, self._out
        amount = first(row.amount, amount_of_items(row), sale.amount if sale else None)
        cost = first(row.cost, cost_of_items(row))
        counting = out.plan.counting("return", sale.customer_class if sale else None)
        out.fact(counting, row.at_ms, dims, (amount, cost), products=splits(row, units=False))
        if sale is not None:
            self._class_base(row.at_ms, dims, -amount, 0)
        return amount, cost

    def overdue(self, row: Row, dims: Dims, deal: Deal) -> None:
        """Take a deal.invoice_overdue."""
        amount = row.amount or 0
        deal.overdue.setdefault(row.label or "", []).append((row.at_ms, dims, amount))
        self._out.fact(self._out.plan.counting("overdue"), row.at_ms, dims, (amount,))

    def paid(self, row: Row, _dims: Dims, deal: Deal) -> None:
        """Take a deal.invoice_paid: what was overdue of that invoice is taken out again where it was counted."""
        for at_ms, counted, amount in deal.overdue.pop(row.label or "", ()):
            self._out.fact(self._out.plan.counting("overdue"), at_ms, counted, (-amount,), 0)

    def move(self, row: Row, dims: Dims, deal: Deal) -> None:
        """Bring an open deal to the stage, dimensions and amount that an event leaves it with; close it in the end."""
        if deal.closed:
            return
        if row.kind == _CREATED and deal.stage is None:
            deal.stage = row.label or ENTRY_STAGE
        elif row.kind == _MOVED and deal.stage is not None:
            deal.stage = row.label
        deal.closed = row.kind in (_WON, _LOST)
        old, new = deal.position, None
        if deal.stage is not None and not deal.closed:
            new = _Position(deal.stage, dims, deal.amount or 0)
        if new == old:
            return
        deal.position = new
        if old is not None:
            counting = self._out.plan.counting("open_deal", old.stage)
            self._out.fact(counting, row.at_ms, old.dims, (-old.amount, 0), -1)
        if new is not None:
            self._out.fact(self._out.plan.counting("open_deal", new.stage), row.at_ms, new.dims, (new.amount, 1))

    def _count_sale(self, sale: Sale, sign: int) -> None:
        out = self._out
        units = sum(parts[2] for _, _, parts in sale.products) if sale.products else 1
        quantities = (sale.amount * sign, sale.cost * sign, units * sign)
        products: Products = None
        if sale.products is not None:
            products = tuple((product, n * sign, tuple(q * sign for q in parts)) for product, n, parts in sale.products)
        out.fact(out.plan.counting("sale", sale.customer_class), sale.at_ms, sale.dims, quantities, sign, products)
        self._class_base(sale.at_ms, sale.dims, sale.amount * sign, sign)

    def _class_base(self, at_ms: int, dims: Dims, amount: int, deals: int) -> None:
        for customer_class in ("new", "returning"):
            self._out.fact(self._out.plan.counting("class_base", customer_class), at_ms, dims, (amount, deals))


Handler = Callable[[Deals, Row, Dims, Deal], Sale | None]

HANDLERS: Final[Mapping[str, Handler]] = {
    "deal.created": Deals.created,
    "deal.won": Deals.won,
    "deal.lost": Deals.lost,
    "deal.amended": Deals.changed,
    "deal.invoice_overdue": Deals.overdue,
    "deal.invoice_paid": Deals.paid,
}
"""Event type -> handler, which returns a sale of which the customer is to know; other events only move a deal."""
