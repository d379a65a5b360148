"""An account's history: what its events, taken in order of event time, add to the cells.

Leads, deals and sales interact (cohorts, first purchase, cycle, customer class), so what an account contributes is a
pure function of its events in order. :class:`History` is that function, one event at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from schemas.rows import EVENT_TYPES, KIND, Row
from streams.accumulator import Accumulator, Dims, Split

_UNKNOWN: Final[tuple[str | None, ...]] = (None,) * 6
_SOURCE: Final = 3
_CHANNEL: Final = 4
_PRODUCT: Final = 5


class Lead(msgspec.Struct, gc=False):
    """The lead that a purchase would convert: when it was created, and where it came from."""

    created_ms: int
    source: str | None
    channel: str | None
    converted: bool = False


class Sale(msgspec.Struct, gc=False):
    """A deal as it stands as won; ``products`` is None when it was sold without items."""

    at_ms: int
    dims: Dims
    customer_class: str
    amount: int
    cost: int
    products: tuple[Split, ...] | None


class Deal(msgspec.Struct):
    """What later events of a deal need of the earlier ones."""

    stated: list[str | None]
    created_ms: int | None = None
    amount: int | None = None
    cost: int | None = None
    sale: Sale | None = None
    stands_won: bool = False


class History:
    """State of one account after some of its events in order of event time."""

    __slots__ = ("_out", "bought", "deals", "dims", "first_talk_ms", "lead", "leads", "purchases")

    def __init__(self, out: Accumulator) -> None:
        self._out = out
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
        amount = _first(row.amount, _amount_of_items(row), deal.amount, 0)
        cost = _first(row.cost, _cost_of_items(row), deal.cost, 0)
        deal.amount, deal.cost = amount, cost
        customer_class = "returning" if self.purchases else "new"
        sale = Sale(row.at_ms, dims, customer_class, amount, cost, _splits(row, units=True))
        deal.sale, deal.stands_won = sale, True
        self._count_sale(sale, 1)
        self._purchase(sale, deal)

    def _purchase(self, sale: Sale, deal: Deal) -> None:
        """Add what follows from a purchase: cycle, conversion, first purchase, buyers."""
        out, at_ms, products = self._out, sale.at_ms, sale.products
        once = tuple((product, 1, ()) for product in dict.fromkeys(p for p, _, _ in products)) if products else None
        if deal.created_ms is not None:
            self._add_duration("cycle", sale, (at_ms - deal.created_ms) // 1000)
        if not self.purchases:
            if self.first_talk_ms is not None:
                self._add_duration("contact_to_sale", sale, (at_ms - self.first_talk_ms) // 1000)
            dims = list(sale.dims)
            if self.lead is not None:
                dims[_SOURCE], dims[_CHANNEL] = self.lead.source, self.lead.channel
            out.fact(out.plan.counting("first_purchase"), at_ms, dims, products=once)
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
            deal.amount = _first(row.amount, _amount_of_items(row), deal.amount)
            deal.cost = _first(row.cost, _cost_of_items(row), deal.cost)

    def _restate(self, row: Row, deal: Deal) -> None:
        """Bring a sale to an amendment's amounts, in the window of the sale."""
        old = deal.sale
        if old is None:
            return
        amount = _first(row.amount, _amount_of_items(row), old.amount)
        cost = _first(row.cost, _cost_of_items(row), old.cost)
        new = Sale(old.at_ms, old.dims, old.customer_class, amount, cost, _amended_products(row, old, amount, cost))
        deal.sale, deal.amount, deal.cost = new, amount, cost
        self._count_sale(old, -1)
        self._count_sale(new, 1)

    def _count_sale(self, sale: Sale, sign: int) -> None:
        out = self._out
        units = sum(parts[2] for _, _, parts in sale.products) if sale.products else 1
        quantities = (sale.amount * sign, sale.cost * sign, units * sign)
        products: tuple[Split, ...] | None = None
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
        amount = _first(row.amount, _amount_of_items(row), sale.amount if sale else 0, 0)
        cost = _first(row.cost, _cost_of_items(row), 0)
        out = self._out
        counting = out.plan.counting("return", sale.customer_class if sale else None)
        products = tuple((p, 1, (q[0], q[1])) for p, _, q in _splits(row, units=False) or ()) or None
        out.fact(counting, row.at_ms, dims, (amount, cost), products=products)
        if sale is not None:
            self._class_base(row.at_ms, dims, -amount, 0)

    def _add(self, fact: str, at_ms: int, dims: Dims) -> None:
        self._out.fact(self._out.plan.counting(fact), at_ms, dims)

    def _add_duration(self, fact: str, sale: Sale, seconds: int) -> None:
        products = None
        if sale.products is not None:
            names = dict.fromkeys(product for product, _, _ in sale.products)
            products = tuple((product, 1, (seconds,)) for product in names)
        self._out.fact(self._out.plan.counting(fact), sale.at_ms, sale.dims, (seconds,), products=products)


def _first(*candidates: int | None) -> int:
    """Return the first that is known."""
    return next((candidate for candidate in candidates if candidate is not None), 0)


def _amount_of_items(row: Row) -> int | None:
    """Return the sum of the items' amounts; None where no item tells one."""
    told = [item[2] for item in row.items or () if item[2] is not None]
    return sum(told) if told else None


def _cost_of_items(row: Row) -> int | None:
    """Return the sum of the items' costs; None where no item tells one."""
    told = [item[3] for item in row.items or () if item[3] is not None]
    return sum(told) if told else None


def _splits(row: Row, *, units: bool) -> tuple[Split, ...] | None:
    """Return what falls to each product of a sale or return with items: count 1, amount, cost and units."""
    if not row.items:
        return None
    by_product: dict[str | None, list[int]] = {}
    for product, quantity, amount, cost in row.items:
        sums = by_product.setdefault(product, [0, 0, 0])
        sums[0] += amount or 0
        sums[1] += cost or 0
        sums[2] += quantity
    return tuple((product, 1, tuple(sums if units else sums[:2])) for product, sums in by_product.items())


def _amended_products(row: Row, old: Sale, amount: int, cost: int) -> tuple[Split, ...] | None:
    """Return the products of an amended sale: of new items; one product follows the sale; several stay as they were."""
    if row.items:
        return _splits(row, units=True)
    if old.products is not None and len(old.products) == 1:
        product, count, (_, _, units) = old.products[0]
        return ((product, count, (amount, cost, units)),)
    return old.products


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
