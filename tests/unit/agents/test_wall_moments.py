"""Which moments are celebrated: those of the last minute, each once."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from agents.wall.moments import FRESH_MS, RecentMoments

NOW_MS = 1_700_000_000_000


def moment(name: str, at_ms: int) -> bytes:
    return msgspec.json.encode({"id": name, "occurred_at": datetime.fromtimestamp(at_ms / 1_000, UTC)})


def test_a_moment_is_new_once_and_known_for_a_minute() -> None:
    recent = RecentMoments()
    one, other = moment("a", NOW_MS - 10_000), moment("b", NOW_MS)
    assert recent.take([one], NOW_MS) == [one]
    assert recent.take([one, other], NOW_MS) == [other]
    assert recent.all(NOW_MS) == [one, other]
    assert recent.all(NOW_MS + FRESH_MS - 5_000) == [other]
    assert recent.take([one, other], NOW_MS + FRESH_MS) == [], "what is old is not new because it was forgotten"


def test_what_happened_long_ago_is_not_celebrated_whenever_it_is_told() -> None:
    assert RecentMoments().take([moment("a", NOW_MS - FRESH_MS)], NOW_MS) == []


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"id":"a"}', b'{"id":1,"occurred_at":"2025-01-01T00:00:00Z"}'])
def test_what_is_no_moment_is_passed_over(payload: bytes) -> None:
    fine = moment("a", NOW_MS)
    assert RecentMoments().take([payload, fine], NOW_MS) == [fine]
