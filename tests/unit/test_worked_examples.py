"""The worked examples of the KPI definitions, computed by hand, through the engine without a broker."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from streams.mapping.find import load_mapping
from streams.mapping.rows import map_csv
from tests.harness import PurePipeline

_ids = count(1)


def at(text: str) -> int:
    """UTC milliseconds."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1000


def event(event_type: str, when: str, account_id: str = "a", **fields: Any) -> dict[str, Any]:
    if event_type.startswith("deal."):
        fields.setdefault("deal_id", f"d-{account_id}")
    return {
        "event_id": f"e{next(_ids)}",
        "event_type": event_type,
        "occurred_at": at(when),
        "account_id": account_id,
        **fields,
    }


def ask(events: list[dict[str, Any]], now: str, currency: str = "USD", **time: str) -> dict[str, KpiValue]:
    """All values at a time of the wall clock."""
    settings = settings_from({"time": {"clock": "wall", **time}, "money": {"currency": currency}})
    published = PurePipeline(settings).run(events, at(now))
    return {key: found.value for key, found in published.items()}


def test_four_purchases_of_150_250_450_and_350_are_1200_of_revenue_to_date() -> None:
    events = [
        event("deal.won", f"2024-0{month}-10 10:00", deal_id=f"d{month}", amount=amount * 100)
        for month, amount in ((1, 150), (2, 250), (3, 450), (4, 350))
    ]
    values = ask(events, "2024-05-01 00:00", currency="BRL")
    revenue = values["revenue|all|"]
    assert (revenue.value, revenue.numerator, revenue.currency) == (1200.00, 120_000, "BRL")
    assert values["average_ticket|all|"].value == 300.00
    assert values["active_customers|all|"].value == values["new_customers|all|"].value == 1
    assert values["purchase_frequency|all|"].value == 4.0
    assert values["repeat_customer_share|all|"].value == 1.0
    assert (values["ltv|all|"].value, values["ltv|all|"].currency) == (1200.00, "BRL")


def test_of_100_leads_20_bought_so_conversion_is_20_percent() -> None:
    leads = [
        event("lead.created", "2024-03-05 10:00", f"a{n}", source="fair", channel="phone" if n % 2 else "web")
        for n in range(100)
    ]
    wins = [event("deal.won", "2024-03-06 10:00", f"a{n}", amount=1) for n in range(20)]
    again = [event("deal.won", "2024-03-07 10:00", f"a{n}", amount=1, deal_id="further") for n in range(5)]
    values = ask([*leads, *wins, *again], "2024-03-08 00:00")
    found = values["lead_conversion|mtd|"]
    assert (found.value, found.numerator, found.denominator) == (0.20, 20, 100)
    assert values["source_conversion|mtd|source=fair"].value == 0.20
    assert values["channel_conversion|mtd|channel=phone"].value == 10 / 50
    assert values["lead_conversion|mtd|"].previous is None, "February had no leads: unknown, and not 0"


def test_the_weakest_stage_is_named_and_ten_points_better_in_the_next_month() -> None:
    # First meeting: 15 of 100 went on in March, 25 of 100 in April. From proposal on, half of them did.
    events = [found for month, onward in ((3, 15), (4, 25)) for found in funnel(month, onward)]
    march, april = (ask(events, f"2024-0{month}-01 00:00") for month in (4, 5))
    stage = "stage_conversion|mtd|stage=first_meeting"
    assert (march[stage].value, march[stage].numerator, march[stage].denominator) == (0.15, 15, 100)
    assert (april[stage].value, april[stage].previous) == (0.25, 0.15)
    assert april[stage].difference == pytest.approx(0.10)
    for values, share in ((march, 0.15), (april, 0.25)):
        assert (values["weakest_stage|mtd|"].label, values["weakest_stage|mtd|"].value) == ("first_meeting", share)


def funnel(month: int, onward: int) -> list[dict[str, Any]]:
    events = []
    for n in range(100):
        lead = f"l{month}-{n}"
        events.append(event("lead.created", f"2024-0{month}-05 10:00", lead, stage="contacted"))
        moved = {"from_stage": "contacted", "to_stage": "first_meeting"}
        events.append(event("lead.stage_changed", f"2024-0{month}-06 10:00", lead, **moved))
        if n < onward:
            moved = {"from_stage": "first_meeting", "to_stage": "proposal"}
            events.append(event("lead.stage_changed", f"2024-0{month}-07 10:00", lead, **moved))
        if n < onward // 2:
            events.append(event("lead.qualified", f"2024-0{month}-08 10:00", lead))
    return events


def test_class_a_holds_exactly_the_fifth_of_the_customers_that_makes_four_fifths_of_the_revenue() -> None:
    # 20 customers of 40.00 make 800.00 of 1,000.00; 80 of 2.50 the rest: 150.00 of it (60 of them) is class B
    events = [
        event("deal.won", "2024-03-01 10:00", f"c{n}", amount=4_000 if n % 5 == 0 else 250, deal_id=f"d{n}")
        for n in range(100)
    ]
    values = ask(events, "2024-03-02 00:00")

    def by_class(kpi: str) -> list[float | int | None]:
        return [values[f"{kpi}|all|abc_class={name}"].value for name in "ABC"]

    assert by_class("abc_customers") == [20, 60, 20]
    assert by_class("abc_revenue") == [800.00, 150.00, 50.00]
    assert by_class("abc_share") == [0.80, 0.15, 0.05]
    assert by_class("abc_average_ticket") == [40.00, 2.50, 2.50]


def test_a_kpi_of_classes_is_ranked_also_where_it_is_the_only_one_in_force() -> None:
    settings = settings_from({"catalogue": {"include": ["abc_share"]}})
    events = [event("deal.won", "2024-03-01 10:00", f"c{n}", amount=amount) for n, amount in enumerate((900, 60, 40))]
    published = PurePipeline(settings).run(events, at("2024-03-02 00:00"))
    assert [published[f"abc_share|all|abc_class={name}"].value.value for name in "ABC"] == [0.90, 0.06, 0.04]


def test_a_return_lowers_the_revenue_of_the_window_in_which_it_occurred() -> None:
    #  3 March             31 March | 2 April         now: 3 April 12:00
    #  won 1,000.00                 | returned 250.00
    events = [
        event("deal.won", "2024-03-03 10:00", amount=100_000),
        event("deal.returned", "2024-04-02 10:00", amount=25_000),
    ]
    before = ask(events[:1], "2024-04-03 12:00")
    after = ask(events, "2024-04-03 12:00")
    assert (before["revenue|mtd|"].value, after["revenue|mtd|"].value) == (0, -250.00)
    assert before["revenue|mtd|"].previous == after["revenue|mtd|"].previous == 1000.00, "March up to the 3rd at 12:00"
    assert after["revenue|all|"].value == 750.00
    assert after["average_ticket|all|"].value == 1000.00, "the ticket is gross"
    assert (before["ltv|all|"].value, after["ltv|all|"].value) == (1000.00, 750.00), "and the customer's LTV"


def test_a_deal_moved_before_it_closes_counts_for_the_closing_rep_only() -> None:
    events = [
        event("deal.created", "2024-03-01 10:00", rep_id="anna", team_id="north", amount=50_000),
        event("deal.reassigned", "2024-03-02 10:00", rep_id="ben", team_id="south"),
        event("deal.won", "2024-03-03 10:00"),
        event("deal.reassigned", "2024-03-04 10:00", rep_id="carl"),
    ]
    values = ask(events, "2024-03-05 00:00")
    assert (values["revenue|7d|rep=ben"].value, values["deals_won|7d|rep=ben"].value) == (500.00, 1)
    assert values["revenue|7d|team=south"].value == 500.00
    sold = [key for key in values if key.startswith(("revenue", "deals_", "average_ticket", "win_rate", "sales_cycle"))]
    assert not {key for key in sold if key.endswith(("rep=anna", "rep=carl", "team=north"))}
    assert values["open_deals|7d|rep=anna"].value == 0, "it was hers as long as it was open there"


def test_the_crm_export_has_its_known_totals(crm: Path) -> None:
    mapped = map_csv(load_mapping("crm_opportunities"), crm / "sales_pipeline.csv")
    values = ask([found.event for found in mapped.events], "2018-01-01 00:00")
    assert values["deals_won|all|"].value == 4_238
    assert (values["win_rate|all|"].numerator, values["win_rate|all|"].denominator) == (4_238, 4_238 + 2_473)
    assert round(values["win_rate|all|"].value or 0, 4) == 0.6315
    assert values["revenue|all|"].value == 10_005_534
    assert round(values["average_ticket|all|"].value or 0, 2) == 2_360.91


def test_win_rate_and_average_ticket_come_from_their_parts() -> None:
    events = [event("deal.won", "2024-03-01 10:00", f"w{n}", amount=amount) for n, amount in enumerate((100, 200, 300))]
    events += [event("deal.lost", "2024-03-01 10:00", f"l{n}") for n in range(2)]
    values = ask(events, "2024-03-02 00:00")
    assert (values["win_rate|all|"].numerator, values["win_rate|all|"].denominator) == (3, 5)
    assert values["win_rate|all|"].value == pytest.approx(0.6)
    assert values["average_ticket|all|"].value == 2.00


def test_month_over_month_growth_compares_with_the_same_days_of_last_month() -> None:
    events = [
        event("deal.won", "2024-02-05 10:00", "a", amount=10_000),
        event("deal.won", "2024-02-25 10:00", "b", amount=90_000),
        event("deal.won", "2024-03-05 10:00", "c", amount=15_000),
    ]
    found = ask(events, "2024-03-10 12:00")["revenue_growth|mtd|"]
    assert (found.value, found.numerator, found.denominator) == (0.5, 5_000, 10_000)
    on_the_31st = ask(events, "2024-03-31 12:00")["revenue_growth|mtd|"]
    assert on_the_31st.denominator == 100_000, "against all of February"


def test_new_and_returning_customers_share_the_revenue() -> None:
    events = [
        event("deal.won", "2024-03-01 10:00", "a", amount=300, deal_id="1"),
        event("deal.won", "2024-03-02 10:00", "a", amount=100, deal_id="2"),
        event("deal.won", "2024-03-02 11:00", "b", amount=600),
    ]
    values = ask(events, "2024-03-03 00:00")
    key = "new_vs_returning_{}|all|customer_class={}".format
    assert [values[key("revenue", name)].value for name in ("new", "returning")] == [9.00, 1.00]
    assert [values[key("revenue_share", name)].value for name in ("new", "returning")] == [0.9, 0.1]
    assert [values[key("deals_share", name)].value for name in ("new", "returning")] == [2 / 3, 1 / 3]
    assert "new_vs_returning_revenue|all|" not in values


def test_active_customers_are_distinct_and_leave_by_themselves() -> None:
    events = [
        event("deal.won", "2024-03-01 10:00", "a", amount=1, deal_id="1"),
        event("deal.won", "2024-03-05 10:00", "a", amount=1, deal_id="2"),
        event("deal.won", "2024-03-02 10:00", "b", amount=1),
    ]
    moments = ("02 10:15", "09 10:15", "12 10:00", "12 10:15")
    counts = [ask(events, f"2024-03-{now}")["active_customers|7d|"].value for now in moments]
    assert counts == [2, 1, 1, 0]


def test_calls_connect_rate_and_talk_time_by_direction() -> None:
    calls = [("inbound", "connected", 60), ("inbound", "busy", 5), ("outbound", "connected", 30)]
    events = [
        event("call.completed", "2024-03-01 10:00", direction=d, outcome=o, duration_s=s, purpose="price", rep_id="r")
        for d, o, s in calls
    ]
    values = ask(events, "2024-03-01 11:00")
    assert values["calls|today|direction=inbound"].value == 2
    assert values["connect_rate|today|direction=inbound"].value == 0.5
    assert values["talk_time|today|rep=r"].value == 90, "connected calls only"
    assert values["price_inquiries|today|rep=r"].value == 2, "inbound calls only"


def test_the_open_rate_counts_a_message_once_and_falls_back_to_those_sent() -> None:
    mails = [("sent", "m1"), ("sent", "m2"), ("opened", "m1"), ("opened", "m1")]
    events = [
        event(f"email.{verb}", f"2024-03-01 10:0{n}", message_id=m, rep_id="r") for n, (verb, m) in enumerate(mails)
    ]
    assert ask(events, "2024-03-01 11:00")["email_open_rate|today|rep=r"].value == 0.5
    events.append(event("email.delivered", "2024-03-01 10:09", message_id="m1"))
    assert ask(events, "2024-03-01 11:00")["email_open_rate|today|rep=r"].value == 1.0


def test_sales_cycle_first_contact_and_conversion_in_seconds() -> None:
    events = [
        event("lead.created", "2024-03-01 08:00", source="ads"),
        event("call.completed", "2024-03-01 09:00", outcome="connected"),
        event("deal.created", "2024-03-01 10:00"),
        event("deal.won", "2024-03-02 10:00", amount=1),
    ]
    values = ask(events, "2024-03-03 00:00")
    assert values["sales_cycle_mean|all|"].value == 24 * 3600
    assert values["first_contact_to_sale_mean|all|"].value == 25 * 3600
    assert values["time_to_convert_mean|all|source=ads"].value == 26 * 3600
    assert values["sales_cycle_p90|all|"].value == pytest.approx(24 * 3600, rel=0.01)


def test_foreign_money_is_converted_one_by_one_half_up() -> None:
    settings = settings_from({"money": {"currency": "USD", "rates": {"EUR": "1.5"}}})
    events = [event("deal.won", "2024-03-01 10:00", f"a{n}", amount=1, currency="EUR") for n in range(2)]
    published = PurePipeline(settings).run(events, at("2024-03-02 00:00"))
    assert published["revenue|all|"].value.numerator == 4, "1.5 and 1.5 cents are 2 and 2, not 3"


def test_duplicates_count_once_and_a_day_of_25_hours_is_one_day() -> None:
    sale = event("deal.won", "2024-10-26 22:30", amount=100)  # Berlin: 27 October 00:30
    last = event("deal.won", "2024-10-27 22:30", "b", amount=100)  # the same day, 23:30
    values = ask([sale, last, sale, last], "2024-10-27 22:45", zone="Europe/Berlin")
    assert values["deals_won|today|"].value == 2
    assert values["deals_won|24h|"].value == 1
