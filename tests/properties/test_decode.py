"""Whatever comes in is an event that fits a frame, or is refused with a reason; nothing else can happen."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.decode import decode
from schemas.errors import DEAD_LETTER_REASONS, InvalidEvent
from schemas.events import EVENT_CLASSES
from schemas.frames import decode_frame, encode_frame
from schemas.rows import EVENT_TYPES, Frame
from schemas.settings import settings_from
from streams.intake.deadletters import dead_letter, from_message, to_headers
from streams.intake.normalise import Normaliser

NOW_MS = 1_715_938_200_000
NORMALISER = Normaliser(settings_from({"money": {"rates": {"EUR": "1.08"}}}))
FIELDS = sorted({name for kind in EVENT_CLASSES.values() for name in kind.__struct_fields__} | {"id", "specversion"})

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 10**6),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "EUR", "USD", "2024-05-17T09:30:00Z", "NaN", "HUGE", "connected", "month", "a\x7f", "\ud800"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*FIELDS, "x"]), inner, max_size=3),
        st.lists(st.dictionaries(st.sampled_from(["product", "quantity", "amount", "cost"]), inner), max_size=2),
    ),
    max_leaves=6,
)
GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "occurred_at": NOW_MS,
    "account_id": "a-1",
    "deal_id": "d-1",
    "message_id": "m-1",
    "target_id": "t-1",
    "to_stage": "new",
    "amount": 5,
    "category": "sales",
    "score": 3,
    "kpi": "revenue",
    "period": "month",
}


def must_be_an_event_or_a_reason(raw: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    error: InvalidEvent | None = None
    try:
        row = NORMALISER.row(decode(raw, headers), 0, 7, NOW_MS)
    except InvalidEvent as refused:
        error = refused
    if error is None:
        frame = Frame((), [row], 0, 0)
        assert decode_frame(encode_frame(frame)) == frame
        return
    assert error.reason in DEAD_LETTER_REASONS
    letter = dead_letter(("t", 1, 0, 7), error, NOW_MS, (None, raw, headers))
    found = from_message(None, raw or b"", to_headers(letter))
    assert found is not None
    assert (found.reason, found.field) == (error.reason, error.field.encode("utf-8", "backslashreplace").decode())


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([*EVENT_TYPES, "deal", None]), st.dictionaries(st.sampled_from(FIELDS), values, max_size=5))
@example("deal.won", {"items": [{"amount": 2**53, "quantity": 2**31}], "currency": "EUR"})
@example("deal.won", {"amount": "HUGE"})
@example("target.set", {"dimensions": {"": ""}, "start": ""})
@example("target.set", {"start": 1e300})
def test_a_good_event_with_anything_in_its_fields(event_type: str | None, changes: dict[str, Any]) -> None:
    event = {**GOOD, "event_type": event_type} | changes
    must_be_an_event_or_a_reason(_dump(event), [])
    must_be_an_event_or_a_reason(_dump(event), [("ce_id", b"x"), ("ce_type", b"deal.won"), ("ce_time", b"\xff")])
    envelope = {"specversion": "1.0", "id": "x", "type": event_type, "time": "2024-05-17T09:30:00Z"}
    event.pop("event_type")
    must_be_an_event_or_a_reason(_dump(envelope | {"data": event}), [])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbf")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_any_bytes(raw: bytes) -> None:
    must_be_an_event_or_a_reason(raw, [])
    must_be_an_event_or_a_reason(b'{"event_type": "web.visit", ' + raw, [])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_good_message_with_some_bytes_changed(data: st.DataObject) -> None:
    raw = bytearray(_dump({**GOOD, "event_type": data.draw(st.sampled_from(EVENT_TYPES)), "rep_id": "\u00e9"}))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    must_be_an_event_or_a_reason(bytes(raw), [])


def _dump(event: dict[str, Any]) -> bytes:
    # Python writes no integer of more than 4,300 digits, which JSON may well have.
    return json.dumps(event).encode().replace(b'"HUGE"', b"1" + b"0" * 5000)
