"""The comparison must see every sort of difference, and none where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import OracleSettings, cell_differences, cells, contributions, kpi_differences, kpis
from tests.unit.oracle.build import at, event

HISTORY = [
    event("deal.created", "2024-03-01 10:00", rep_id="r"),
    event("deal.won", "2024-03-02 10:00", amount=333),
    event("deal.won", "2024-03-02 10:00", "b", amount=100),
    event("deal.lost", "2024-03-02 11:00", "b", deal_id="2"),
]
EXPECTED = kpis(HISTORY, OracleSettings(), at("2024-03-02 12:00"))


def published() -> dict[str, dict[str, Any]]:
    found = {}
    for key, value in EXPECTED.items():
        start, end = value["window_start_ms"], value["window_end_ms"]
        found[key] = {**value, "window_start": start or None, "window_end": end}
    return found


def test_equal_values_have_no_differences() -> None:
    assert kpi_differences(EXPECTED, published()) == []


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("deals_won|all|", "value", 3.0),
        ("revenue|24h|rep=r", "numerator", 334),
        ("win_rate|ytd|", "denominator", 4),
        ("win_rate|5m|", "value", 0.0),
        ("revenue|today|", "previous", None),
        ("revenue|today|", "unit", "count"),
        ("revenue|today|", "window_end", at("2024-03-02 12:15")),
        ("average_ticket|all|", "value", 2.1650001),
        ("sales_cycle_p50|all|", "value", 86_400 * 1.02),
    ],
)
def test_any_other_value_is_a_difference(key: str, field: str, value: object) -> None:
    found = published()
    found[key][field] = value
    (line,) = kpi_differences(EXPECTED, found)
    assert line.startswith(f"{key}: {field}")


def test_a_percentile_may_be_off_by_one_percent() -> None:
    found = published()
    found["sales_cycle_p50|all|"]["value"] = 86_400 * 1.01
    assert kpi_differences(EXPECTED, found) == []


def test_missing_and_unknown_series_are_differences_but_empty_ones_are_not() -> None:
    found = published()
    del found["deals_won|all|rep=r"]
    found["deals_won|all|rep=x"] = {**found["deals_won|all|"]}
    assert len(kpi_differences(EXPECTED, found)) == 2
    found["deals_won|all|rep=x"] |= {"value": 0, "numerator": 0, "previous": 0}
    assert kpi_differences(EXPECTED, found) == ["deals_won|all|rep=r: not published"]


def test_cells_are_compared_integer_by_integer() -> None:
    settings = OracleSettings()
    expected = cells(contributions(HISTORY, settings), settings)
    found = {key: dict(cell) for key, cell in expected.items()}
    assert cell_differences(expected, found, lambda *_: True) == []
    found["rep=r", "all", 0]["deals_won"] = 2
    del found["", "all", 0]["won_amount"]
    assert len(cell_differences(expected, found, lambda *_: True)) == 2
    assert len(cell_differences(expected, found, lambda measure, *_: measure == "deals_won")) == 1
