"""What customers are worth, cost and how long they stay (kpis.md, 29-35, and the worked examples of LTV and ABC)."""

from __future__ import annotations

from typing import Any

from tests.oracle import OracleSettings
from tests.unit.oracle.build import ask_all, event


def buy(when: str, amount: int, account: str = "a", **fields: Any) -> dict[str, Any]:
    return event("deal.won", when, account, **({"deal_id": when, "amount": amount} | fields))


def spend(when: str, amount: int, category: str, **fields: Any) -> dict[str, Any]:
    body = event("spend.recorded", when, amount=amount, category=category, **fields)
    del body["account_id"]
    return body


def test_ltv_of_one_customers_four_purchases() -> None:
    brl = OracleSettings(currency="BRL")
    history = [buy(f"2024-03-0{n}", amount) for n, amount in enumerate([15_000, 25_000, 45_000, 35_000], 1)]
    value = ask_all("ltv|all|", history, settings=brl)
    assert (value["value"], value["numerator"], value["denominator"]) == (1200.00, 120_000, 1)


def test_a_return_lowers_the_ltv_and_amendments_restate_it() -> None:
    history = [
        event("lead.created", "2024-02-28", source="ads"),
        buy("2024-03-01", 10_000, deal_id="1", cost=4_000, source="shop"),
        event("deal.returned", "2024-03-05", deal_id="1", amount=2_000),
        buy("2024-03-02", 5_000, "b"),
    ]
    assert ask_all("ltv|all|source=ads", history)["value"] == 80.0
    assert ask_all("ltv_margin|all|source=ads", history)["value"] == 40.0
    assert ask_all("ltv|mtd|", history)["value"] == 65.0
    assert ask_all("ltv|today|", history)["previous"] == 75.0


def test_predicted_ltv_is_margin_a_day_of_custom_times_the_mean_lifetime() -> None:
    history = [buy("2024-03-01", 10_000, cost=7_000), buy("2024-03-02", 3_000, "b")]
    value = ask_all("ltv_predicted|all|", history, now="2024-03-11")
    assert (value["numerator"], value["denominator"]) == (6_000 * 730 * 86_400, 19 * 86_400)


def test_cac_roi_and_ltv_over_cac() -> None:
    history = [
        spend("2024-03-01", 3_000, "marketing", source="ads"),
        spend("2024-03-01", 1_000, "sales", source="ads"),
        spend("2024-03-01", 500, "service", source="ads"),
        spend("2024-03-01", 9_000, "marketing"),
        buy("2024-03-02", 10_000, source="ads", cost=1_000),
        buy("2024-03-02", 6_000, "b", source="ads"),
    ]
    assert ask_all("cac|all|source=ads", history)["value"] == 20.0
    assert ask_all("cac|all|", history)["value"] == 65.0
    roi = ask_all("roi|all|source=ads", history)
    assert (roi["numerator"], roi["denominator"]) == (15_000 - 4_500, 4_500)
    assert ask_all("ltv_cac|all|source=ads", history)["value"] == 80 / 20


def test_customers_leave_when_they_say_so_or_are_silent_beyond_the_horizon() -> None:
    history = [
        buy("2024-01-01 10:00", 1_000, "told"),
        event("service.churned", "2024-02-10", "told"),
        event("service.churned", "2024-02-11", "told"),
        buy("2024-01-01 10:00", 3_000, "silent"),
        buy("2024-01-01 10:00", 2_000, "faithful"),
        buy("2024-03-01 10:00", 4_000, "faithful"),
        event("service.churned", "2024-02-11", "never-bought"),
    ]
    churn = ask_all("churn_rate|mtd|", history, now="2024-02-28")
    assert (churn["numerator"], churn["denominator"]) == (1, 3)
    by_revenue = ask_all("revenue_churn_rate|mtd|", history, now="2024-02-28")
    assert (by_revenue["numerator"], by_revenue["denominator"]) == (1_000, 6_000)
    # The silent one leaves 90 days after the purchase: on 31 March, 10:00.
    later = ask_all("retention_rate|mtd|", history, now="2024-03-31 12:00")
    assert (later["numerator"], later["denominator"]) == (1, 2)
    assert ask_all("retention_rate|mtd|", history, now="2024-03-31 10:00")["numerator"] == 2
    assert ask_all("churn_rate|all|", history)["value"] is None
    lifetime = ask_all("customer_lifetime|all|", history, now="2024-03-31 12:00")
    assert (lifetime["numerator"], lifetime["denominator"]) == (90 * 86_400 + 39 * 86_400 + 14 * 3_600, 2)


def test_a_customer_who_comes_back_starts_again() -> None:
    history = [buy("2024-01-01", 100), event("service.churned", "2024-01-11"), buy("2024-02-01", 100)]
    history.append(event("service.churned", "2024-02-21"))
    lifetime = ask_all("customer_lifetime|all|", history)
    assert (lifetime["numerator"], lifetime["denominator"]) == (30 * 86_400, 2)


def test_class_a_holds_exactly_the_20_percent_who_make_80_percent() -> None:
    # 4 of 20 customers make 8,000 of 10,000; the next make 1,500, the rest 500.
    amounts = [2_000] * 4 + [300] * 5 + [50] * 10 + [0]
    history = [buy("2024-03-01", amount, f"a{n:02}") for n, amount in enumerate(amounts)]
    counts = {name: ask_all(f"abc_customers|all|abc_class={name}", history)["value"] for name in "ABC"}
    assert counts == {"A": 4, "B": 5, "C": 10}
    assert ask_all("abc_share|all|abc_class=A", history)["value"] == 0.8
    assert ask_all("abc_revenue|all|abc_class=B", history)["value"] == 15.0
    assert ask_all("abc_average_ticket|all|abc_class=C", history)["value"] == 0.5


def test_reps_are_ranked_and_equals_share_a_rank() -> None:
    amounts = {"w": 900, "x": 500, "y": 500, "z": 100}
    history = [buy("2024-03-01", amount, rep, rep_id=rep) for rep, amount in amounts.items()]
    ranks = {rep: ask_all(f"revenue_per_rep|all|rep={rep}", history)["rank"] for rep in amounts}
    assert ranks == {"w": 1, "x": 2, "y": 2, "z": 4}
    assert ask_all("deals_per_rep|all|rep=z", history)["rank"] == 1
