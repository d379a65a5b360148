"""What every event adds to the additive measures, under each grouping: one `Contribution` each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.oracle.accounts import Account, account_of, lead_of
from tests.oracle.buyers import buyer_steps
from tests.oracle.dimensions import facts_by_account
from tests.oracle.events import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.oracle.deals import Part, Return, Sale
    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings

ALL6 = ("rep", "team", "region", "source", "channel", "product")
CUSTOMER_CLASSES = ("new", "returning")


class Contribution(NamedTuple):
    """`delta` added to a measure of the series `dims` ("" is the global one, else "rep=r-7") at an event time."""

    measure: str
    dims: str
    at_ms: int
    delta: int


class Line(NamedTuple):
    """A series under which a sale or return counts, with what of it counts there."""

    dims: str
    amount: int
    cost: int
    units: int


def contributions(objects: Iterable[Mapping[str, Any]], settings: OracleSettings) -> list[Contribution]:
    """All contributions of events (JSON objects in order of arrival); a delta may be 0."""
    found: list[Contribution] = []
    for name, facts in facts_by_account(read(objects, settings)).items():
        if name:
            found.extend(of_account(account_of(facts, settings), settings))
    return found


def of_account(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """What one account adds to the measures."""
    yield from _of_leads(account)
    yield from _of_calls(account.facts)
    yield from _of_emails(account.facts)
    yield from _of_quotes(account.facts)
    for deal in account.deals.values():
        for lost in deal.losses:
            yield from each("deals_lost", series(lost.dims, ALL6), lost.at_ms, 1)
    for sale in account.sales:
        yield from _of_sale(sale)
    for found in account.returns:
        yield from _of_return(found)
    if account.sales:
        yield from _of_first_purchase(account)
        yield from _of_conversions(account)
        yield from _of_buyers(account, settings)


def encode(value: str) -> str:
    """A dimension value as it stands in a series key."""
    for character in "%|=,":
        value = value.replace(character, f"%{ord(character):02X}")
    return value


def series(dims: Mapping[str, str], grouped_by: Iterable[str]) -> list[str]:
    """The global series and one for each dimension that has a value."""
    return ["", *(f"{name}={encode(dims[name])}" for name in grouped_by if name in dims)]


def each(measure: str, keys: Iterable[str], at_ms: int, delta: int) -> Iterator[Contribution]:
    """The same contribution to several series."""
    for dims in keys:
        yield Contribution(measure, dims, at_ms, delta)


def _of_leads(account: Account) -> Iterator[Contribution]:
    for lead in account.leads:
        yield from each("leads_created", series(lead.dims, ALL6), lead.at_ms, 1)
    for fact in account.facts:
        if fact.type == "lead.qualified":
            yield from each("leads_qualified", series(fact.dims, ALL6), fact.at_ms, 1)


def _of_calls(facts: list[Fact]) -> Iterator[Contribution]:
    for fact in facts:
        if fact.type != "call.completed":
            continue
        body = fact.body
        direction = {"direction": body["direction"]} if body.get("direction") else {}
        keys = series({**fact.dims, **direction}, ("rep", "team", "direction"))
        yield from each("calls", keys, fact.at_ms, 1)
        if body.get("outcome") == "connected":
            yield from each("calls_connected", keys, fact.at_ms, 1)
            yield from each("talk_seconds", keys, fact.at_ms, int(body.get("duration_s") or 0))
        if body.get("direction") == "inbound" and body.get("purpose") in ("price", "information"):
            yield from each("price_inquiries", series(fact.dims, ("channel", "rep")), fact.at_ms, 1)


def _of_emails(facts: list[Fact]) -> Iterator[Contribution]:
    opened: set[str] = set()
    for fact in facts:
        if fact.type not in ("email.sent", "email.delivered", "email.opened"):
            continue
        if fact.type == "email.opened":
            if fact.body["message_id"] in opened:
                continue
            opened.add(fact.body["message_id"])
        keys = series(fact.dims, ("rep", "team", "source"))
        yield from each(f"emails_{fact.type.partition('.')[2]}", keys, fact.at_ms, 1)


def _of_quotes(facts: list[Fact]) -> Iterator[Contribution]:
    for fact in facts:
        if fact.type in ("deal.quote_sent", "deal.quote_accepted"):
            measure = "quotes_sent" if fact.type == "deal.quote_sent" else "quotes_accepted"
            yield from each(measure, series(fact.dims, ("rep", "product")), fact.at_ms, 1)


def _lines(dims: Mapping[str, str], amount: int, cost: int, parts: Mapping[str, Part]) -> list[Line]:
    """The series of a sale or return: each product with its part of it, all others with the whole.

    Without items it is one unit of its product.
    """
    units = sum(part.units for part in parts.values()) if parts else 1
    lines = [Line(key, amount, cost, units) for key in series(dims, ALL6[:-1])]
    if parts:
        lines += [Line(f"product={encode(p)}", part.amount, part.cost, part.units) for p, part in parts.items() if p]
    elif "product" in dims:
        lines.append(Line(f"product={encode(dims['product'])}", amount, cost, units))
    return lines


def sale_lines(sale: Sale) -> list[Line]:
    """The series under which a sale counts."""
    return _lines(sale.won.dims, sale.amount, sale.cost, sale.parts)


def _of_sale(sale: Sale) -> Iterator[Contribution]:
    at_ms = sale.won.at_ms
    lines = sale_lines(sale)
    whole = Line(f"customer_class={sale.customer_class}", sale.amount, sale.cost, 0)
    for line in [*lines, whole]:
        yield Contribution("deals_won", line.dims, at_ms, 1)
        yield Contribution("won_amount", line.dims, at_ms, line.amount)
        yield Contribution("won_cost", line.dims, at_ms, line.cost)
    for line in lines:
        if line.dims == "" or line.dims.startswith("product="):
            yield Contribution("won_units", line.dims, at_ms, line.units)
    yield from each("class_revenue_base", _class_keys(), at_ms, sale.amount)
    yield from each("class_deals_base", _class_keys(), at_ms, 1)
    if sale.created_ms is not None:
        yield from _duration("sales_cycle", [line.dims for line in lines], sale.created_ms, at_ms)


def _of_return(found: Return) -> Iterator[Contribution]:
    at_ms = found.returned.at_ms
    lines = _lines(found.returned.dims, found.amount, found.cost, found.parts)
    classes = [f"customer_class={found.sale.customer_class}"] if found.sale else []
    for line in [*lines, *(Line(key, found.amount, found.cost, 0) for key in classes)]:
        yield Contribution("returns", line.dims, at_ms, 1)
        yield Contribution("returned_amount", line.dims, at_ms, line.amount)
        yield Contribution("returned_cost", line.dims, at_ms, line.cost)
    if found.sale:
        yield from each("class_revenue_base", _class_keys(), at_ms, -found.amount)


def _class_keys() -> list[str]:
    return [f"customer_class={name}" for name in CUSTOMER_CLASSES]


def _duration(measure: str, keys: list[str], start_ms: int, end_ms: int) -> Iterator[Contribution]:
    """A duration in whole seconds, cut off, at its end; each contribution to `_seconds` is one sample."""
    yield from each(f"{measure}_seconds", keys, end_ms, (end_ms - start_ms) // 1000)
    yield from each(f"{measure}_count", keys, end_ms, 1)


def customer_keys(account: Account) -> list[str]:
    """Series of a customer: source and channel of the lead before the first purchase, the rest of that purchase (9)."""
    sale = account.sales[0]
    lead = lead_of(account, sale.won)
    origin = (lead or sale.won).dims
    keys = [line.dims for line in sale_lines(sale) if not line.dims.startswith(("source=", "channel="))]
    return [*keys, *series(origin, ("source", "channel"))[1:]]


def _of_first_purchase(account: Account) -> Iterator[Contribution]:
    sale = account.sales[0]
    yield from each("new_customers", customer_keys(account), sale.won.at_ms, 1)
    before = [fact for fact in account.conversations if fact.order < sale.won.order]
    if before:
        keys = [line.dims for line in sale_lines(sale)]
        yield from _duration("first_contact_to_sale", keys, before[0].at_ms, sale.won.at_ms)


def conversions(account: Account) -> list[tuple[Fact, Sale]]:
    """Leads with the win that converted them: a win converts the latest lead before it, each lead once (23)."""
    converted: dict[str, tuple[Fact, Sale]] = {}
    for sale in account.sales:
        lead = lead_of(account, sale.won)
        if lead is not None:
            converted.setdefault(lead.order[2], (lead, sale))
    return list(converted.values())


def _of_conversions(account: Account) -> Iterator[Contribution]:
    for lead, sale in conversions(account):
        yield from _duration("time_to_convert", series(lead.dims, ("source", "channel")), lead.at_ms, sale.won.at_ms)


def _of_buyers(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    times: dict[str, list[int]] = {}
    for sale in account.sales:
        for line in sale_lines(sale):
            times.setdefault(line.dims, []).append(sale.won.at_ms)
    for dims, purchases in times.items():
        for measure, at_ms, delta in buyer_steps(purchases, settings):
            yield Contribution(measure, dims, at_ms, delta)
