"""Dead letters: there and back, told apart, and one line for people."""

from __future__ import annotations

import jsonschema
import pytest

from schemas.errors import InvalidEvent
from schemas.json_schemas import dead_letter_headers
from streams.intake.deadletters import (
    MAX_VALUE_BYTES,
    DeadLetter,
    Headers,
    dead_letter,
    from_message,
    to_headers,
)

ERROR = InvalidEvent("negative", "items[1].amount", "-5", "an integer from 0 on")


def letter(
    value: bytes | None = b"{}", key: bytes | None = b"k", headers: Headers = (), error: InvalidEvent = ERROR
) -> DeadLetter:
    return dead_letter(("sales.deals.v1", 2, 3, 17), error, 1_715_938_200_123, (key, value, headers))


LETTERS = [
    letter(),
    letter(value=b"\xff\x00", key=None),
    letter(value=None, error=InvalidEvent("tombstone")),
    letter(headers=[("ce_id", b"1"), ("topic", b"of the producer"), ("ce_id", b"again")]),
    letter(error=InvalidEvent("wrong_value", "rep_id", "\u4e2d\ud800", "")),
    letter(value=b"x" * (MAX_VALUE_BYTES + 1)),
]


@pytest.mark.parametrize("sent", LETTERS)
def test_the_headers_are_as_their_schema_says(sent: DeadLetter) -> None:
    headers = {name: content.decode() for name, content in to_headers(sent)}
    jsonschema.Draft202012Validator(dead_letter_headers()).validate(headers)
    assert headers.keys() >= {"failed_at", "reason", "found"}


@pytest.mark.parametrize("original", LETTERS[:5])
def test_a_dead_letter_comes_back_as_it_was_sent(original: DeadLetter) -> None:
    sent_value = b"" if original.value is None and original.key is None else original.value
    found = from_message(original.key, sent_value, to_headers(original))
    assert found is not None
    assert found.value == original.value
    assert found.key == original.key
    assert found.headers == original.headers
    assert found.source == ("sales.deals.v1", 2, 3, 17)
    assert (found.reason, found.field, found.failed_at_ms) == (original.reason, original.field, 1_715_938_200_123)


def test_headers_are_text_that_a_console_shows() -> None:
    headers = dict(to_headers(letter(headers=[("trace", b"1")])))
    assert headers == {
        "topic": b"sales.deals.v1",
        "partition": b"3",
        "offset": b"17",
        "epoch": b"2",
        "reason": b"negative",
        "field": b"items[1].amount",
        "found": b"-5",
        "allowed": b"an integer from 0 on",
        "failed_at": b"2024-05-17T09:30:00.123Z",
        "original-trace": b"1",
    }


@pytest.mark.parametrize("headers", [[], [("topic", b"t")], [("topic", b"t"), ("partition", b"x"), ("offset", None)]])
def test_what_is_no_dead_letter_is_none(headers: Headers) -> None:
    assert from_message(b"k", b"v", headers) is None


def test_a_message_too_long_for_the_topic_is_cut_and_says_so() -> None:
    long = letter(value=b"x" * (MAX_VALUE_BYTES + 1))
    assert long.value == b"x" * MAX_VALUE_BYTES
    assert long.cut_from == MAX_VALUE_BYTES + 1
    found = from_message(long.key, long.value, to_headers(long))
    assert found == long
    assert f"(cut from {MAX_VALUE_BYTES + 1} bytes)" in long.summary()


def test_the_summary_says_where_why_what_and_what_instead() -> None:
    expected = "sales.deals.v1/3@17 negative: items[1].amount found -5; allowed: an integer from 0 on"
    assert letter().summary() == expected
