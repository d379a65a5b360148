"""Counts that say, event by event, how far the published values have come.

Each event of these types adds exactly one to a global count of the window `all`, which never falls. So the first
published value that has reached n holds the n-th event sent (but for the order of events of one type that were under
way together, which does not change the mean). So do the calls of each team, for series that have a dimension; those of
today begin with what the team did today already, so a run that midnight (UTC) falls into is of no use.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple

from schemas.windows import DAY_MS

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

BY_TEAM: Final = "by team"
BY_TEAM_EVER: Final = "by team, all time"
OF_TEAMS: Final = {BY_TEAM: "today", BY_TEAM_EVER: "all"}
"""Reader of the KPI topic that takes note of the calls of each team -> in which window."""

_OF_TEAMS: Final = "call.completed"
_TEAM_KEYS: Final = {f"{COUNTS[_OF_TEAMS].kpi}|{window}|team=": reader for reader, window in OF_TEAMS.items()}
_TEAM_BYTES: Final = tuple(key.encode() for key in _TEAM_KEYS)
_KIND_OF: Final = {count.key: kind for kind, count in COUNTS.items()}


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


class Tracks:
    """The tracks of all counts."""

    def __init__(self) -> None:
        self._of_kind = {kind: Track() for kind in COUNTS}
        self._of_team: defaultdict[str, Track] = defaultdict(Track)
        self._before_today: Counter[str] = Counter()
        self._today_ms = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS

    def sent(self, kind: str, team: str, at_ms: int) -> None:
        """Take note that an event that happened at a time (UTC milliseconds) is sent now."""
        track = self._of_kind.get(kind)
        if track is not None:
            track.sent_s.append(time.perf_counter())
        if kind == _OF_TEAMS and team:
            self._of_team[team].sent_s.append(time.perf_counter())
            self._before_today[team] += at_ms < self._today_ms

    def saw(self, reader: str, key: str, value: Mapping[str, Any]) -> None:
        """Take note of a published value, if it is one of the global counts."""
        kind = _KIND_OF.get(key)
        if kind is not None:
            self._of_kind[kind].saw(reader, COUNTS[kind].of(value))

    def saw_team(self, key: str, value: Mapping[str, Any]) -> None:
        """Take note of the published calls of a team."""
        of_teams, team = key[: key.index("=") + 1], key[key.index("=") + 1 :]
        reader = _TEAM_KEYS[of_teams]
        before = self._before_today[team] if reader == BY_TEAM else 0
        self._of_team[team].saw(reader, before + COUNTS[_OF_TEAMS].of(value))

    def of(self, reader: str) -> Collection[Track]:
        """Return the tracks that a reader takes note of."""
        return (self._of_team if reader in OF_TEAMS else self._of_kind).values()


def is_of_a_team(key: bytes) -> bool:
    """Whether a value is the calls of a team."""
    return key.startswith(_TEAM_BYTES)
