"""Customers over time: when they come and go, what they are worth, and how long they stay (kpis.md, 9 and 29-33)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.contributions import Contribution, customer_keys, each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.accounts import Account
    from tests.oracle.settings import OracleSettings

Interval = tuple[int, int]


def of_customer(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """Contributions of one account as a customer; without a purchase its returns count globally only."""
    keys = [""]
    if account.sales:
        keys = [key for key in customer_keys(account) if not key or key.startswith(("source=", "channel="))]
    for at_ms, revenue, cost in _worth(account):
        yield from each("customer_revenue", keys, at_ms, revenue)
        yield from each("customer_margin", keys, at_ms, revenue - cost)
    for start_ms, end_ms in customer_stays(account, settings):
        yield from _of_stay(account, keys, start_ms, end_ms)


def _of_stay(account: Account, keys: list[str], start_ms: int, end_ms: int) -> Iterator[Contribution]:
    yield from each("customers", keys, start_ms, 1)
    yield from each("customers", keys, end_ms, -1)
    yield from each("customer_exits", keys, end_ms, 1)
    yield from each("customer_lifetime_seconds", keys, end_ms, (end_ms - start_ms) // 1000)
    yield from each("customer_lifetime_count", keys, end_ms, 1)
    at_start = sum(revenue for at_ms, revenue, _ in _worth(account) if at_ms <= start_ms)
    yield from each("staying_revenue", keys, start_ms, at_start)
    for at_ms, revenue, _ in _worth(account):
        if start_ms < at_ms <= end_ms:
            yield from each("staying_revenue", keys, at_ms, revenue)
    at_end = sum(revenue for at_ms, revenue, _ in _worth(account) if at_ms <= end_ms)
    yield from each("staying_revenue", keys, end_ms, -at_end)
    yield from each("exit_revenue", keys, end_ms, at_end)


def _worth(account: Account) -> list[tuple[int, int, int]]:
    """(event time, revenue, cost) of sales and, negative, of returns."""
    sales = [(sale.won.at_ms, sale.amount, sale.cost) for sale in account.sales]
    returns = [(found.returned.at_ms, -found.amount, -found.cost) for found in account.returns]
    return [*sales, *returns]


def customer_stays(account: Account, settings: OracleSettings) -> list[Interval]:
    """From a purchase until told churn, or the horizon after the last purchase, whichever is first."""
    purchases = {sale.won.order for sale in account.sales}
    done: list[Interval] = []
    start_ms = end_ms = None
    for fact in account.facts:
        if start_ms is not None and end_ms is not None and fact.at_ms >= end_ms:
            done.append((start_ms, end_ms))
            start_ms = end_ms = None
        if fact.order in purchases:
            start_ms = fact.at_ms if start_ms is None else start_ms
            end_ms = fact.at_ms + settings.churn_horizon_ms
        elif fact.type == "service.churned" and start_ms is not None:
            done.append((start_ms, fact.at_ms))
            start_ms = end_ms = None
    if start_ms is not None and end_ms is not None:
        done.append((start_ms, end_ms))
    return done
