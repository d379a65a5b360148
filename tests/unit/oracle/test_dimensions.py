"""Under which values an event counts (kpis.md, 7-10)."""

from __future__ import annotations

from tests.unit.oracle.build import ask, event, totals


def test_a_deal_event_takes_what_its_deal_last_stated_before_what_its_account_did() -> None:
    found = totals(
        [
            event("deal.created", "2024-03-01", rep_id="of-deal", team_id="t"),
            event("lead.contacted", "2024-03-02", rep_id="of-account", region="north"),
            event("deal.won", "2024-03-03", amount=1),
        ]
    )
    assert found["deals_won", "rep=of-deal"] == 1
    assert found["deals_won", "team=t"] == 1
    assert found["deals_won", "region=north"] == 1
    assert ("deals_won", "rep=of-account") not in found


def test_a_lead_takes_what_its_account_last_stated_and_what_it_states_comes_first() -> None:
    found = totals(
        [
            event("web.visit", "2024-03-01", source="ads", channel="web"),
            event("lead.created", "2024-03-02", channel="phone"),
        ]
    )
    assert found["leads_created", "source=ads"] == 1
    assert found["leads_created", "channel=phone"] == 1
    assert ("leads_created", "channel=web") not in found


def test_what_is_stated_later_in_event_time_does_not_count_for_what_was_before() -> None:
    found = totals([event("deal.won", "2024-03-01", amount=1), event("deal.lost", "2024-03-02", rep_id="r")])
    assert ("deals_won", "rep=r") not in found
    assert found["deals_won", ""] == 1


def test_sales_are_resolved_anew_when_an_earlier_statement_comes_late_but_calls_are_not() -> None:
    late = event("lead.contacted", "2024-03-01", rep_id="r")
    call = event("call.completed", "2024-03-02", outcome="connected", direction="inbound", duration_s=3)
    sale = event("deal.won", "2024-03-03", amount=1)
    found = totals([call, sale, late])
    assert found["deals_won", "rep=r"] == 1
    assert ("calls", "rep=r") not in found
    assert totals([late, call, sale])["calls", "rep=r"] == 1


def test_of_two_events_of_one_millisecond_the_one_earlier_in_a_life_speaks_first() -> None:
    found = totals(
        [
            event("deal.won", "2024-03-01", amount=1),
            event("deal.created", "2024-03-01", rep_id="r"),
            event("deal.lost", "2024-03-01", rep_id="other"),
        ]
    )
    assert found["deals_won", "rep=r"] == 1


def test_accounts_do_not_share_deals() -> None:
    found = totals([event("deal.won", "2024-03-01", "a", amount=1), event("deal.won", "2024-03-01", "b", amount=2)])
    assert found["deals_won", ""] == 2
    assert found["won_amount", ""] == 3


def test_a_deal_reassigned_before_it_closes_counts_for_the_closing_rep_only() -> None:
    history = [
        event("deal.created", "2024-03-01", rep_id="first", team_id="t1"),
        event("deal.reassigned", "2024-03-02", rep_id="second", team_id="t2"),
        event("deal.won", "2024-03-03", amount=500),
        event("deal.reassigned", "2024-03-04", rep_id="third"),
    ]
    assert {dims: n for (name, dims), n in totals(history).items() if name == "deals_won" and "=" in dims} == {
        "rep=second": 1,
        "team=t2": 1,
        "customer_class=new": 1,
    }


def test_items_count_once_under_each_product_and_not_under_the_top_level_one() -> None:
    items = [
        {"product": "x", "quantity": 2, "amount": 100, "cost": 30},
        {"product": "y", "quantity": 1, "amount": 50, "cost": 20},
        {"product": "x", "quantity": 3, "amount": 150, "cost": 50},
    ]
    found = totals([event("deal.won", "2024-03-01", product="z", items=items)])
    assert found["deals_won", "product=x"] == 1
    assert found["won_amount", "product=x"] == 250
    assert found["won_cost", "product=x"] == 80
    assert found["won_units", "product=x"] == 5
    assert found["won_amount", "product=y"] == 50
    assert ("deals_won", "product=z") not in found
    assert (found["won_amount", ""], found["won_cost", ""], found["won_units", ""]) == (300, 100, 6)


def test_without_items_a_sale_is_one_unit_of_its_product_and_a_return_none() -> None:
    sale = event("deal.won", "2024-03-01", product="z", amount=10)
    found = totals([sale, event("deal.returned", "2024-03-02", amount=4)])
    assert found["won_units", "product=z"] == 1
    assert found["returned_amount", "product=z"] == 4
    assert found["won_units", ""] == 1


def test_special_characters_of_a_value_are_percent_encoded_in_the_key() -> None:
    sale = event("deal.won", "2024-03-01", amount=100, region="50%|a=b,c")
    assert ask("revenue|all|region=50%25%7Ca%3Db%2Cc", [sale])["value"] == 1.0


def test_a_duplicate_counts_once_and_states_nothing() -> None:
    sale = event("deal.won", "2024-03-01", amount=100)
    assert totals([sale, {**sale, "amount": 900, "rep_id": "r"}])["won_amount", ""] == 100
