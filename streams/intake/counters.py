"""What intake counts: plain integers, read by the metrics at every scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.rows import EVENT_TYPES


@dataclass(slots=True)
class IntakeCounters:
    """Counts since the worker started.

    Attributes:
        events: Valid events by (topic, event type).
        dead_letters: Dead letters by (topic, reason).
        lag: Messages not taken in yet by (topic, partition), of the partitions this worker reads.
    """

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    lag: dict[tuple[str, int], int] = field(default_factory=dict)

    def took_in(self, topic: str, kinds: Iterable[int]) -> None:
        """Count events of one topic."""
        for kind, count in Counter(kinds).items():
            self.events[topic, EVENT_TYPES[kind]] += count

    @property
    def backlog(self) -> int:
        """Messages not taken in yet, in all partitions this worker reads."""
        return sum(self.lag.values())
