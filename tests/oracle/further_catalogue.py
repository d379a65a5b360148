"""The other KPIs of kpis.md that are formulas over measures: stages, pipeline, spend, customers' worth, service."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.catalogue import Kpi, count, durations, ratio

BY_STAGE = ("stage", "rep")
PAIRS = (("rep", "stage"),)
ORIGIN = ("source", "channel")
SOURCE = ("source",)
SERVICE = ("product", "rep")


def _staged(kpi: Kpi) -> Kpi:
    return replace(kpi, pairs=PAIRS)


def _of_start(name: str, over: dict[str, int], under: str) -> Kpi:
    """A rate over what there was at the window's start; `all` has no start."""
    return replace(ratio(name, SOURCE, over, under), no_all=True)


STAGES = (
    _staged(ratio("stage_conversion", BY_STAGE, "stage_onward", "stage_entries")),
    *(_staged(kpi) for kpi in durations("stage_dwell", BY_STAGE)),
    _staged(count("stuck_leads", BY_STAGE, "stuck_leads>")),
    _staged(count("open_deals", BY_STAGE, "open_deals>")),
    _staged(Kpi("open_pipeline", "money", BY_STAGE, {"open_amount>": 1})),
    ratio("cohort_conversion", ("source", "channel", "rep"), "cohort_won", "leads_created"),
    ratio("lead_to_quote", ("rep",), "quotes_sent", "leads_created"),
)

WORTH = (
    ratio("ltv", ORIGIN, "customer_revenue>", "new_customers>", "money"),
    ratio("ltv_margin", ORIGIN, "customer_margin>", "new_customers>", "money"),
    ratio("cac", SOURCE, "acquisition_spend", "new_customers", "money"),
    ratio("roi", SOURCE, {"customer_margin": 1, "spend": -1}, "spend"),
    _of_start("churn_rate", {"customer_exits": 1}, "<customers"),
    _of_start("retention_rate", {"<customers": 1, "customer_exits": -1}, "<customers"),
    _of_start("revenue_churn_rate", {"exit_revenue": 1}, "<staying_revenue"),
    _of_start("revenue_retention_rate", {"<staying_revenue": 1, "exit_revenue": -1}, "<staying_revenue"),
    ratio("customer_lifetime", SOURCE, "customer_lifetime_seconds", "customer_lifetime_count", "seconds"),
)

OCCURRENCES = (
    count("visits", ORIGIN),
    count("ad_visits", ORIGIN),
    count("forms_received", ORIGIN),
    count("abandoned_carts", ORIGIN),
    ratio("cart_abandonment", ORIGIN, "abandoned_carts", "carts_created"),
    count("returns", SERVICE),
    ratio("return_rate", SERVICE, "returns", "deals_won"),
    count("amendments", SERVICE),
    count("complaints", SERVICE),
    ratio("satisfaction", SERVICE, "satisfaction_thousandths", "satisfaction_count", "score"),
    count("satisfaction_count", SERVICE),
    ratio("non_payment_rate", ("rep",), "overdue_amount", "due_amount"),
    count("activity", ("rep", "team")),
    count("points", ("rep", "team")),
)

FURTHER_CATALOGUE = (*STAGES, *WORTH, *OCCURRENCES)
