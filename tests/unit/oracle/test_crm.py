"""The CRM export of 8,800 opportunities: known totals, and every breakdown recounted from the rows."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from tests.oracle import KpiValue, OracleSettings, kpis
from tests.servers import CRM

pytestmark = pytest.mark.usefixtures("crm")
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (CRM / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def opportunities() -> list[Row]:
    teams = {row["sales_agent"]: row for row in rows("sales_teams")}
    # The export writes one product without its space.
    return [
        row
        | {"product": row["product"].replace("GTXPro", "GTX Pro")}
        | {"team": teams[row["sales_agent"]]["manager"], "region": teams[row["sales_agent"]]["regional_office"]}
        for row in rows("sales_pipeline")
    ]


def nine_utc(text: str) -> int:
    day = datetime.strptime(text, "%m/%d/%Y").replace(hour=9, tzinfo=UTC)
    return int(day.timestamp()) * 1000


def events_of(row: Row) -> list[dict[str, Any]]:
    deal = row["opportunity_id"]
    common = {
        "account_id": row["account"] or deal,
        "deal_id": deal,
        "rep_id": row["sales_agent"],
        "team_id": row["team"],
        "region": row["region"],
        "product": row["product"],
    }
    events = []
    if row["engage_date"]:
        created = {"event_id": f"{deal}-created", "event_type": "deal.created"}
        events.append(common | created | {"occurred_at": nine_utc(row["engage_date"])})
    if row["deal_stage"] in ("Won", "Lost"):
        name = row["deal_stage"].lower()
        closed = {"event_id": f"{deal}-{name}", "event_type": f"deal.{name}"}
        amount = {"amount": int(row["close_value"]) * 100} if name == "won" else {}
        events.append(common | closed | amount | {"occurred_at": nine_utc(row["close_date"])})
    return events


@cache
def values() -> dict[str, KpiValue]:
    events = [event for row in opportunities() for event in events_of(row)]
    now_ms = max(event["occurred_at"] for event in events) + 1
    return kpis(events, OracleSettings(), now_ms)


@pytest.mark.parametrize("window", ["all", "ytd"])
def test_known_totals(window: str) -> None:
    found = values()
    assert len(opportunities()) == 8_800
    assert found[f"deals_won|{window}|"]["value"] == 4_238
    assert found[f"revenue|{window}|"]["value"] == 10_005_534.00
    assert found[f"revenue|{window}|"]["numerator"] == 1_000_553_400
    rate = found[f"win_rate|{window}|"]
    assert (rate["numerator"], rate["denominator"]) == (4_238, 6_711)
    assert rate["value"] == pytest.approx(0.6315, abs=5e-5)
    assert found[f"average_ticket|{window}|"]["value"] == pytest.approx(2_360.91, abs=5e-3)


@pytest.mark.parametrize(
    ("dimension", "column"), [("rep", "sales_agent"), ("team",) * 2, ("region",) * 2, ("product",) * 2]
)
def test_breakdowns(dimension: str, column: str) -> None:
    won, lost, revenue = Counter[str](), Counter[str](), Counter[str]()
    for row in opportunities():
        if row["deal_stage"] == "Won":
            won[row[column]] += 1
            revenue[row[column]] += int(row["close_value"])
        elif row["deal_stage"] == "Lost":
            lost[row[column]] += 1
    found = values()
    prefix = f"win_rate|all|{dimension}="
    assert {key.removeprefix(prefix) for key in found if key.startswith(prefix)} == set(won + lost)
    for name in won:
        dims = f"{dimension}={name}"
        assert found[f"deals_won|all|{dims}"]["value"] == won[name]
        assert found[f"revenue|all|{dims}"]["value"] == revenue[name]
        assert found[f"win_rate|all|{dims}"]["value"] == won[name] / (won[name] + lost[name])
        assert found[f"average_ticket|ytd|{dims}"]["value"] == pytest.approx(revenue[name] / won[name], rel=1e-12)


def test_sales_cycle_is_from_engagement_to_close() -> None:
    days = sorted(
        (nine_utc(row["close_date"]) - nine_utc(row["engage_date"])) // 86_400_000
        for row in opportunities()
        if row["deal_stage"] == "Won"
    )
    found = values()
    assert found["sales_cycle_mean|all|"]["numerator"] == sum(days) * 86_400
    assert found["sales_cycle_p50|all|"]["value"] == days[2118] * 86_400
    assert found["sales_cycle_p90|all|"]["value"] == days[3814] * 86_400


def test_every_account_with_a_win_is_a_customer_once() -> None:
    customers = {row["account"] for row in opportunities() if row["deal_stage"] == "Won"}
    assert values()["new_customers|all|"]["value"] == len(customers)
    assert values()["active_customers|ytd|"]["value"] == len(customers)
