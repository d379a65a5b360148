"""When so many messages cannot be counted that something is wrong with all of them."""

from __future__ import annotations

from collections import deque


class Breaker:
    """Watches the share of dead letters among the last messages.

    Args:
        window: How many messages back it looks.
        minimum: So many dead letters there must be at least.
        ratio: More than this share of the window must be dead letters; 1 never trips.
    """

    def __init__(self, window: int, minimum: int, ratio: float) -> None:
        self._window = window
        self._minimum = minimum
        self._ratio = ratio
        self._runs: deque[list[int]] = deque()  # [good ones, the one dead letter after them: 1, or 0 if none yet]
        self.total = 0
        self.dead = 0

    def good(self, count: int) -> None:
        """Count messages that were events."""
        if count:
            self._runs.append([count, 0])
            self.total += count
            self._trim()

    def bad(self) -> None:
        """Count a dead letter."""
        self._runs.append([0, 1])
        self.total += 1
        self.dead += 1
        self._trim()

    @property
    def tripped(self) -> bool:
        """Whether intake should stop."""
        return self.dead >= self._minimum and self.dead > self._ratio * self.total

    def _trim(self) -> None:
        while self.total > self._window:
            first = self._runs[0]
            excess = min(self.total - self._window, first[0]) if first[0] else first[1]
            self.total -= excess
            if first[0] > excess:
                first[0] -= excess
            else:
                self.dead -= first[1]
                self._runs.popleft()
