"""What the log partitions say of themselves, and what follows: clock, watermark and quality of all values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from schemas.kpi import Quality
from schemas.sections import Settings
from schemas.wire import CellsMessage

_BUSY_BACKLOG: Final = 2_000
_BUSY_DELAY_MS: Final = 2_000


class RollupRules(msgspec.Struct, frozen=True):
    """What a rollup needs of the settings.

    Args:
        currency: The reporting currency.
        partitions: How many log partitions there are.
        clock: ``wall``, or ``event`` when history is replayed.
        out_of_orderness_ms: How far behind the newest event the watermark stays.
        stale_after_ms: Without a sign of life of a log partition for longer, values are stale.
        broken_down_every_ms: Least time between two values of a series that has dimensions.
        mean_lifetime_s: How long customers are expected to stay, in seconds.
        abc_shares: Per cent of the revenue that class A makes, and class B after it.
    """

    currency: str
    partitions: int
    clock: Literal["wall", "event"]
    out_of_orderness_ms: int
    stale_after_ms: int
    broken_down_every_ms: int = 0
    mean_lifetime_s: int = 730 * 86_400
    abc_shares: tuple[int, int] = (80, 15)


def rollup_rules(settings: Settings) -> RollupRules:
    """Return the rules as set."""
    return RollupRules(
        settings.money.currency,
        settings.kafka.partitions,
        settings.time.clock,
        int(settings.time.out_of_orderness),
        int(settings.pipeline.stale_after),
        int(settings.time.tick),
        int(settings.kpi.mean_lifetime) // 1000,
        settings.kpi.abc_shares,
    )


def is_busy(backlog: int, delay_ms: int) -> bool:
    """Tell whether a log partition is catching up: so many events wait behind it, its last frame waited so long."""
    return backlog > _BUSY_BACKLOG or delay_ms > _BUSY_DELAY_MS


class _Partition(msgspec.Struct):
    """What a log partition last said of itself."""

    heard_ms: int
    fence: int
    newest_ms: int | None
    busy: bool


class Upstream:
    """The log partitions as one owner of series hears them.

    Args:
        rules: Clock and bounds.
    """

    def __init__(self, rules: RollupRules) -> None:
        self.newest_ms: int | None = None
        self._rules = rules
        self._partitions: dict[int, _Partition] = {}
        self._produced_ms: int | None = None

    def hear(self, message: CellsMessage, wall_ms: int) -> None:
        """Take what a log partition says of itself; an old owner that woke up is not listened to."""
        before = self._partitions.get(message.partition)
        if before is not None and message.fence < before.fence:
            return
        busy = is_busy(message.backlog, message.delay_ms)
        self._partitions[message.partition] = _Partition(wall_ms, message.fence, message.newest_ms, busy)
        self.saw(message.newest_ms)
        if message.produced_ms is not None:
            self._produced_ms = max(self._produced_ms or 0, message.produced_ms)

    def saw(self, newest_ms: int | None) -> None:
        """Move the newest event time on; it never goes back."""
        if newest_ms is not None and (self.newest_ms is None or newest_ms > self.newest_ms):
            self.newest_ms = newest_ms

    def take_produced_ms(self) -> int | None:
        """Return when the newest event since the last call came in (wall clock)."""
        produced_ms, self._produced_ms = self._produced_ms, None
        return produced_ms

    def clock_ms(self, wall_ms: int) -> int | None:
        """Return the end of what counts, exclusive: now, or just past the newest event; None before the first."""
        if self._rules.clock == "wall":
            return wall_ms
        return self.newest_ms + 1 if self.newest_ms is not None else None

    def watermark_ms(self, wall_ms: int) -> int | None:
        """Return the event time up to which values are complete; idle partitions do not hold it back."""
        now_ms = self.clock_ms(wall_ms)
        if now_ms is None or not self._partitions:
            return None
        marks = (p.newest_ms + 1 for p in self._partitions.values() if p.busy and p.newest_ms is not None)
        return min((now_ms, *marks)) - self._rules.out_of_orderness_ms

    def quality(self, wall_ms: int) -> Quality:
        """Return how far values can be trusted now."""
        limit = wall_ms - self._rules.stale_after_ms
        fresh = sum(1 for partition in self._partitions.values() if partition.heard_ms >= limit)
        if self._partitions and not fresh:
            return "stale"
        if fresh < self._rules.partitions:
            return "partial"
        return "catching_up" if any(partition.busy for partition in self._partitions.values()) else "live"
