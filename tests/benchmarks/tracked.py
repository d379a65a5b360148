"""Counts that say, event by event, how far the published values have come.

Each event of these types adds exactly one to a global count of the window `all`, which never falls. So the first
published value that has reached n holds the n-th event sent (but for the order of events of one type that were under
way together, which does not change the mean).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

Part = Literal["numerator", "denominator"]


class Count(NamedTuple):
    """A global count: KPI, and which part of its value."""

    kpi: str
    part: Part

    @property
    def key(self) -> str:
        """Key of its series on the KPI topics."""
        return f"{self.kpi}|all|"

    @property
    def field(self) -> str:
        """Field of the Redis hash of the window `all`."""
        return f"{self.kpi}|"

    def of(self, value: Mapping[str, Any]) -> int:
        """Read it from a KPI value."""
        return int(value[self.part] or 0)


COUNTS: Final = {
    "lead.created": Count("leads_created", "numerator"),
    "lead.qualified": Count("opportunities_created", "numerator"),
    "call.completed": Count("calls", "numerator"),
    "email.delivered": Count("email_open_rate", "denominator"),
    "deal.quote_sent": Count("quotes_sent", "numerator"),
    "deal.won": Count("deals_won", "numerator"),
}
"""Event type -> the count that it adds one to."""


class Track:
    """When the events of one type were sent, and when a reader saw the count reach each of them."""

    def __init__(self) -> None:
        self.sent_s: list[float] = []
        self.seen: dict[str, list[tuple[int, float]]] = {}

    def saw(self, reader: str, count: int) -> None:
        """Take note of a value that a reader got now."""
        seen = self.seen.setdefault(reader, [])
        if not seen or count > seen[-1][0]:
            seen.append((count, time.perf_counter()))

    def reached(self, reader: str) -> int:
        """How many of the events the reader has seen counted."""
        seen = self.seen.get(reader)
        return seen[-1][0] if seen else 0

    def has_all(self, reader: str) -> bool:
        """Whether the reader has seen everything that was sent."""
        return self.reached(reader) >= len(self.sent_s)

    def latencies_s(self, reader: str, begin_s: float, end_s: float) -> list[float]:
        """Return the latency of every event sent in an interval that was counted until now."""
        seen = self.seen.get(reader, [])
        counts = [count for count, _ in seen]
        first, last = bisect_left(self.sent_s, begin_s), bisect_left(self.sent_s, end_s)
        known = range(first, min(last, self.reached(reader)))
        return [seen[bisect_left(counts, index + 1)][1] - self.sent_s[index] for index in known]


Tracks = Mapping[str, Track]
"""Event type -> its track."""


def tracks() -> Tracks:
    """Return an empty track of every event type that is counted."""
    return {kind: Track() for kind in COUNTS}


def count_in(tracks_of: Tracks, reader: str, key: str, payload: Mapping[str, Any]) -> None:
    """Take note of a published value, if it is one of the counts."""
    kind = _KIND_OF.get(key)
    if kind is not None:
        tracks_of[kind].saw(reader, COUNTS[kind].of(payload))


_KIND_OF: Final = {count.key: kind for kind, count in COUNTS.items()}
