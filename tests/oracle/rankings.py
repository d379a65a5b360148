"""KPIs that compare: reps with reps, stages with stages, customers with customers (kpis.md, 25, 35 and 38)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tests.oracle.kpis import KpiValue, Parts, Values, amount, ratio, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.oracle.accounts import Account
    from tests.oracle.periods import Window
    from tests.oracle.settings import OracleSettings
    from tests.oracle.tracks import Span, Tracks

RANKED = {"revenue_per_rep": "revenue", "deals_per_rep": "deals_won", "points_per_rep": "points"}
CLASSES = ("A", "B", "C")


def rankings(values: Values) -> Values:
    """Reps by revenue and by deals won: 1 is the highest, equals share a rank (1, 2, 2, 4)."""
    found: Values = {}
    for name, ranked in RANKED.items():
        for key, value in values.items():
            kpi, window, dims = key.split("|")
            if kpi == ranked and dims.startswith("rep="):
                found[f"{name}|{window}|{dims}"] = value.copy()
    rivals: dict[str, list[float]] = defaultdict(list)
    for key, value in found.items():
        rivals[key.rpartition("|")[0]].append(value["value"] or 0.0)
    for key, value in found.items():
        value["rank"] = 1 + sum(rival > (value["value"] or 0.0) for rival in rivals[key.rpartition("|")[0]])
    return found


def weakest_stages(tracks: Tracks, windows: Mapping[str, Window]) -> Values:
    """The stage with the lowest conversion, of all leads and of each rep's."""
    found: Values = {}
    series = tracks.dims("stage_entries", "all")
    for dims in ["", *(dims for dims in series if dims.startswith("rep=") and "," not in dims)]:
        prefix = f"{dims},stage=" if dims else "stage="
        stages = [key.removeprefix(prefix) for key in tracks.dims("stage_onward", "all") if key.startswith(prefix)]
        for window in windows.values():
            found[f"weakest_stage|{window.name}|{dims}"] = _weakest(tracks, prefix, stages, window)
    return found


def _weakest(tracks: Tracks, prefix: str, stages: list[str], window: Window) -> KpiValue:
    def lowest(span: Span) -> tuple[str | None, Parts]:
        ranked = []
        for stage in stages:
            parts = tuple(tracks.sum({term: 1}, prefix + stage, "", span) for term in ("stage_onward", "stage_entries"))
            share = ratio((parts[0], parts[1]))
            if share is not None:
                ranked.append((share, -parts[1], stage, (parts[0], parts[1])))
        return (min(ranked)[2], min(ranked)[3]) if ranked else (None, (None, None))

    value = value_of("ratio", window, lambda span: lowest(span)[1], ratio)
    value["label"] = lowest((window.start_ms, window.end_ms))[0]
    return value


class _Customer(NamedTuple):
    revenue: int
    account: str
    amount: int
    deals: int


def abc(accounts: Iterable[Account], windows: Mapping[str, Window], settings: OracleSettings) -> Values:
    """Customers ranked by net revenue up to the window's end: A makes 80 %, B the next 15 %, C the rest."""
    accounts = [account for account in accounts if account.sales]
    found: Values = {}
    known: dict[int, dict[str, list[_Customer]]] = {}

    def classes(span: Span) -> dict[str, list[_Customer]]:
        if span[1] not in known:
            known[span[1]] = _classes([_customer(account, span[1]) for account in accounts], settings)
        return known[span[1]]

    for name in CLASSES if accounts else ():
        for window in windows.values():
            for kpi, value in _abc_values(name, window, classes, settings).items():
                found[f"{kpi}|{window.name}|abc_class={name}"] = value
    return found


def _customer(account: Account, end_ms: int) -> _Customer:
    sales = [sale for sale in account.sales if sale.won.at_ms < end_ms]
    returned = sum(found.amount for found in account.returns if found.returned.at_ms < end_ms)
    bought = sum(sale.amount for sale in sales)
    return _Customer(bought - returned if sales else 0, account.facts[0].account, bought, len(sales))


def _classes(customers: list[_Customer], settings: OracleSettings) -> dict[str, list[_Customer]]:
    ranked = sorted((c for c in customers if c.revenue > 0), key=lambda c: (-c.revenue, c.account))
    total = sum(customer.revenue for customer in ranked)
    share_a, share_b = settings.abc_shares
    classes: dict[str, list[_Customer]] = {name: [] for name in CLASSES}
    ahead = 0
    for customer in ranked:
        reached = ahead * 100
        name = "A" if reached < share_a * total else "B" if reached < (share_a + share_b) * total else "C"
        classes[name].append(customer)
        ahead += customer.revenue
    return classes


def _abc_values(
    name: str, window: Window, classes: Callable[[Span], dict[str, list[_Customer]]], settings: OracleSettings
) -> Values:
    minor = settings.minor_per_major

    def revenue(span: Span) -> int:
        return sum(customer.revenue for customer in classes(span)[name])

    def total(span: Span) -> int:
        return sum(customer.revenue for found in classes(span).values() for customer in found)

    def ticket(span: Span) -> Parts:
        found = classes(span)[name]
        return sum(customer.amount for customer in found), sum(customer.deals for customer in found)

    return {
        "abc_customers": value_of("count", window, lambda span: (len(classes(span)[name]), None), amount),
        "abc_revenue": value_of("money", window, lambda span: (revenue(span), None), lambda p: amount(p, minor)),
        "abc_share": value_of("ratio", window, lambda span: (revenue(span), total(span)), ratio),
        "abc_average_ticket": value_of("money", window, ticket, lambda parts: ratio(parts, minor)),
    }
