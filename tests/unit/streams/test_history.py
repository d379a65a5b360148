"""What an account's events, in order of event time, add to the cells."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.windows import DAY_MS
from streams.sizes import size_class
from tests.unit.streams.rows import Book, at, row


def test_an_event_counts_under_what_it_states_else_what_its_account_stated_last() -> None:
    book = Book().take(
        row("web.visit", "2024-03-01 09:00", rep_id="r", source="ads"),
        row("lead.created", "2024-03-01 10:00", source="fair"),
    )
    assert book.sum("leads_created", "source=fair") == 1
    assert book.sum("leads_created", "rep=r") == 1
    assert book.sum("leads_created", "source=ads") == 0


def test_a_deal_event_takes_over_what_its_deal_stated_before_what_its_account_did() -> None:
    book = Book().take(
        row("deal.created", "2024-03-01 10:00", deal_id="1", rep_id="deals"),
        row("deal.created", "2024-03-01 11:00", deal_id="2", rep_id="accounts", team_id="t"),
        row("deal.won", "2024-03-01 12:00", deal_id="1", amount=5),
    )
    assert book.sum("won_amount", "rep=deals") == 5
    assert book.sum("won_amount", "team=t") == 5
    assert book.sum("won_amount", "rep=accounts") == 0


def test_a_lead_is_created_once() -> None:
    book = Book().take(
        row("lead.created", "2024-03-01 10:00", lead_id="l"),
        row("lead.created", "2024-03-01 11:00", lead_id="l"),
        row("lead.created", "2024-03-01 12:00", lead_id="m"),
        row("lead.created", "2024-03-01 13:00"),
    )
    assert book.sum("leads_created") == 3


def test_a_deal_that_stands_as_won_is_amended_by_winning_it_again() -> None:
    book = Book().take(row("deal.won", "2024-03-01 10:00", amount=100), row("deal.won", "2024-03-02 10:00", amount=70))
    assert book.sum("deals_won") == 1
    assert book.slices("won_amount") == {at("2024-03-01 10:00"): 70}


def test_a_deal_lost_and_won_again_counts_in_both_and_is_a_further_sale() -> None:
    book = Book().take(
        row("deal.won", "2024-03-01 10:00", amount=100),
        row("deal.lost", "2024-03-02 10:00"),
        row("deal.won", "2024-03-03 10:00"),
    )
    assert (book.sum("deals_won"), book.sum("deals_lost")) == (2, 1)
    assert book.sum("won_amount") == 200, "a missing amount is the deal's last"
    assert book.sum("deals_won", "customer_class=new") == book.sum("deals_won", "customer_class=returning") == 1


@pytest.mark.parametrize(
    ("won", "amount", "cost"),
    [
        ({"amount": 9, "cost": 8, "items": [{"product": "p", "amount": 1, "cost": 1}]}, 9, 8),
        ({"items": [{"product": "p", "amount": 3, "cost": 2}, {"product": "q", "amount": 4}]}, 7, 2),
        ({"items": [{"product": "p"}]}, 50, 5),
        ({}, 50, 5),
    ],
)
def test_a_missing_amount_is_the_items_sum_else_the_deals_last(won: dict[str, Any], amount: int, cost: int) -> None:
    book = Book().take(
        row("deal.created", "2024-03-01 10:00", amount=40, cost=5),
        row("deal.amended", "2024-03-01 11:00", amount=50),
        row("deal.won", "2024-03-01 12:00", **won),
    )
    assert (book.sum("won_amount"), book.sum("won_cost")) == (amount, cost)


def test_a_sale_with_items_counts_once_under_each_product_with_that_products_money() -> None:
    items = [
        {"product": "p", "quantity": 2, "amount": 30},
        {"product": "q", "amount": 20},
        {"product": "p", "amount": 5},
        {"amount": 1},
    ]
    book = Book().take(row("deal.won", "2024-03-01 10:00", product="top", items=items))
    assert book.sum("deals_won", "product=p") == book.sum("deals_won", "product=q") == book.sum("deals_won") == 1
    assert [book.sum("won_amount", f"product={p}") for p in ("p", "q", "top")] == [35, 20, 0]
    assert [book.sum("won_units", f"product={p}") for p in ("p", "q")] == [3, 1]
    assert book.sum("new_customers", "product=q") == 1


def test_a_sale_without_items_is_one_unit_of_its_product() -> None:
    book = Book().take(row("deal.won", "2024-03-01 10:00", product="top", amount=10))
    assert (book.sum("won_units", "product=top"), book.sum("won_amount", "product=top")) == (1, 10)


def test_an_amendment_restates_the_sale_in_the_window_of_the_sale() -> None:
    book = Book().take(
        row("deal.won", "2024-03-01 10:00", amount=100, items=[{"product": "p", "quantity": 2, "amount": 100}]),
        row("deal.amended", "2024-03-05 10:00", amount=80),
    )
    assert book.slices("won_amount", "product=p") == {at("2024-03-01 10:00"): 80}, "a single product follows"
    assert book.sum("won_units", "product=p") == 2


def test_of_several_products_only_new_items_change_the_split() -> None:
    items = [{"product": "p", "amount": 60}, {"product": "q", "amount": 40}]
    book = Book().take(row("deal.won", "2024-03-01 10:00", items=items), row("deal.amended", "2024-03-02", amount=90))
    assert (book.sum("won_amount"), book.sum("won_amount", "product=p")) == (90, 60)


def test_an_amendment_with_other_items_moves_all_that_counts_by_product() -> None:
    book = Book().take(
        row("deal.created", "2024-02-28 10:00"),
        row("deal.won", "2024-03-01 10:00", items=[{"product": "p", "amount": 60}]),
        row("deal.won", "2024-03-02 10:00", deal_id="e", product="p", amount=1),
        row("deal.amended", "2024-03-03 10:00", items=[{"product": "q", "amount": 60}]),
    )
    moved = ("new_customers", "sales_cycle_count", "sales_cycle_seconds", "buyers@all", "deals_won", "won_amount")
    assert [book.sum(name, "product=q") for name in moved] == [1, 1, 2 * DAY_MS // 1000, 1, 1, 60]
    assert [book.sum(name, "product=p") for name in moved] == [0, 0, 0, 1, 1, 1], "the other sale is of p still"


def test_an_amendment_before_the_win_changes_the_open_amount() -> None:
    book = Book().take(
        row("deal.created", "2024-03-01 10:00", amount=10),
        row("deal.amended", "2024-03-02 10:00", amount=20),
        row("deal.won", "2024-03-03 10:00"),
    )
    assert book.slices("won_amount") == {at("2024-03-03 10:00"): 20}


def test_a_return_counts_in_its_own_window_under_its_own_dimensions_and_its_sales_class() -> None:
    book = Book().take(
        row("deal.won", "2024-03-01 10:00", amount=100, rep_id="seller"),
        row("deal.returned", "2024-04-02 10:00", amount=30, rep_id="clerk"),
        row("deal.returned", "2024-04-03 10:00"),
    )
    assert book.slices("returned_amount", "rep=clerk") == {at("2024-04-02 10:00"): 30, at("2024-04-03 10:00"): 100}
    assert book.sum("returned_amount", "customer_class=new") == 130
    assert book.sum("class_revenue_base", "customer_class=returning") == 100 - 130
    assert book.sum("deals_won") == 1


def test_a_return_before_any_sale_has_no_class_and_no_amount_of_its_own() -> None:
    book = Book().take(row("deal.returned", "2024-03-01 10:00"))
    assert (book.sum("returns"), book.sum("returned_amount")) == (1, 0)
    assert book.sum("returns", "customer_class=new") == 0


def test_the_cycle_runs_from_the_first_creation_before_the_win() -> None:
    book = Book().take(
        row("deal.created", "2024-03-01 10:00:00"),
        row("deal.created", "2024-03-01 10:00:30"),
        row("deal.won", at("2024-03-01 10:01:00") + 999),
    )
    assert book.sum("sales_cycle_seconds") == 60, "cut to whole seconds"
    assert book.sum(f"sales_cycle_histogram#{size_class(60)}") == 1
    assert Book().take(row("deal.won", "2024-03-01"), row("deal.created", "2024-03-02")).sum("sales_cycle_count") == 0


@pytest.mark.parametrize(
    ("talk", "counts"),
    [
        (("call.completed", {"outcome": "connected"}), 1),
        (("call.completed", {"outcome": "busy"}), 0),
        (("email.replied", {}), 1),
        (("email.opened", {}), 0),
        (("lead.contacted", {}), 1),
    ],
)
def test_only_conversations_start_the_time_to_the_first_sale(talk: tuple[str, dict[str, Any]], counts: int) -> None:
    book = Book().take(
        row(talk[0], "2024-03-01 10:00", **talk[1]),
        row("call.completed", "2024-03-02 10:00", outcome="connected"),
        row("deal.won", "2024-03-02 10:01"),
        row("deal.won", "2024-03-03 10:01", deal_id="e"),
    )
    assert book.sum("first_contact_to_sale_count") == 1, "the first purchase only"
    assert book.sum("first_contact_to_sale_seconds") == (24 * 3600 * counts + 60)


def test_a_customers_source_and_channel_are_those_of_the_latest_lead() -> None:
    book = Book().take(
        row("lead.created", "2024-03-01", lead_id="1", source="ads", channel="web"),
        row("lead.created", "2024-03-02", lead_id="2", source="fair"),
        row("deal.won", "2024-03-03", source="walk-in", rep_id="r"),
    )
    assert [book.sum("new_customers", f"source={s}") for s in ("ads", "fair", "walk-in")] == [0, 1, 0]
    assert book.sum("new_customers", "channel=web") == 1, "the second lead took it over"
    assert book.sum("new_customers", "rep=r") == 1
    assert book.sum("deals_won", "source=walk-in") == 1


def test_a_win_converts_the_latest_lead_once() -> None:
    book = Book().take(
        row("lead.created", "2024-03-01 10:00", lead_id="1", source="ads"),
        row("lead.created", "2024-03-01 11:00", lead_id="2", source="fair"),
        row("deal.won", "2024-03-01 12:00"),
        row("deal.won", "2024-03-01 13:00", deal_id="e"),
    )
    assert book.slices("time_to_convert_seconds", "source=fair") == {at("2024-03-01 12:00"): 3600}
    assert book.sum("time_to_convert_count") == 1


def test_events_of_one_millisecond_stand_in_the_order_of_a_life() -> None:
    moment = at("2024-03-01 10:00")
    book = Book().take(
        row("deal.returned", moment), row("deal.won", moment, amount=7), row("lead.created", moment, source="ads")
    )
    assert book.sum("returned_amount") == 7
    assert book.sum("new_customers", "source=ads") == 1
