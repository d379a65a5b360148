"""What is counted as it comes: visits, forms, carts, spend, service, invoices, amendments, activity."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from tests.oracle.contributions import Contribution, each, sale_lines, series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.accounts import Account
    from tests.oracle.dimensions import Fact
    from tests.oracle.settings import OracleSettings

POINTS = {"call.completed": 1, "email.sent": 1, "lead.stage_changed": 2, "deal.stage_changed": 2, "deal.won": 10}
_COUNTED = {
    "web.visit": ("visits", ("source", "channel")),
    "web.form_submitted": ("forms_received", ("source", "channel")),
    "web.cart_created": ("carts_created", ("source", "channel")),
    "web.cart_abandoned": ("abandoned_carts", ("source", "channel")),
    "service.complaint": ("complaints", ("rep", "product")),
}


def of_occurrences(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """Contributions of one account's events, one by one."""
    for fact in account.facts:
        if fact.type in _COUNTED:
            measure, grouped_by = _COUNTED[fact.type]
            yield from each(measure, series(fact.dims, grouped_by), fact.at_ms, 1)
        if fact.type == "web.visit":
            # Of a source that has visits, none of them by an advertisement, the number of those is known: 0.
            by_advertisement = int(fact.body.get("advertisement") or False)
            yield from each("ad_visits", series(fact.dims, ("source", "channel")), fact.at_ms, by_advertisement)
        if fact.type == "service.satisfaction":
            keys = series(fact.dims, ("rep", "product"))
            yield from each("satisfaction_thousandths", keys, fact.at_ms, _thousandths(fact, settings))
            yield from each("satisfaction_count", keys, fact.at_ms, 1)
    for deal in account.deals.values():
        for fact in deal.amendments:
            yield from each("amendments", series(fact.dims, ("rep", "product")), fact.at_ms, 1)
    yield from _of_invoices(account.facts, settings)
    yield from _of_activity(account, settings)


def _thousandths(fact: Fact, settings: OracleSettings) -> int:
    """A score brought to the scale of the settings, in thousandths, half up."""
    scale = fact.body.get("scale") or settings.satisfaction_scale
    exact = Decimal(str(fact.body["score"])) * settings.satisfaction_scale * 1000 / Decimal(str(scale))
    return int(exact.to_integral_value(rounding=ROUND_HALF_UP))


def _of_invoices(facts: list[Fact], settings: OracleSettings) -> Iterator[Contribution]:
    overdue: dict[tuple[str | None, str], list[tuple[list[str], int, int]]] = defaultdict(list)
    for fact in facts:
        if not fact.type.startswith("deal.invoice_"):
            continue
        invoice = (fact.deal, fact.body.get("invoice_id") or "")
        if fact.type == "deal.invoice_paid":
            for keys, at_ms, amount in overdue.pop(invoice, ()):
                yield from each("overdue_amount", keys, at_ms, -amount)
            continue
        keys = series(fact.dims, ("rep",))
        amount = settings.convert(fact.body["amount"], fact.body.get("currency"))
        if fact.type == "deal.invoice_due":
            yield from each("due_amount", keys, fact.at_ms, amount)
        else:
            overdue[invoice].append((keys, fact.at_ms, amount))
            yield from each("overdue_amount", keys, fact.at_ms, amount)


def _of_activity(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    points = {**POINTS, **settings.points}
    counted = [(fact.type, series(fact.dims, ("rep", "team")), fact.at_ms) for fact in account.facts]
    counted = [found for found in counted if found[0] != "deal.won"]
    for sale in account.sales:
        keys = [line.dims for line in sale_lines(sale) if not line.dims or line.dims.startswith(("rep=", "team="))]
        counted.append(("deal.won", keys, sale.won.at_ms))
    for name, keys, at_ms in counted:
        if name in POINTS:
            yield from each("activity", keys, at_ms, 1)
        if points.get(name):
            yield from each("points", keys, at_ms, points[name])


def of_spend(facts: list[Fact], settings: OracleSettings) -> Iterator[Contribution]:
    """Spend, all of it and that for winning customers, under the source it states."""
    for fact in facts:
        if fact.type == "spend.recorded":
            amount = settings.convert(fact.body["amount"], fact.body.get("currency"))
            keys = series(fact.dims, ("source",))
            yield from each("spend", keys, fact.at_ms, amount)
            if fact.body["category"] in ("marketing", "sales"):
                yield from each("acquisition_spend", keys, fact.at_ms, amount)
