"""Histories that are hard in one more way, as the oracle's process computes them, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.simulator import SimulatedEvent
from tests.e2e.hard_cases import happened_ms
from tests.e2e.history import History

_EVERY_MS = 1_000


@dataclass(frozen=True)
class WithHotKey(History):
    """A history at whose end one account gets most of the events, all at once.

    Args:
        burst: How many.
    """

    burst: int = 4_000

    def messages(self) -> Iterator[SimulatedEvent]:
        """The history, then the burst."""
        messages = list(super().messages())
        yield from messages
        began_ms = max(map(happened_ms, messages))
        for number in range(self.burst):
            event = {
                "event_id": f"hot-{number}",
                "event_type": "call.completed",
                "occurred_at": began_ms + number * _EVERY_MS,
                "account_id": "hot",
                "rep_id": f"r-{number % 5}",
                "direction": "inbound" if number % 3 else "outbound",
                "talk_seconds": number % 600,
            }
            yield SimulatedEvent("calls", "hot", event, began_ms + number * _EVERY_MS)
