"""KPI values: divided last, unknown without a denominator, and in major units where they are money."""

from __future__ import annotations

import pytest

from schemas.catalogue import KPIS, Kpi
from streams.plan import Plan
from streams.rollup.sums import WindowSums
from streams.rollup.values import Computed, WindowKpi, compile_kpis
from streams.sizes import class_value, size_class
from tests.unit.streams.rows import PLAN, rollup_rules

NOTHING: dict[str, int] = {}


def kpi(name: str) -> Kpi:
    return next(found for found in KPIS if found.name == name)


def of(name: str, window: str = "7d", currency: str = "USD") -> WindowKpi:
    return WindowKpi(kpi(name), window, PLAN, rollup_rules(currency))


def sums_of(flow: dict[str, int], tail: dict[str, int], total: dict[str, int]) -> WindowSums:
    return WindowSums(flow, tail, total, 0, 0, {})


def flow(**sums: int) -> WindowSums:
    return sums_of(sums, NOTHING, sums)


def test_money_is_shown_in_major_units_and_kept_in_minor_ones() -> None:
    assert of("revenue").compute(flow(won_amount=1250, returned_amount=50), None) == Computed(12.0, 1200, None)


@pytest.mark.parametrize(("currency", "value"), [("JPY", 1234), ("USD", 12.34), ("KWD", 1.234)])
def test_the_minor_unit_is_that_of_the_currency(currency: str, value: float) -> None:
    assert of("revenue", currency=currency).compute(flow(won_amount=1234), None).value == value


def test_counts_before_the_first_event_are_0_and_not_unknown() -> None:
    assert of("deals_won").compute(flow(), None) == Computed(0, 0, None)


def test_a_ratio_divides_last_and_keeps_its_parts() -> None:
    assert of("win_rate").compute(flow(deals_won=1, deals_lost=2), None) == Computed(1 / 3, 1, 3)
    assert of("average_ticket").compute(flow(won_amount=1000, deals_won=3), None) == Computed(1000 / 300, 1000, 3)


def test_a_ratio_is_unknown_when_its_denominator_is_0_or_negative() -> None:
    assert of("win_rate").compute(flow(), None) == Computed(None, 0, 0)
    assert of("margin_ratio").compute(flow(won_amount=1, returned_amount=3), None).value is None
    assert of("win_rate").compute(flow(deals_lost=1), None) == Computed(0.0, 0, 1), "a true zero is 0"


def test_growth_is_the_change_against_the_previous_over_it() -> None:
    growth = of("revenue_growth")
    assert growth.compute(flow(won_amount=150), flow(won_amount=100)) == Computed(0.5, 50, 100)
    assert growth.compute(flow(won_amount=150), flow()) == Computed(None, 150, 0)
    assert growth.compute(flow(won_amount=150), None) == Computed(None, None, None)


def test_a_level_is_everything_less_what_is_still_to_come() -> None:
    #  total 5 |----- 3 -----| window's end |-- 2 --
    name = "buyers@7d"
    sums = sums_of({name: 99}, {name: 2}, {name: 5})
    assert of("active_customers").compute(sums, None).value == 3
    today = "buyers@today"
    assert of("active_customers", "today").compute(sums_of({today: 4}, {}, {today: 9}), None).value == 4


def test_all_is_the_total_less_what_lies_in_the_future() -> None:
    sums = sums_of(NOTHING, {"won_amount": 100}, {"won_amount": 700})
    assert of("revenue", "all").compute(sums, None).numerator == 600


def test_opens_are_divided_by_those_sent_only_where_deliveries_are_never_told() -> None:
    rate = of("email_open_rate")
    assert rate.compute(flow(emails_opened=1, emails_sent=4), None).denominator == 4
    told = sums_of({"emails_opened": 1, "emails_sent": 4}, NOTHING, {"emails_delivered": 1})
    assert rate.compute(told, None).denominator == 0


@pytest.mark.parametrize(
    ("durations", "p50", "p90"), [([10], 10, 10), ([10, 20], 10, 20), (list(range(1, 11)), 5, 9), ([7] * 5, 7, 7)]
)
def test_percentiles_are_nearest_rank(durations: list[int], p50: int, p90: int) -> None:
    sums: dict[str, int] = {"sales_cycle_count": len(durations)}
    for seconds in durations:
        name = f"sales_cycle_histogram#{size_class(seconds)}"
        sums[name] = sums.get(name, 0) + 1
    assert [of(f"sales_cycle_p{rank}").compute(flow(**sums), None).value for rank in (50, 90)] == [p50, p90]
    assert class_value(size_class(p50)) == p50


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert of("sales_cycle_p50").compute(flow(), None) == Computed(None, None, None)


def test_a_series_exists_once_its_facts_were_counted() -> None:
    assert not of("revenue").exists(())
    assert not of("revenue").exists({"leads_created"})
    assert of("revenue").exists({"deals_won"}), "a gift is a sale too"
    assert of("revenue").exists({"returns"})
    assert of("sales_cycle_p50").exists({"sales_cycle_count"})


def test_a_class_share_exists_by_the_class_itself_and_not_by_its_base() -> None:
    share = of("new_vs_returning_revenue_share")
    assert not share.exists({"class_revenue_base", "class_deals_base"})
    assert share.exists({"deals_won"})


def test_kpis_are_grouped_by_their_dimensions_for_each_window() -> None:
    compiled = compile_kpis(Plan([kpi("calls"), kpi("new_vs_returning_deals")]), rollup_rules())
    assert {grouping: [found.kpi.name for found in windows[0]] for grouping, windows in compiled.items()} == {
        "": ["calls"],
        "rep": ["calls"],
        "team": ["calls"],
        "direction": ["calls"],
        "customer_class": ["new_vs_returning_deals"],
    }
    assert len(compiled[""]) == 11


def test_rollups_of_one_plan_share_their_kpis() -> None:
    plan = Plan([kpi("calls")])
    assert compile_kpis(plan, rollup_rules()) is compile_kpis(plan, rollup_rules())
    assert compile_kpis(Plan([kpi("calls")]), rollup_rules()) is not compile_kpis(plan, rollup_rules())
