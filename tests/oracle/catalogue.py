"""KPIs of kpis.md as formulas over measures (terms: see `tracks`): sales, leads, customers, conversations, quotes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tests.oracle.contributions import ALL6

if TYPE_CHECKING:
    from collections.abc import Iterator

Unit = Literal["count", "money", "ratio", "seconds", "score"]
Sum = dict[str, int]


@dataclass(frozen=True)
class Kpi:
    """A formula: weighted sums of measures; a ratio has a denominator, a percentile is one of a measure's samples.

    `instead` is the denominator of a series in which the denominator's measures were never counted. `grows` makes it
    the relative change of the numerator against the previous window. `exists_by` are the terms that make a series
    exist (by default all of the formula). `pairs` are groupings by two dimensions. `no_all`: unknown over `all`.
    """

    name: str
    unit: Unit
    grouped_by: tuple[str, ...]
    numerator: Sum
    denominator: Sum | None = None
    instead: Sum | None = None
    percentile: int | None = None
    grows: bool = False
    has_global: bool = True
    exists_by: tuple[str, ...] = ()

    pairs: tuple[tuple[str, str], ...] = ()
    no_all: bool = False

    def terms_of_existence(self) -> set[str]:
        """Terms of which one event makes a series exist."""
        parts = (self.numerator, self.denominator or {}, self.instead or {})
        return set(self.exists_by) or {term for part in parts for term in part}

    def groupings(self) -> set[tuple[str, ...]]:
        """The dimensions of its series, in alphabetical order."""
        return {*((name,) for name in self.grouped_by), *self.pairs}


REVENUE = {"won_amount": 1, "returned_amount": -1}
MARGIN = REVENUE | {"won_cost": -1, "returned_cost": 1}
BY_CLASS = ("customer_class",)


def ratio(name: str, grouped_by: tuple[str, ...], over: Sum | str, under: Sum | str, unit: Unit = "ratio") -> Kpi:
    return Kpi(name, unit, grouped_by, terms(over), terms(under))


def terms(measures: Sum | str) -> Sum:
    return {measures: 1} if isinstance(measures, str) else measures


def count(name: str, grouped_by: tuple[str, ...], measure: str | None = None) -> Kpi:
    return Kpi(name, "count", grouped_by, {measure or name: 1})


def durations(name: str, grouped_by: tuple[str, ...]) -> Iterator[Kpi]:
    seconds, count = {f"{name}_seconds": 1}, {f"{name}_count": 1}
    yield Kpi(f"{name}_mean", "seconds", grouped_by, seconds, count)
    for percent in (50, 90):
        yield Kpi(f"{name}_p{percent}", "seconds", grouped_by, seconds, percentile=percent)


def _by_class(name: str, unit: Unit, measures: Sum, base: str | None = None) -> Kpi:
    under = {base: 1} if base else None
    # The base stands under both classes, so it makes no series exist.
    return Kpi(name, unit, BY_CLASS, measures, under, has_global=False, exists_by=tuple(measures))


SALES = (
    Kpi("revenue", "money", ALL6, REVENUE),
    count("deals_won", ALL6),
    Kpi("revenue_growth", "ratio", ALL6, REVENUE, grows=True),
    Kpi("product_revenue", "money", ("product",), REVENUE),
    Kpi("product_units", "count", ("product",), {"won_units": 1}),
    ratio("win_rate", ALL6, "deals_won", {"deals_won": 1, "deals_lost": 1}),
    ratio("average_ticket", ALL6, "won_amount", "deals_won", "money"),
    Kpi("gross_margin", "money", ALL6, MARGIN),
    ratio("margin_ratio", ALL6, MARGIN, REVENUE),
    *durations("sales_cycle", ALL6),
    *durations("first_contact_to_sale", ALL6),
)

LEADS = (
    count("leads_created", ALL6),
    count("opportunities_created", ALL6, "leads_qualified"),
    ratio("lead_opportunity_ratio", ALL6, "leads_qualified", "leads_created"),
    ratio("lead_conversion", ALL6, "new_customers", "leads_created"),
    ratio("channel_conversion", ("channel",), "new_customers", "leads_created"),
    ratio("source_conversion", ("source",), "new_customers", "leads_created"),
    *durations("time_to_convert", ("source", "channel")),
)

CUSTOMERS = (
    count("active_customers", ALL6, "buyers@"),
    count("new_customers", ALL6),
    ratio("purchase_frequency", ("channel",), "deals_won", "buyers@", "count"),
    ratio("repeat_customer_share", ("channel",), "repeat_buyers@", "buyers@"),
    _by_class("new_vs_returning_revenue", "money", REVENUE),
    _by_class("new_vs_returning_deals", "count", {"deals_won": 1}),
    _by_class("new_vs_returning_revenue_share", "ratio", REVENUE, "class_revenue_base"),
    _by_class("new_vs_returning_deals_share", "ratio", {"deals_won": 1}, "class_deals_base"),
)

ACTIVITY = (
    replace(
        ratio("email_open_rate", ("rep", "source"), "emails_opened", "emails_delivered"), instead={"emails_sent": 1}
    ),
    count("calls", ("rep", "team", "direction")),
    ratio("connect_rate", ("rep", "team", "direction"), "calls_connected", "calls"),
    Kpi("talk_time", "seconds", ("rep", "team", "direction"), {"talk_seconds": 1}),
    count("price_inquiries", ("channel", "rep")),
    count("quotes_sent", ("rep", "product")),
    count("quotes_accepted", ("rep", "product")),
    ratio("quote_acceptance", ("rep", "product"), "quotes_accepted", "quotes_sent"),
)

CATALOGUE = (*SALES, *LEADS, *CUSTOMERS, *ACTIVITY)
