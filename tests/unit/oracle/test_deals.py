"""Money, amendments, returns and lost deals (kpis.md, 12-17)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import OracleSettings
from tests.unit.oracle.build import ask, event, totals


def test_foreign_amounts_are_converted_one_by_one_half_up() -> None:
    settings = OracleSettings(currency="USD", rates={"EUR": "1.5", "JPY": "0.0065", "KWD": "3.25"})
    found = totals(
        [
            event("deal.won", "2024-03-01", deal_id="1", amount=1, currency="EUR"),
            event("deal.won", "2024-03-01", deal_id="2", amount=1, currency="EUR"),
            event("deal.won", "2024-03-01", deal_id="3", amount=1000, currency="JPY"),
            event("deal.won", "2024-03-01", deal_id="4", amount=1000, currency="KWD"),
            event("deal.won", "2024-03-01", deal_id="5", amount=7),
        ],
        settings,
    )
    assert found["won_amount", ""] == 2 + 2 + 650 + 325 + 7


@pytest.mark.parametrize(
    ("won", "amount", "cost"),
    [
        ({"amount": 900, "cost": 400}, 900, 400),
        ({"items": [{"product": "x", "amount": 70, "cost": 7}, {"product": "y", "amount": 30}]}, 100, 7),
        ({}, 500, 200),
        ({"items": [{"product": "x", "amount": 70}]}, 70, 200),
    ],
)
def test_a_missing_amount_is_the_items_sum_else_the_deals_last(won: dict[str, Any], amount: int, cost: int) -> None:
    created = event("deal.created", "2024-03-01", amount=300, cost=200)
    amended = event("deal.amended", "2024-03-02", amount=500)
    found = totals([created, amended, event("deal.won", "2024-03-03", **won)])
    assert (found["won_amount", ""], found["won_cost", ""]) == (amount, cost)


def test_a_missing_returned_amount_is_the_items_sum_else_the_sales_and_its_cost_0() -> None:
    won = event("deal.won", "2024-03-01", amount=900, cost=300)
    whole = totals([won, event("deal.returned", "2024-03-02")])
    assert (whole["returned_amount", ""], whole["returned_cost", ""]) == (900, 0)
    part = totals([won, event("deal.returned", "2024-03-02", items=[{"product": "x", "amount": 5, "cost": 2}])])
    assert (part["returned_amount", ""], part["returned_cost", ""]) == (5, 2)


def test_a_deal_is_won_once_and_a_further_win_amends_it_where_it_was_won() -> None:
    history = [
        event("deal.won", "2024-03-01 10:00", amount=10_000),
        event("deal.won", "2024-03-05 10:00", amount=12_000),
        event("deal.amended", "2024-03-06 10:00", amount=15_000),
    ]
    assert ask("deals_won|all|", history)["value"] == 1
    assert ask("revenue|all|", history)["value"] == 150.0
    assert ask("revenue|24h|", history)["value"] == 0
    assert ask("revenue|24h|", history, now="2024-03-02 09:00")["value"] == 100.0


def test_an_amendment_follows_to_a_single_product_and_to_several_only_with_items() -> None:
    one = [event("deal.won", "2024-03-01", items=[{"product": "x", "amount": 100, "cost": 10, "quantity": 4}])]
    found = totals([*one, event("deal.amended", "2024-03-02", amount=80, cost=8)])
    assert (found["won_amount", "product=x"], found["won_cost", "product=x"]) == (80, 8)
    assert found["won_units", "product=x"] == 4
    two = [event("deal.won", "2024-03-01", items=[{"product": "x", "amount": 100}, {"product": "y", "amount": 50}])]
    found = totals([*two, event("deal.amended", "2024-03-02", amount=120)])
    assert (found["won_amount", "product=x"], found["won_amount", "product=y"]) == (100, 50)
    assert found["won_amount", ""] == 120
    found = totals([*two, event("deal.amended", "2024-03-02", items=[{"product": "y", "amount": 90}])])
    assert ("deals_won", "product=x") not in found
    assert (found["won_amount", "product=y"], found["won_amount", ""]) == (90, 90)


def test_a_return_lowers_the_revenue_of_the_window_in_which_it_occurred() -> None:
    history = [
        event("deal.won", "2024-03-01 10:00", amount=10_000, cost=4_000, rep_id="seller"),
        event("deal.returned", "2024-04-02 10:00", amount=2_500, cost=1_000, rep_id="clerk"),
    ]
    mtd = ask("revenue|mtd|", history)
    assert (mtd["value"], mtd["numerator"], mtd["previous"]) == (-25.0, -2_500, 100.0)
    assert ask("revenue|all|", history)["value"] == 75.0
    assert ask("gross_margin|all|", history)["value"] == 45.0
    assert ask("margin_ratio|all|", history)["value"] == 0.6
    assert ask("margin_ratio|mtd|", history)["value"] is None
    assert ask("average_ticket|all|", history)["value"] == 100.0
    assert ask("revenue|all|rep=seller", history)["value"] == 100.0
    assert ask("revenue|all|rep=clerk", history)["value"] == -25.0
    assert ask("new_vs_returning_revenue|mtd|customer_class=new", history)["value"] == -25.0


def test_a_deal_lost_and_later_won_counts_in_both_and_can_be_won_again_after_another_loss() -> None:
    story = [
        event("deal.lost", "2024-03-01"),
        event("deal.won", "2024-03-02", amount=100),
        event("deal.lost", "2024-03-03"),
        event("deal.won", "2024-03-04"),
    ]
    found = totals(story)
    assert (found["deals_won", ""], found["deals_lost", ""], found["won_amount", ""]) == (2, 2, 200)
    assert ask("win_rate|all|", story)["value"] == 0.5


def test_order_of_arrival_does_not_matter_to_a_deal() -> None:
    story = [
        event("deal.created", "2024-03-01", amount=300, rep_id="r"),
        event("deal.amended", "2024-03-02", amount=500),
        event("deal.won", "2024-03-03"),
        event("deal.returned", "2024-03-04"),
    ]
    assert totals(story) == totals(story[::-1])


def test_sales_cycle_needs_a_creation_at_or_before_the_win_and_is_cut_to_whole_seconds() -> None:
    history = [
        event("deal.created", 10_000, deal_id="1"),
        event("deal.won", 12_999, deal_id="1", amount=1),
        event("deal.created", 20_000, deal_id="2"),
        event("deal.won", 25_000, deal_id="2", amount=1),
        event("deal.won", 26_000, deal_id="3", amount=1),
        event("deal.created", 27_000, deal_id="3"),
    ]
    mean = ask("sales_cycle_mean|all|", history)
    assert (mean["value"], mean["numerator"], mean["denominator"]) == (3.5, 7, 2)
    assert ask("sales_cycle_p50|all|", history)["value"] == 2.0
    assert ask("sales_cycle_p90|all|", history)["value"] == 5.0


def test_growth_is_over_the_previous_window_and_unknown_without_one() -> None:
    history = [event("deal.won", "2024-02-10", deal_id="1", amount=100), event("deal.won", "2024-03-10", amount=150)]
    growth = ask("revenue_growth|mtd|", history)
    assert (growth["value"], growth["numerator"], growth["denominator"]) == (0.5, 50, 100)
    assert ask("revenue_growth|ytd|", history)["value"] is None
    assert ask("revenue_growth|all|", history)["value"] is None


def test_an_amendment_with_items_moves_what_was_bought_to_the_new_products() -> None:
    history = [
        event("deal.won", "2024-03-01", items=[{"product": "x", "amount": 100}]),
        event("deal.won", "2024-03-02", items=[{"product": "y", "amount": 70}]),
    ]
    found = totals(history)
    assert found["new_customers", "product=y"] == found["buyers@all", "product=y"] == 1
    assert ("buyers@all", "product=x") not in found
