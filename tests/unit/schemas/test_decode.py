"""What is taken for an event, and what is said of a message that is none."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from schemas.declare import Dimension
from schemas.decode import decode, instant_ms
from schemas.errors import DEAD_LETTER_REASONS, InvalidEvent
from schemas.events import EVENT_CLASSES, DealWon, EmailOpened, Item, LeadCreated, TargetSet
from schemas.json_schemas import json_schemas
from schemas.own_fields import OwnFields
from schemas.rows import COLUMNS, EVENT_TYPES, KIND


def won(**changes: Any) -> dict[str, Any]:
    """A good sale, changed; a value of ... takes the field out."""
    event = {
        "event_id": "e-1",
        "event_type": "deal.won",
        "occurred_at": "2024-05-17T09:30:00Z",
        "account_id": "a-1",
        "deal_id": "d-1",
        "amount": 1500,
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def raw(event: Any) -> bytes:
    return json.dumps(event).encode()


def test_every_event_type_has_a_struct_whose_fields_the_columns_name() -> None:
    assert tuple(EVENT_CLASSES) == EVENT_TYPES
    for name, columns in COLUMNS.items():
        assert set(columns.values()) <= set(EVENT_CLASSES[name].__struct_fields__), name


def test_a_good_event_with_all_it_may_have() -> None:
    items = [{"product": "p-1", "quantity": 2, "amount": 1000, "cost": 700}, {"amount": 500}]
    event = decode(raw(won(items=items, rep_id="r-7", currency="EUR", note={"unknown": ["fields", None]})))
    assert isinstance(event, DealWon)
    assert event.items == (Item(product="p-1", quantity=2, amount=1000, cost=700), Item(amount=500))
    assert (event.rep_id, event.team_id, event.currency, event.amount) == ("r-7", None, "EUR", 1500)


def test_null_is_not_stated() -> None:
    event = decode(raw(won(rep_id=None, amount=None)))
    assert isinstance(event, DealWon)
    assert (event.rep_id, event.amount) == (None, None)


FAULTS: list[tuple[bytes | None, str, str, str]] = [
    # message, reason, field, part of what was found
    (None, "tombstone", "", "no bytes"),
    (b"", "empty", "", "0 bytes"),
    (b" \n ", "empty", "", "white space"),
    (b'{"event_id": "e-1", ', "broken_json", "", "character 20"),
    (b'{"a": 1} trailing', "broken_json", "", "Extra data"),
    (b'{"a":' + b"[" * 200_000, "broken_json", "", "nested too deeply"),
    (raw([won()]), "not_an_object", "", "[{"),
    (b"42", "not_an_object", "", "42"),
    (b"NaN", "not_an_object", "", "NaN"),
    (raw(won())[:-1] + b', "note": "' + b"x" * 300_000 + b'"}', "too_large", "", "300"),
    (raw(won(amount="1500")), "wrong_type", "amount", '"1500"'),
    (raw(won(amount=15.5)), "wrong_type", "amount", "15.5"),
    (raw(won(amount=True)), "wrong_type", "amount", "true"),
    (raw(won(deal_id=7)), "wrong_type", "deal_id", "7"),
    (raw(won(occurred_at=1.5)), "wrong_type", "occurred_at", "1.5"),
    (raw(won(items={})), "wrong_type", "items", "{}"),
    (raw(won(items=["p-1"])), "wrong_type", "items[0]", '"p-1"'),
    (raw(won(event_type=5)), "wrong_type", "event_type", "5"),
    (raw(won(event_type=...)), "missing_field", "event_type", "nothing"),
    (raw(won(deal_id=...)), "missing_field", "deal_id", "nothing"),
    (raw(won(account_id=None)), "missing_field", "account_id", "null"),
    (raw(won(occurred_at=...)), "missing_field", "occurred_at", "nothing"),
    (b'{"event_type": "deal.won", "amount": NaN}', "not_a_number", "amount", "NaN"),
    (raw(won(items=[{"cost": float("-inf")}])), "not_a_number", "items[0].cost", "-Infinity"),
    (raw(won(amount="NaN")), "not_a_number", "amount", '"NaN"'),
    (raw(won(amount=-1)), "negative", "amount", "-1"),
    (raw(won(items=[{"amount": 1}, {"amount": -5}])), "negative", "items[1].amount", "-5"),
    (raw(won(amount=2**53 + 1)), "out_of_range", "amount", "9007199254740993"),
    (raw(won(amount=10**400)), "out_of_range", "amount", "1000000"),
    (raw(won(amount=0)).replace(b": 0", b": 1e999"), "out_of_range", "amount", "1e999"),
    (raw(won(items=[{"quantity": 2**31 + 1}])), "out_of_range", "items[0].quantity", "2147483649"),
    (raw(won(event_type="deal.wonn")), "unknown_type", "event_type", "deal.wonn"),
    (raw(won(event_id="")), "empty_id", "event_id", '""'),
    (raw(won(deal_id="")), "empty_id", "deal_id", '""'),
    (raw(won(rep_id="\xff")).replace(b"\\u00ff", b"\xff"), "invalid_utf8", "", "0xff"),
    (raw(won(rep_id="\ud800")), "invalid_utf8", "rep_id", "\\ud800"),
    (raw(won(account_id="a\x00b")), "wrong_value", "account_id", "\\u0000"),
    (raw(won(items=[{"product": "a\nb"}])), "wrong_value", "items[0].product", "a\\nb"),
    (raw(won(account_id="x" * 257)), "too_large", "account_id", "xxx"),
    (
        raw(won(event_type="call.completed", outcome="answered", deal_id=...)),
        "wrong_value",
        "outcome",
        '"answered"',
    ),
    (raw(won(event_type="lead.stage_changed", to_stage="")), "wrong_value", "to_stage", '""'),
]


@pytest.mark.parametrize(("message", "reason", "field", "found"), FAULTS)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(
    message: bytes | None, reason: str, field: str, found: str
) -> None:
    with pytest.raises(InvalidEvent) as raised:
        decode(message)
    error = raised.value
    assert (error.reason, error.field) == (reason, field)
    assert found in error.found
    assert error.allowed
    assert len(error.found) < 200
    assert reason in DEAD_LETTER_REASONS


def test_allowed_values_are_listed_and_a_close_type_is_offered() -> None:
    with pytest.raises(InvalidEvent, match="one of inbound, outbound"):
        decode(raw(won(event_type="call.completed", direction="in")))
    with pytest.raises(InvalidEvent, match=r"is deal\.won meant"):
        decode(raw(won(event_type="deal_won")))


def test_what_json_allows_and_the_quick_way_does_not_is_an_event_all_the_same() -> None:
    assert decode(b"\xef\xbb\xbf" + raw(won())) == decode(raw(won()))
    assert decode(raw(won())[:-1] + b', "note": 1e999}') == decode(raw(won()))
    assert decode(raw(won(rep_id=" r\u00e9 \u4e2d "))).rep_id == " r\u00e9 \u4e2d "


def test_cloud_events_in_structured_mode() -> None:
    body = won(event_id=..., event_type=..., occurred_at=..., source="web")
    envelope = {"specversion": "1.0", "id": "e-1", "source": "/crm", "type": "deal.won", "time": "2024-05-17T09:30:00Z"}
    event = decode(raw(envelope | {"data": body}))
    assert event == decode(raw(won(source="web")))
    with pytest.raises(InvalidEvent) as raised:
        decode(raw(envelope | {"data": body | {"amount": -1}}))
    assert (raised.value.reason, raised.value.field) == ("negative", "data.amount")
    with pytest.raises(InvalidEvent) as raised:
        decode(raw(envelope | {"data": body, "id": ""}))
    assert (raised.value.reason, raised.value.field) == ("empty_id", "id")
    with pytest.raises(InvalidEvent) as raised:
        decode(raw(envelope))
    assert (raised.value.reason, raised.value.field) == ("missing_field", "data")


def test_cloud_events_in_binary_mode() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e-1"),
        ("ce_type", b"email.opened"),
        ("ce_time", b"2024-05-17T09:30:00Z"),
        ("ce_source", b"/mail"),
        ("content-type", b"application/json"),
    ]
    event = decode(raw({"account_id": "a-1", "message_id": "m-1"}), headers)
    assert isinstance(event, EmailOpened)
    assert (event.event_id, event.occurred_at, event.source) == ("e-1", "2024-05-17T09:30:00Z", None)


def test_other_headers_change_nothing() -> None:
    assert decode(raw(won()), [("traceparent", b"00-1"), ("x", None)]) == decode(raw(won()))


def test_defaults_of_optional_things() -> None:
    target = decode(raw({"event_id": "e", "event_type": "target.set", "occurred_at": 0, "target_id": "t"}))
    assert isinstance(target, TargetSet)
    assert (target.kind, target.withdrawn, target.value) == ("number", False, None)
    lead = decode(raw({"event_id": "e", "event_type": "lead.created", "occurred_at": 0, "account_id": "a"}))
    assert isinstance(lead, LeadCreated)
    assert (lead.lead_id, lead.stage) == (None, None)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (1_715_938_200_000, 1_715_938_200_000),
        ("2024-05-17T09:30:00Z", 1_715_938_200_000),
        ("2024-05-17T11:30:00+02:00", 1_715_938_200_000),
        ("2024-05-17t09:30:00z", 1_715_938_200_000),
        ("2024-05-17 09:30:00.1239Z", 1_715_938_200_123),
        ("2024-05-17T09:30:00.9999999Z", 1_715_938_200_999),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_times(value: str | int, milliseconds: int) -> None:
    assert instant_ms(value) == milliseconds


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-17",
        "2024-05-17T09:30:00",
        "2024-02-30T09:30:00Z",
        "17.05.2024 09:30",
        "1715938200000",
        "",
        "1969-12-31T23:59:59Z",
        -1,
    ],
)
def test_times_that_are_none(value: str | int) -> None:
    with pytest.raises(InvalidEvent) as raised:
        instant_ms(value)
    assert (raised.value.reason, raised.value.field) == ("bad_date", "occurred_at")


def test_half_a_character_where_a_number_belongs_is_a_dead_letter_and_no_crash() -> None:
    raw = (
        b'{"event_id": "e", "event_type": "deal.won", "occurred_at": 1, "account_id": "a", "deal_id": "d", '
        b'"amount": "\\ud800"}'
    )
    with pytest.raises(InvalidEvent) as found:
        decode(raw)
    assert (found.value.reason, found.value.field) == ("invalid_utf8", "amount")


def test_half_a_character_in_a_field_of_ones_own_is_a_dead_letter() -> None:
    fields = OwnFields([Dimension("industry", "industry")], [])
    with pytest.raises(InvalidEvent) as found:
        fields.read(KIND["deal.won"], b'{"industry": "\\ud800"}')
    assert (found.value.reason, found.value.field) == ("invalid_utf8", "industry")
    assert fields.read(KIND["deal.won"], b'{"industry": "retail"}') == {"industry": "retail"}


@pytest.mark.parametrize(
    ("field", "text", "is_event"),
    [
        ("reason", "too dear,\r\n\tand late", True),
        ("reason", "a\x0bb", False),
        ("reason", "a\x7fb", False),
        ("rep_id", "a\nb", False),
        ("account_id", "a\n", False),
        ("source", "a\tb", False),
    ],
)
def test_words_may_have_line_breaks_and_the_schema_says_so(field: str, text: str, *, is_event: bool) -> None:
    lost = won(event_type="deal.lost", amount=...) | {field: text}
    assert jsonschema.Draft202012Validator(json_schemas()["events/deal.lost.json"]).is_valid(lost) == is_event
    if is_event:
        assert getattr(decode(raw(lost)), field) == text
        return
    with pytest.raises(InvalidEvent, match=f"wrong_value: {field}: .*text without control characters"):
        decode(raw(lost))
