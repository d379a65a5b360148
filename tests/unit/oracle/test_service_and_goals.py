"""Web, service, invoices, activity and goals (kpis.md, 20, 21, 37, 39-42)."""

from __future__ import annotations

from typing import Any

from tests.unit.oracle.build import ask_all, event


def goal(target_id: str, **fields: Any) -> dict[str, Any]:
    body = {"target_id": target_id, "kpi": "revenue", "period": "month", "start": "2024-03-01", "kind": "currency"}
    found = event("target.set", "2024-02-20", **(body | fields))
    del found["account_id"]
    return found


def test_visits_forms_and_carts() -> None:
    history = [
        event("web.visit", "2024-03-01", source="ads", advertisement=True),
        event("web.visit", "2024-03-02"),
        event("web.form_submitted", "2024-03-02"),
        event("web.cart_created", "2024-03-02", cart_id="1"),
        event("web.cart_created", "2024-03-02", cart_id="2"),
        event("web.cart_abandoned", "2024-03-03", cart_id="2"),
    ]
    values = {
        name: ask_all(f"{name}|all|source=ads", history)["value"]
        for name in ("visits", "ad_visits", "forms_received", "abandoned_carts", "cart_abandonment")
    }
    assert list(values.values()) == [2, 1, 1, 1, 0.5]


def test_satisfaction_is_brought_to_one_scale_in_thousandths() -> None:
    history = [
        event("service.satisfaction", "2024-03-01", score=9, scale=10, product="x"),
        event("service.satisfaction", "2024-03-01", score=2, scale=3, product="x"),
        event("service.satisfaction", "2024-03-01", score=4),
    ]
    value = ask_all("satisfaction|all|product=x", history)
    assert (value["numerator"], value["denominator"]) == (4_500 + 3_333 + 4_000, 3)


def test_returns_amendments_and_complaints() -> None:
    history = [
        event("deal.won", "2024-03-01", amount=100, product="x"),
        event("deal.won", "2024-03-01", deal_id="2", amount=100, product="x"),
        event("deal.amended", "2024-03-02", amount=90),
        event("deal.won", "2024-03-03", amount=80),
        event("deal.returned", "2024-03-04"),
        event("service.complaint", "2024-03-05"),
    ]
    names = ("returns", "return_rate", "amendments", "complaints")
    assert [ask_all(f"{name}|all|product=x", history)["value"] for name in names] == [1, 0.5, 2, 1]


def test_a_paid_invoice_is_not_overdue_where_it_was_counted() -> None:
    history = [
        event("deal.invoice_due", "2024-03-01", invoice_id="1", amount=300, rep_id="r"),
        event("deal.invoice_due", "2024-03-01", invoice_id="2", amount=100),
        event("deal.invoice_overdue", "2024-03-10", invoice_id="1", amount=300),
        event("deal.invoice_overdue", "2024-03-10", invoice_id="2", amount=100),
    ]
    assert ask_all("non_payment_rate|mtd|rep=r", history)["value"] == 1.0
    history.append(event("deal.invoice_paid", "2024-04-02", invoice_id="1"))
    assert ask_all("non_payment_rate|all|", history)["numerator"] == 100
    assert ask_all("non_payment_rate|mtd|", history)["value"] is None


def test_activity_and_points() -> None:
    history = [
        event("call.completed", "2024-03-01", rep_id="r", outcome="busy", direction="outbound"),
        event("email.sent", "2024-03-01", message_id="m"),
        event("lead.stage_changed", "2024-03-02", to_stage="contacted"),
        event("deal.stage_changed", "2024-03-02", to_stage="proposal"),
        event("deal.won", "2024-03-03", amount=1),
        event("deal.won", "2024-03-04", amount=2),
        event("deal.quote_sent", "2024-03-04"),
    ]
    assert ask_all("activity|all|rep=r", history)["value"] == 5
    assert ask_all("points|all|rep=r", history)["value"] == 1 + 1 + 2 + 2 + 10


SALES = [
    event("deal.won", "2024-03-04", "a", amount=60_000, rep_id="r"),
    event("deal.won", "2024-03-05", "b", amount=15_000, rep_id="s"),
    event("deal.created", "2024-03-05", "c", amount=50_000, rep_id="r"),
]


def test_attainment_pace_and_projection_by_whole_working_days() -> None:
    # March 2024 has 21 working days; 7 of them are over at the end of 11 March.
    history = [*SALES, goal("month", value=100_000)]
    now = "2024-03-12 12:00"
    attainment = ask_all("target_attainment|mtd|target=month", history, now)
    assert (attainment["value"], attainment["numerator"], attainment["denominator"]) == (0.75, 75_000, 100_000)
    assert ask_all("target_pace|mtd|target=month", history, now)["value"] == 0.75 * 3
    assert ask_all("target_projection|mtd|target=month", history, now)["value"] == 2_250.0
    assert ask_all("pipeline_coverage|mtd|", history, now)["value"] == 50_000 / 25_000


def test_global_and_rep_series_are_the_sums_of_revenue_goals_with_just_that_dimension() -> None:
    history = [
        *SALES,
        goal("g", value=100_000),
        goal("r1", value=50_000, dimensions={"rep": "r"}),
        goal("r2", value=30_000, dimensions={"rep": "r"}),
        goal("n", value=4, kpi="deals_won", kind="number", dimensions={"rep": "r"}),
        goal("old", value=1, start="2024-02-01"),
        goal("gone", value=1, withdrawn=True),
    ]
    now = "2024-03-12 12:00"
    value = ask_all("target_attainment|mtd|rep=r", history, now)
    assert (value["numerator"], value["denominator"]) == (120_000, 80_000)
    assert ask_all("target_attainment|mtd|", history, now)["denominator"] == 100_000
    assert ask_all("target_attainment|mtd|target=n", history, now)["value"] == 0.25
    assert ask_all("pipeline_coverage|mtd|rep=r", history, now)["value"] is None


def test_parents_roll_up_their_children() -> None:
    history = [
        *SALES,
        goal("parent", value=0),
        goal("r", value=50_000, dimensions={"rep": "r"}, parent="parent"),
        goal("s", value=50_000, dimensions={"rep": "s"}, parent="parent"),
        goal("tasks", kind="tasks", value=0),
        goal("t1", kind="tasks", value=4, done=4, parent="tasks"),
        goal("t2", kind="boolean", value=1, done=False, parent="tasks"),
        goal("all", kind="boolean", value=1),
        goal("b1", kind="boolean", value=1, done=True, parent="all"),
    ]
    now = "2024-03-12 12:00"
    values = {
        name: ask_all(f"target_attainment|mtd|target={name}", history, now)["value"]
        for name in ("parent", "tasks", "t1", "t2", "all")
    }
    assert values == {"parent": 0.75, "tasks": 0.5, "t1": 1, "t2": 0, "all": 1}


def test_targets_are_exact_and_those_of_ratios_are_about_the_ratio() -> None:
    history = [
        *SALES,
        event("deal.lost", "2024-03-06", "d"),
        goal("wins", kpi="deals_won", kind="number", value=2.5),
        goal("tasks", kind="tasks", value=2.5, done=2),
        goal("share", kpi="win_rate", kind="number", value=0.6),
        goal("of-s", kpi="win_rate", kind="number", value=0.5, dimensions={"rep": "s"}),
        goal("ticket", kpi="average_ticket", value=50_000),
        goal("in-dollars", kpi="average_ticket", kind="number", value=500),
    ]
    now = "2024-03-12 12:00"
    values = {
        name: ask_all(f"target_attainment|mtd|target={name}", history, now)
        for name in ("wins", "tasks", "share", "of-s", "ticket", "in-dollars")
    }
    parts = {name: (value["numerator"], value["denominator"]) for name, value in values.items()}
    assert parts["wins"] == parts["tasks"] == (4, 5)
    assert parts["share"] == (2 * 5, 3 * 3)
    assert parts["of-s"] == (2, 1)
    assert parts["ticket"] == parts["in-dollars"] == (75_000, 2 * 50_000)
