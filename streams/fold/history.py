"""An account's history: what its events, taken in order of event time, add to the cells.

Leads, deals and sales interact (cohorts, first purchase, cycle, customer class), so what an account contributes is a
pure function of its events in order. :class:`History` is that function, one event at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from schemas.rows import EVENT_TYPES, KIND, Row
from streams.fold.accumulator import Accumulator, Dims
from streams.fold.items import Products, amended_products, amount_of_items, cost_of_items, each, first, names, splits

_UNKNOWN: Final[tuple[str | None, ...]] = (None,) * 6
_SOURCE: Final = 3
_CHANNEL: Final = 4
_WON: Final = KIND["deal.won"]
_AMENDED: Final = KIND["deal.amended"]


class Lead(msgspec.Struct, gc=False):
    """The lead that a purchase would convert: when it was created, and where it came from."""

    created_ms: int
    source: str | None
    channel: str | None
    converted: bool = False


class Sale(msgspec.Struct, gc=False):
    """A deal as it stands as won; ``products`` is None when it was sold without items."""

    win: int
    at_ms: int
    dims: Dims
    customer_class: str
    amount: int
    cost: int
    products: Products


class Deal(msgspec.Struct):
    """What later events of a deal need of the earlier ones."""

    stated: list[str | None]
    created_ms: int | None = None
    amount: int | None = None
    cost: int | None = None
    sale: Sale | None = None
    stands_won: bool = False


class History:
    """State of one account after some of its events in order of event time.

    Args:
        out: Where contributions go.
        amended: ``event_hash`` of a win -> products of its sale as amendments among the events leave it, where they are
            others than the win's. Buyers, first purchase and cycle by product are counted under those from the start.
    """

    __slots__ = (
        "_amended",
        "_out",
        "amended",
        "bought",
        "deals",
        "dims",
        "first_talk_ms",
        "lead",
        "leads",
        "purchases",
    )

    def __init__(self, out: Accumulator, amended: Mapping[int, Products]) -> None:
        self._out = out
        self._amended = amended
        self.amended: dict[int, Products] = {}
        self.dims: list[str | None] = list(_UNKNOWN)
        self.leads: set[str] = set()
        self.lead: Lead | None = None
        self.deals: dict[str, Deal] = {}
        self.first_talk_ms: int | None = None
        self.purchases = 0
        self.bought: dict[str, tuple[int, int | None]] = {}

    def apply(self, row: Row) -> None:
        """Take the next event: remember what it states, add what it contributes."""
        handler = _HANDLERS[row.kind]
        if handler is None:
            self.state(row)
        else:
            handler(self, row)

    def redistributes(self, row: Row) -> bool:
        """Tell whether the next event would bring a sale to other products than those it was counted under."""
        deal = self.deals.get(row.ref or "")
        if deal is None or deal.sale is None or not row.items:
            return False
        restates = row.kind == _AMENDED or (row.kind == _WON and deal.stands_won)
        return restates and names(splits(row, units=True)) != names(deal.sale.products)

    def state(self, row: Row) -> None:
        """Remember the dimensions an event states."""
        dims = self.dims
        if row.rep is not None:
            dims[0] = row.rep
        if row.team is not None:
            dims[1] = row.team
        if row.region is not None:
            dims[2] = row.region
        if row.source is not None:
            dims[3] = row.source
        if row.channel is not None:
            dims[4] = row.channel
        if row.product is not None:
            dims[5] = row.product

    def _resolve(self, row: Row, stated_before: Sequence[str | None] = _UNKNOWN) -> list[str | None]:
        """Return an event's dimensions: its own, else its deal's last, else the account's last."""
        stated = (row.rep, row.team, row.region, row.source, row.channel, row.product)
        self.state(row)
        return [
            own if own is not None else deals if deals is not None else account
            for own, deals, account in zip(stated, stated_before, self.dims, strict=True)
        ]

    def _deal(self, row: Row) -> Deal:
        key = row.ref or ""
        deal = self.deals.get(key)
        if deal is None:
            deal = self.deals[key] = Deal(list(_UNKNOWN))
        return deal

    def _resolve_deal(self, row: Row, deal: Deal) -> list[str | None]:
        dims = self._resolve(row, deal.stated)
        stated = (row.rep, row.team, row.region, row.source, row.channel, row.product)
        deal.stated = [own if own is not None else before for own, before in zip(stated, deal.stated, strict=True)]
        return dims

    # Events, one handler each; a kind without one only states dimensions.

    def _lead_created(self, row: Row) -> None:
        dims = self._resolve(row)
        lead_id = row.ref or row.account
        if lead_id in self.leads:
            return
        self.leads.add(lead_id)
        self.lead = Lead(row.at_ms, dims[_SOURCE], dims[_CHANNEL])
        self._add("lead", row.at_ms, dims)

    def _plain(self, row: Row) -> None:
        self._add(EVENT_TYPES[row.kind], row.at_ms, self._resolve(row))

    def _plain_of_deal(self, row: Row) -> None:
        self._add(EVENT_TYPES[row.kind], row.at_ms, self._resolve_deal(row, self._deal(row)))

    def _talk(self, row: Row) -> None:
        self.state(row)
        if self.first_talk_ms is None:
            self.first_talk_ms = row.at_ms

    def _call(self, row: Row) -> None:
        if row.label2 == "connected":
            self._talk(row)
        else:
            self.state(row)

    def _deal_created(self, row: Row) -> None:
        deal = self._deal(row)
        self._resolve_deal(row, deal)
        if deal.created_ms is None:
            deal.created_ms = row.at_ms
        deal.amount = row.amount if row.amount is not None else deal.amount
        deal.cost = row.cost if row.cost is not None else deal.cost

    def _deal_noted(self, row: Row) -> None:
        self._resolve_deal(row, self._deal(row))

    def _deal_lost(self, row: Row) -> None:
        deal = self._deal(row)
        deal.stands_won = False
        self._add("loss", row.at_ms, self._resolve_deal(row, deal))

    def _deal_won(self, row: Row) -> None:
        deal = self._deal(row)
        dims = self._resolve_deal(row, deal)
        if deal.stands_won:
            self._restate(row, deal)
            return
        amount = first(row.amount, amount_of_items(row), deal.amount, 0)
        cost = first(row.cost, cost_of_items(row), deal.cost, 0)
        deal.amount, deal.cost = amount, cost
        customer_class = "returning" if self.purchases else "new"
        sale = Sale(row.event_hash, row.at_ms, dims, customer_class, amount, cost, splits(row, units=True))
        deal.sale, deal.stands_won = sale, True
        self._count_sale(sale, 1)
        self._purchase(sale, deal)

    def _purchase(self, sale: Sale, deal: Deal) -> None:
        """Add what follows from a purchase: cycle, conversion, first purchase, buyers."""
        out, at_ms = self._out, sale.at_ms
        products = self._amended.get(sale.win, sale.products)
        if deal.created_ms is not None:
            self._add_duration("cycle", sale, products, (at_ms - deal.created_ms) // 1000)
        if not self.purchases:
            if self.first_talk_ms is not None:
                self._add_duration("contact_to_sale", sale, products, (at_ms - self.first_talk_ms) // 1000)
            dims = list(sale.dims)
            if self.lead is not None:
                dims[_SOURCE], dims[_CHANNEL] = self.lead.source, self.lead.channel
            out.fact(out.plan.counting("first_purchase"), at_ms, dims, products=each(products))
        if self.lead is not None and not self.lead.converted:
            self.lead.converted = True
            dims = list(_UNKNOWN)
            dims[_SOURCE], dims[_CHANNEL] = self.lead.source, self.lead.channel
            out.fact(out.plan.counting("lead_to_sale"), at_ms, dims, ((at_ms - self.lead.created_ms) // 1000,))
        self.purchases += 1
        for key in out.buyer_keys(sale.dims, products):
            last_ms, before_ms = self.bought.get(key, (None, None))
            out.buyer(key, at_ms, last_ms, before_ms)
            self.bought[key] = (at_ms, last_ms)

    def _deal_amended(self, row: Row) -> None:
        deal = self._deal(row)
        self._resolve_deal(row, deal)
        if deal.sale is not None:
            self._restate(row, deal)
        else:
            deal.amount = first(row.amount, amount_of_items(row), deal.amount)
            deal.cost = first(row.cost, cost_of_items(row), deal.cost)

    def _restate(self, row: Row, deal: Deal) -> None:
        """Bring a sale to an amendment's amounts, in the window of the sale."""
        old = deal.sale
        if old is None:
            return
        told, told_cost = (row.amount, amount_of_items(row)), (row.cost, cost_of_items(row))
        amount, cost = first(*told, old.amount), first(*told_cost, old.cost)
        deal.amount, deal.cost = first(*told, deal.amount), first(*told_cost, deal.cost)
        products = amended_products(row, old.products, amount, cost)
        new = Sale(old.win, old.at_ms, old.dims, old.customer_class, amount, cost, products)
        deal.sale = new
        if row.items:
            self.amended[new.win] = products
        self._count_sale(old, -1)
        self._count_sale(new, 1)

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

    def _deal_returned(self, row: Row) -> None:
        deal = self._deal(row)
        dims = self._resolve_deal(row, deal)
        sale = deal.sale
        amount = first(row.amount, amount_of_items(row), sale.amount if sale else 0, 0)
        cost = first(row.cost, cost_of_items(row), 0)
        out = self._out
        counting = out.plan.counting("return", sale.customer_class if sale else None)
        products = tuple((p, 1, (q[0], q[1])) for p, _, q in splits(row, units=False) or ()) or None
        out.fact(counting, row.at_ms, dims, (amount, cost), products=products)
        if sale is not None:
            self._class_base(row.at_ms, dims, -amount, 0)

    def _add(self, fact: str, at_ms: int, dims: Dims) -> None:
        self._out.fact(self._out.plan.counting(fact), at_ms, dims)

    def _add_duration(self, fact: str, sale: Sale, products: Products, seconds: int) -> None:
        counting = self._out.plan.counting(fact)
        self._out.fact(counting, sale.at_ms, sale.dims, (seconds,), products=each(products, seconds))


_Handler = Callable[[History, Row], None]


def _handlers() -> tuple[_Handler | None, ...]:
    """Kind of event -> handler; None: it only states dimensions here."""
    handlers: dict[str, _Handler] = {
        "lead.created": History._lead_created,
        "lead.contacted": History._talk,
        "lead.qualified": History._plain,
        "call.completed": History._call,
        "email.replied": History._talk,
        "deal.created": History._deal_created,
        "deal.stage_changed": History._deal_noted,
        "deal.reassigned": History._deal_noted,
        "deal.quote_sent": History._plain_of_deal,
        "deal.quote_accepted": History._plain_of_deal,
        "deal.won": History._deal_won,
        "deal.lost": History._deal_lost,
        "deal.amended": History._deal_amended,
        "deal.returned": History._deal_returned,
        "deal.invoice_due": History._deal_noted,
        "deal.invoice_overdue": History._deal_noted,
        "deal.invoice_paid": History._deal_noted,
    }
    return tuple(handlers.get(name) for name in EVENT_TYPES)


_HANDLERS: Final = _handlers()

REPLAYED: Final = frozenset(
    index for index, name in enumerate(EVENT_TYPES) if name.startswith(("lead.", "deal.")) or name == "service.churned"
)
"""Kinds whose contributions are worked out anew when an earlier event comes late; they are kept as they came."""

_CONVERSATIONS: Final = frozenset({KIND["call.completed"], KIND["email.replied"]})


def is_conversation(row: Row) -> bool:
    """Tell whether an event that is not replayed for itself is a conversation."""
    return row.kind in _CONVERSATIONS and (row.kind != KIND["call.completed"] or row.label2 == "connected")
