"""An account's history: what its events, taken in order of event time, add to the cells.

Leads, deals and sales interact (cohorts, first purchase, cycle, customer class), so what an account contributes is a
pure function of its events in order. :class:`History` is that function, one event at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from schemas.kpi import escape
from schemas.rows import EVENT_TYPES, KIND, Row
from streams.dimensions import Dims
from streams.fold import deals as deal_events
from streams.fold.accumulator import Accumulator
from streams.fold.customer import Customer
from streams.fold.deals import Deals, Sale
from streams.fold.goals import definition
from streams.fold.items import Products, each
from streams.fold.leads import Leads, ceil_seconds

_SOURCE: Final = 3
_CHANNEL: Final = 4


class History:
    """State of one account after some of its events in order of event time.

    Args:
        out: Where contributions go.
        amended: ``event_hash`` of a win -> products of its sale as amendments among the events leave it, where they are
            others than the win's. Buyers, first purchase and cycle by product are counted under those from the start.
    """

    __slots__ = (
        "_amended",
        "_bought",
        "_customer",
        "_deals",
        "_first_talk_ms",
        "_goal",
        "_leads",
        "_out",
        "dims",
    )

    def __init__(self, out: Accumulator, amended: Mapping[int, Products]) -> None:
        self._out = out
        self._amended = amended
        self.dims: list[str | None] = list(out.unknown)
        # Most accounts never come to a deal: what they do not need they do not hold.
        self._leads = Leads(out)
        self._deals: Deals | None = None
        self._customer: Customer | None = None
        self._first_talk_ms: int | None = None
        self._bought: dict[str, tuple[int, int | None]] = {}
        self._goal = ""

    @property
    def amended(self) -> Mapping[int, Products]:
        """Products that amendments leave sales with, by the hash of the win."""
        return self._deals.amended if self._deals is not None else {}

    @property
    def first_talk_ms(self) -> int | None:
        """Event time of the first conversation."""
        return self._first_talk_ms

    def redistributes(self, row: Row) -> bool:
        """Tell whether the next event would bring a sale to other products than those it was counted under."""
        return self._deals is not None and self._deals.redistributes(row)

    def apply(self, row: Row) -> None:
        """Take the next event: remember what it states, add what it contributes."""
        kind = row.kind
        if kind in _DEAL_EVENTS:
            self._take_deal(row)
            return
        if kind not in REPLAYED:
            self.state(row)
            if kind in _CONVERSATIONS and is_conversation(row):
                self._talk(row)
            return
        self.state(row)
        dims = tuple(self.dims)
        self._out.event(row, dims)
        handler = _HANDLERS.get(row.kind)
        if handler is not None:
            handler(self, row, dims)

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
        dimensions = self._out.plan.dimensions
        if dimensions.own:
            for index, value in zip(dimensions.own, dimensions.stated_own(row), strict=True):
                if value is not None:
                    dims[index] = value

    # Events. A kind that only states dimensions has no handler.

    def _take_deal(self, row: Row) -> None:
        deals = self._deals
        if deals is None:
            deals = self._deals = Deals(self._out)
        deal = deals.of(row)
        self.state(row)
        # An event's dimensions: its own, else its deal's last, else the account's last.
        stated = [own if own is not None else old for own, old in zip(self._out.stated(row), deal.stated, strict=True)]
        dims = tuple([own if own is not None else last for own, last in zip(stated, self.dims, strict=True)])
        deal.stated = tuple(stated)
        self._out.event(row, dims)
        handler = _DEAL_HANDLERS.get(row.kind)
        if handler is not None:
            sale = handler(deals, row, dims, deal)
            if sale is not None and sale.step < 0:
                sale.step = self._purchase(sale, deal.created_ms)
            elif sale is not None:
                self._as_customer().restate(sale.step, sale.amount, sale.cost)
        elif row.kind == _RETURNED:
            self._as_customer().returned(row.at_ms, *deals.returned(row, dims, deal))
        deals.move(row, dims, deal)

    def _lead_created(self, row: Row, dims: Dims) -> None:
        self._leads.created(row, dims)

    def _lead_moved(self, row: Row, dims: Dims) -> None:
        self._leads.moved(row, dims)

    def _lead_qualified(self, row: Row, dims: Dims) -> None:
        self._leads.qualified(row, dims)

    def _lead_disqualified(self, row: Row, dims: Dims) -> None:
        self._leads.disqualified(row, dims)

    def _talk(self, row: Row, _dims: Dims = ()) -> None:
        if self._first_talk_ms is None:
            self._first_talk_ms = row.at_ms

    def _churned(self, row: Row, _dims: Dims) -> None:
        if self._customer is not None:
            self._customer.churned(row.at_ms)

    def _target_set(self, row: Row, _dims: Dims) -> None:
        """Let the last definition of a goal hold: it is a measure named after it, counted once, whatever the time."""
        key, before, self._goal = f"target={escape(row.ref or '')}", self._goal, definition(row)
        if before:
            self._out.add(key, 0, before, -self._out.sign)
        if self._goal:
            self._out.add(key, 0, self._goal, self._out.sign)

    # Purchases

    def _as_customer(self) -> Customer:
        if self._customer is None:
            self._customer = Customer(self._out)
        return self._customer

    def _purchase(self, sale: Sale, created_ms: int | None) -> int:
        """Add what follows from a purchase: cycle, conversion, first purchase, buyers, the customer's stay."""
        out, at_ms, lead = self._out, sale.at_ms, self._leads.latest
        products = self._amended.get(sale.win, sale.products)
        if created_ms is not None:
            self._add_duration("cycle", sale, products, (at_ms - created_ms) // 1000)
        dims = list(sale.dims)
        if lead is not None:
            dims[_SOURCE], dims[_CHANNEL] = lead.dims[_SOURCE], lead.dims[_CHANNEL]
        if sale.customer_class == "new":
            if self._first_talk_ms is not None:
                self._add_duration("contact_to_sale", sale, products, (at_ms - self._first_talk_ms) // 1000)
            bought_s = ceil_seconds(at_ms)
            split = each(products, bought_s)
            out.fact(out.plan.counting("first_purchase"), at_ms, dims, (bought_s,), products=split)
        self._leads.purchase(at_ms, sale.dims)
        for key in out.buyer_keys(sale.dims, products):
            last_ms, before_ms = self._bought.get(key, (None, None))
            out.buyer(key, at_ms, last_ms, before_ms)
            self._bought[key] = (at_ms, last_ms)
        return self._as_customer().sale(at_ms, sale.amount, sale.cost, tuple(dims))

    def _add_duration(self, fact: str, sale: Sale, products: Products, seconds: int) -> None:
        counting = self._out.plan.counting(fact)
        self._out.fact(counting, sale.at_ms, sale.dims, (seconds,), products=each(products, seconds))


_HANDLERS: Final[Mapping[int, Callable[[History, Row, Dims], None]]] = {
    KIND["lead.created"]: History._lead_created,
    KIND["lead.contacted"]: History._talk,
    KIND["lead.stage_changed"]: History._lead_moved,
    KIND["lead.qualified"]: History._lead_qualified,
    KIND["lead.disqualified"]: History._lead_disqualified,
    KIND["service.churned"]: History._churned,
    KIND["target.set"]: History._target_set,
}
_DEAL_HANDLERS: Final = {KIND[name]: handler for name, handler in deal_events.HANDLERS.items()}
_DEAL_EVENTS: Final = frozenset(index for index, name in enumerate(EVENT_TYPES) if name.startswith("deal."))
_RETURNED: Final = KIND["deal.returned"]

REPLAYED: Final = frozenset(
    index
    for index, name in enumerate(EVENT_TYPES)
    if name.startswith(("lead.", "deal.")) or name in ("service.churned", "target.set")
)
"""Kinds whose contributions are worked out anew when an earlier event comes late; they are kept as they came."""

_CALL: Final = KIND["call.completed"]
_CONVERSATIONS: Final = frozenset({_CALL, KIND["email.replied"]})


def is_conversation(row: Row) -> bool:
    """Tell whether an event that is not replayed for itself is a conversation."""
    return row.kind in _CONVERSATIONS and (row.kind != _CALL or row.label2 == "connected")
