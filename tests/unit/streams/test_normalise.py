"""Rows: currencies, scores, blanks, accounts of what has none, and events from the future."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from schemas.decode import decode
from schemas.errors import InvalidEvent
from schemas.rows import COLUMNS, EVENT_TYPES, KIND, Row
from schemas.settings import settings_from
from streams.intake.normalise import Normaliser, event_hash

NOW_MS = 1_715_938_200_000
NORMALISER = Normaliser(
    settings_from({"money": {"currency": "USD", "rates": {"EUR": 1.08, "JPY": "0.0066", "KWD": "3.25"}}})
)


def row_of(event_type: str, normaliser: Normaliser = NORMALISER, **fields: Any) -> Row:
    event = {"event_id": "e-1", "event_type": event_type, "occurred_at": NOW_MS, "account_id": "a-1"} | fields
    return normaliser.row(decode(json.dumps(event).encode()), 3, 17, NOW_MS)


def test_every_column_of_every_type_is_filled_from_its_field() -> None:
    own: dict[str, Any] = {
        "amount": 5,
        "cost": 3,
        "items": [{"product": "p", "quantity": 2, "amount": 5, "cost": 3}],
        "duration_s": 60,
        "advertisement": True,
        "score": 4,
        "direction": "inbound",
        "outcome": "busy",
        "purpose": "price",
        "category": "sales",
        "target_id": "t-1",
        "kpi": "revenue",
        "period": "month",
    }
    for event_type, columns in COLUMNS.items():
        texts = {name: name.upper() for name in columns.values() if name not in own}
        needed = {"deal_id": "D", "message_id": "M", "to_stage": "TO_STAGE"}
        row = row_of(event_type, **(needed | own | texts))
        assert (row.section, row.offset, row.at_ms, row.event_id) == (3, 17, NOW_MS, "e-1")
        assert EVENT_TYPES[row.kind] == event_type
        for column, name in columns.items():
            expected: Any = texts.get(name, own.get(name))
            if name == "items":
                expected = (("p", 2, 5, 3),)
            elif name == "score":
                expected = 4_000
            assert getattr(row, column) == expected, (event_type, column)
        for column in {"ref", "amount", "cost", "label", "label2", "label3", "number", "items"} - columns.keys():
            assert getattr(row, column) is None, (event_type, column)


def test_dimensions_are_what_the_event_states_and_blank_is_not_stated() -> None:
    row = row_of("web.visit", rep_id="r", team_id="t", region="", source="s", channel="c", product=None)
    assert (row.rep, row.team, row.region, row.source, row.channel, row.product) == ("r", "t", None, "s", "c", None)
    assert row_of("lead.created", lead_id="").ref == "a-1"
    assert row_of("lead.created", lead_id="l-1").ref == "l-1"


@pytest.mark.parametrize(
    ("currency", "amount", "converted"),
    [
        (None, 12_345, 12_345),
        ("", 12_345, 12_345),
        ("USD", 12_345, 12_345),
        ("EUR", 100, 108),
        ("EUR", 1, 1),
        ("EUR", 6, 6),  # 6.48
        ("EUR", 7, 8),  # 7.56
        ("JPY", 1_000, 660),  # 1,000 yen have no cents: 6.60 dollars
        ("KWD", 1_000, 325),  # 1,000 fils are one dinar
        ("KWD", 2, 1),  # 0.65
    ],
)
def test_amounts_are_converted_half_up_with_the_decimals_of_both_currencies(
    currency: str | None, amount: int, converted: int
) -> None:
    row = row_of("deal.won", deal_id="d", amount=amount, cost=amount, currency=currency, items=[{"amount": amount}])
    assert (row.amount, row.cost) == (converted, converted)
    assert row.items == ((None, 1, converted, None),)


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("web.visit", {}),
        ("deal.lost", {"deal_id": "d"}),
        ("deal.won", {"deal_id": "d"}),
        ("deal.won", {"deal_id": "d", "items": [{"product": "p"}]}),
        ("target.set", {"target_id": "t", "kpi": "deals_won", "period": "day", "value": 3}),
    ],
)
def test_a_currency_without_money_needs_no_rate(event_type: str, fields: dict[str, Any]) -> None:
    assert row_of(event_type, currency="XXX", **fields) == row_of(event_type, **fields)


def test_exactly_half_is_rounded_up() -> None:
    normaliser = Normaliser(settings_from({"money": {"currency": "USD", "rates": {"EUR": 0.5}}}))
    amounts = [row_of("deal.won", normaliser, deal_id="d", amount=n, currency="EUR").amount for n in range(5)]
    assert amounts == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("score", "scale", "thousandths"),
    [(4, None, 4_000), (5, 5, 5_000), (7, 10, 3_500), (1, 3, 1_667), (4.35, 5, 4_350), (0, 10, 0), (9.9995, 10, 5_000)],
)
def test_scores_come_to_the_scale_of_the_settings_in_thousandths(
    score: float, scale: float | None, thousandths: int
) -> None:
    assert row_of("service.satisfaction", score=score, scale=scale).number == thousandths


def test_what_has_no_account_gets_one_that_no_customer_can_have() -> None:
    spend = row_of("spend.recorded", category="sales", amount=5)
    again = row_of("spend.recorded", category="sales", amount=5)
    other = {row_of("spend.recorded", category="sales", amount=5, event_id=f"e-{n}").account for n in range(200)}
    assert spend.account == again.account
    assert spend.account.startswith("\0spend")
    assert len(other) == 16
    target = row_of("target.set", target_id="t-1", kpi="revenue", period="month")
    assert target.account == "\0targett-1"
    with pytest.raises(InvalidEvent, match="wrong_value: account_id"):
        row_of("web.visit", account_id="\0spend1")


def test_a_target_keeps_its_own_fields_as_json() -> None:
    row = row_of(
        "target.set",
        target_id="t-1",
        kpi="revenue",
        dimensions={"rep": "r-7"},
        period="month",
        start="2024-05-01",
        value=1_000,
        kind="currency",
        currency="EUR",
        parent="t-0",
    )
    assert json.loads(row.extra or "") == {
        "dimensions": {"rep": "r-7"},
        "done": 0,
        "kind": "currency",
        "kpi": "revenue",
        "parent": "t-0",
        "period": "month",
        "start": "2024-05-01",
        "value": 1_080,
        "withdrawn": False,
    }
    withdrawn = json.loads(row_of("target.set", target_id="t-1", withdrawn=True).extra or "")
    assert withdrawn["withdrawn"] is True
    timed = row_of("target.set", target_id="t", kpi="k", period="day", start="2024-05-01T00:00:00+02:00")
    assert json.loads(timed.extra or "")["start"] == 1_714_514_400_000
    week = row_of("target.set", target_id="t", kpi="k", period="week", start="2024-w20-1")
    assert json.loads(week.extra or "")["start"] == "2024-05-13"


@pytest.mark.parametrize("kind", ["tasks", "boolean"])
def test_tasks_are_about_no_kpi(kind: str) -> None:
    row = row_of("target.set", target_id="t", period="month", kind=kind, value=5, done=1)
    assert json.loads(row.extra or "")["kpi"] is None


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("web.visit", {"occurred_at": NOW_MS + 300_001}, "future", "occurred_at"),
    ("web.visit", {"occurred_at": 10**18}, "future", "occurred_at"),
    ("web.visit", {"occurred_at": "2024-05-17"}, "bad_date", "occurred_at"),
    ("web.visit", {"account_id": "  "}, "empty_id", "account_id"),
    ("deal.lost", {"deal_id": " \u3000 "}, "empty_id", "deal_id"),
    ("deal.won", {"deal_id": "d", "amount": 0, "currency": "XXX"}, "unknown_currency", "currency"),
    ("deal.created", {"deal_id": "d", "cost": 1, "currency": "usd"}, "unknown_currency", "currency"),
    ("deal.won", {"deal_id": "d", "items": [{}, {"cost": 1}], "currency": "XXX"}, "unknown_currency", "currency"),
    ("deal.won", {"deal_id": "d", "currency": "EUR", "cost": 2**53}, "out_of_range", "cost"),
    ("deal.won", {"deal_id": "d", "currency": "EUR", "items": [{"cost": 2**53}]}, "out_of_range", "items[0].cost"),
    ("service.satisfaction", {"score": 6}, "out_of_range", "score"),
    ("service.satisfaction", {"score": 0, "scale": 0}, "wrong_value", "scale"),
    ("target.set", {"target_id": "t"}, "missing_field", "kpi"),
    ("target.set", {"target_id": "t", "period": "day", "kind": "currency"}, "missing_field", "kpi"),
    ("target.set", {"target_id": "t", "kind": "tasks"}, "missing_field", "period"),
    ("target.set", {"target_id": "t", "kpi": "revenue"}, "missing_field", "period"),
    (
        "target.set",
        {"target_id": "t", "kpi": "k", "period": "day", "dimensions": {"a": "b", "c": "d"}},
        "wrong_value",
        "dimensions",
    ),
    (
        "target.set",
        {"target_id": "t", "kpi": "k", "period": "day", "dimensions": {"reps": "b"}},
        "wrong_value",
        "dimensions.reps",
    ),
    (
        "target.set",
        {"target_id": "t", "kpi": "k", "period": "day", "kind": "currency", "value": 1.5},
        "wrong_type",
        "value",
    ),
    ("target.set", {"target_id": "t", "kpi": "k", "period": "day", "start": "2024-02-30"}, "bad_date", "start"),
    ("target.set", {"target_id": "t", "kpi": "k", "period": "day", "start": "9999-12-31"}, "out_of_range", "start"),
    ("target.set", {"target_id": "t", "kpi": "k", "period": "day", "start": 10**18}, "out_of_range", "start"),
]


@pytest.mark.parametrize(("event_type", "fields", "reason", "field"), FAULTS)
def test_what_cannot_be_counted_is_refused(event_type: str, fields: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(InvalidEvent) as raised:
        row_of(event_type, **fields)
    assert (raised.value.reason, raised.value.field) == (reason, field)
    assert raised.value.allowed


def test_an_event_may_be_ahead_by_the_allowed_skew() -> None:
    assert row_of("web.visit", occurred_at=NOW_MS + 300_000).at_ms == NOW_MS + 300_000


def test_the_hash_of_an_event_id_is_blake2b() -> None:
    digest = hashlib.blake2b(b"e-1", digest_size=8).digest()
    assert event_hash("e-1") == int.from_bytes(digest, "little", signed=True)
    assert row_of("web.visit").event_hash == event_hash("e-1")
    assert {event_hash(str(number)) < 0 for number in range(100)} == {True, False}


def test_kinds_of_the_life_cycle_are_those_of_the_log() -> None:
    assert row_of("deal.won", deal_id="d").kind == KIND["deal.won"] == 20
