"""Buyers, first purchases, conversions and customer classes (kpis.md, 9, 18, 22-24, 28, 34)."""

from __future__ import annotations

from tests.unit.oracle.build import ask, at, event, totals


def buy(when: str, deal: str, account: str = "a", **fields: object) -> dict[str, object]:
    return event("deal.won", when, account, deal_id=deal, amount=100, **fields)


def test_of_100_leads_of_which_20_bought_20_percent_converted() -> None:
    leads = [event("lead.created", "2024-03-01", f"a{n}", source="ads", channel="phone") for n in range(100)]
    sales = [buy("2024-03-05", "d", f"a{n}") for n in range(20)]
    for key in ("lead_conversion|mtd|", "channel_conversion|mtd|channel=phone", "source_conversion|mtd|source=ads"):
        value = ask(key, leads + sales)
        assert (value["value"], value["numerator"], value["denominator"]) == (0.2, 20, 100)


def test_a_customers_source_is_that_of_the_latest_lead_before_the_first_purchase() -> None:
    history = [
        event("lead.created", "2024-03-01", lead_id="1", source="ads", rep_id="hunter"),
        event("lead.created", "2024-03-02", lead_id="2", source="fair"),
        buy("2024-03-03", "d", source="shop", rep_id="closer"),
        event("lead.created", "2024-03-04", lead_id="3", source="late"),
    ]
    found = {dims for name, dims in totals(history) if name == "new_customers"}
    assert found == {"", "source=fair", "rep=closer"}


def test_without_a_lead_a_customers_source_is_that_of_the_first_purchase() -> None:
    found = {dims for name, dims in totals([buy("2024-03-03", "d", source="shop")]) if name == "new_customers"}
    assert found == {"", "source=shop"}


def test_a_lead_is_created_once() -> None:
    history = [
        event("lead.created", "2024-03-02", lead_id="1", source="second"),
        event("lead.created", "2024-03-01", lead_id="1", source="first"),
        event("lead.created", "2024-03-01", source="own"),
    ]
    found = totals(history)
    assert found["leads_created", ""] == 2
    assert ("leads_created", "source=second") not in found


def test_active_customers_are_distinct_and_leave_a_rolling_window_by_themselves() -> None:
    history = [buy("2024-03-01 10:00:05", "1"), buy("2024-03-01 10:02", "2"), buy("2024-03-01 10:01", "1", "b")]

    def active(now: str) -> tuple[float | None, float | None]:
        value = ask("active_customers|5m|", history, now=now)
        return value["value"], value["previous"]

    assert active("2024-03-01 10:02:01") == (2, 0)
    assert active("2024-03-01 10:06") == (2, 1)
    assert active("2024-03-01 10:06:10") == (1, 2)
    assert active("2024-03-01 10:07:10") == (0, 2)
    assert active("2024-03-01 10:20") == (0, 0)


def test_by_dimension_a_buyer_counts_once_under_each_value_bought_under() -> None:
    history = [
        buy("2024-03-01", "1", product="x", channel="shop"),
        buy("2024-03-02", "2", product="y", channel="shop"),
        buy("2024-03-03", "3", product="y", channel="phone"),
    ]
    values = {dims: ask(f"active_customers|mtd|{dims}", history)["value"] for dims in ("", "product=x", "product=y")}
    assert values == {"": 1, "product=x": 1, "product=y": 1}
    assert ask("purchase_frequency|mtd|", history)["value"] == 3
    assert ask("repeat_customer_share|mtd|", history)["value"] == 1
    assert ask("repeat_customer_share|mtd|channel=shop", history)["value"] == 1
    assert ask("repeat_customer_share|mtd|channel=phone", history)["value"] == 0


def test_a_repeated_buyer_has_two_purchases_in_the_window_itself() -> None:
    history = [buy("2024-03-01 10:00", "1"), buy("2024-03-03 10:00", "2"), buy("2024-03-03 11:00", "1", "b")]
    for window, share in (("24h", 0.0), ("7d", 0.5), ("today", 0.0), ("mtd", 0.5), ("all", 0.5)):
        assert ask(f"repeat_customer_share|{window}|", history)["value"] == share, window


def test_buying_again_within_the_window_moves_the_exit() -> None:
    history = [buy("2024-03-01 10:00", "1"), buy("2024-03-01 10:04", "2")]
    assert ask("active_customers|5m|", history, now="2024-03-01 10:08:50")["value"] == 1
    assert ask("active_customers|5m|", history, now="2024-03-01 10:09:10")["value"] == 0
    assert ask("repeat_customer_share|5m|", history, now="2024-03-01 10:05")["value"] == 1
    assert ask("repeat_customer_share|5m|", history, now="2024-03-01 10:05:10")["value"] == 0


def test_the_first_win_of_an_account_is_new_and_the_others_return() -> None:
    history = [buy("2024-03-02", "2"), buy("2024-03-01", "1"), buy("2024-03-03", "3"), buy("2024-03-03", "1", "b")]
    deals = {c: ask(f"new_vs_returning_deals|all|customer_class={c}", history) for c in ("new", "returning")}
    assert (deals["new"]["value"], deals["returning"]["value"]) == (2, 2)
    history.append(event("deal.returned", "2024-03-04", deal_id="3", amount=100))
    share = ask("new_vs_returning_revenue_share|all|customer_class=returning", history)
    assert (share["numerator"], share["denominator"]) == (100, 300)
    assert ask("new_vs_returning_deals_share|all|customer_class=new", history)["value"] == 0.5


def test_a_class_has_a_series_once_it_has_an_event() -> None:
    history = [buy("2024-03-01", "1")]
    assert ask("new_vs_returning_deals_share|all|customer_class=new", history)["value"] == 1
    try:
        ask("new_vs_returning_deals_share|all|customer_class=returning", history)
    except KeyError:
        return
    raise AssertionError("a series without an event")


def test_a_win_converts_the_latest_lead_at_or_before_it_once() -> None:
    history = [
        event("lead.created", "2024-03-01", lead_id="1", source="ads"),
        event("lead.created", "2024-03-03", lead_id="2", source="fair"),
        buy("2024-03-02", "1"),
        buy("2024-03-03", "2", source="shop"),
        buy("2024-03-04", "3"),
    ]
    found = {key: n for key, n in totals(history).items() if key[0].startswith("time_to_convert")}
    assert found == {
        ("time_to_convert_seconds", ""): 86_400,
        ("time_to_convert_seconds", "source=ads"): 86_400,
        ("time_to_convert_seconds", "source=fair"): 0,
        ("time_to_convert_count", ""): 2,
        ("time_to_convert_count", "source=ads"): 1,
        ("time_to_convert_count", "source=fair"): 1,
    }


def test_first_contact_to_sale_is_from_the_first_conversation_to_the_first_purchase() -> None:
    history = [
        event("call.completed", "2024-03-01 09:00", outcome="no_answer", direction="outbound"),
        event("email.replied", "2024-03-01 10:00", message_id="m"),
        event("call.completed", "2024-03-01 11:00", outcome="connected", direction="outbound"),
        buy("2024-03-02 10:00", "1", rep_id="r"),
        buy("2024-03-05 10:00", "2"),
        buy("2024-03-02 10:00", "1", "b"),
        event("lead.contacted", "2024-03-03", "b"),
    ]
    value = ask("first_contact_to_sale_mean|all|rep=r", history)
    assert (value["value"], value["denominator"]) == (86_400, 1)
    assert ask("first_contact_to_sale_mean|all|", history)["denominator"] == 1


def test_percentiles_are_nearest_rank() -> None:
    start = at("2024-03-01")
    history = []
    for n in range(1, 11):
        history += [event("lead.created", start, f"a{n}"), event("deal.won", start + n * 1000, f"a{n}", amount=1)]
    assert ask("time_to_convert_p50|all|", history)["value"] == 5
    assert ask("time_to_convert_p90|all|", history)["value"] == 9
    assert ask("time_to_convert_p50|all|", history[:2])["value"] == 1
