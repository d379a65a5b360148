"""What a rollup has to compute anew: per series and window which measures changed, oldest first, event-driven first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.kpi import Quality
from schemas.windows import WINDOWS

EVERY_WINDOW: Final = range(len(WINDOWS))

_RARER: Final = 4  # so every 4 s with the default tick: sooner than values are stale
"""How much rarer long windows of broken-down series are due, of which a second changes little; and all their windows
while there is much to catch up with: what they would say is old anyway."""
_LONG: Final = frozenset(index for index, name in enumerate(WINDOWS) if name not in ("5m", "1h", "24h", "today"))
"""Windows of more than a day."""
_MOVED_TURN: Final = 4

Measures = set[str] | None
"""Measures whose KPIs are to be computed anew; None: all of them."""


class Work(NamedTuple):
    """What is to be done for one series: window -> measures, and the windows to publish even if nothing changed."""

    dims: str
    windows: dict[int, Measures]
    forced: set[int]


_Waiting = dict[str, Work]


class Worklist:
    """Series waiting to be published, each once.

    The global series is due at once; what is broken down waits for :meth:`release`, so that a series that changes with
    every event is not published with every event. Its long windows wait for longer.

    Args:
        every_ms: Least time between two values of a series that is broken down.

    Attributes:
        look_every_ms: How long to wait at most before looking for what is due.
    """

    def __init__(self, every_ms: int) -> None:
        self.look_every_ms = every_ms / 2
        self._every_ms = every_ms
        self._let_go_ms: dict[str, int] = {}
        self._long_taken_ms: dict[str, int] = {}
        self._released_ms = 0
        self._quality: Quality = "partial"
        self._not_live: dict[str, set[int]] = {}
        self._global: Work | None = None
        self._due: _Waiting = {}
        self._due_moved: _Waiting = {}
        self._changed: _Waiting = {}
        self._moved: _Waiting = {}
        self._turn = 0

    def touch(self, dims: str) -> Work:
        """Note that a series changed by an event: such series come first. What changed is to be noted before its turn.

        Returns:
            Its work.
        """
        if not dims:
            self._global = self._global or Work(dims, {}, set())
            return self._global
        found = self._due.get(dims) or self._due_moved.get(dims) or self._changed.get(dims)
        return found or self._changed.setdefault(dims, self._moved.pop(dims, Work(dims, {}, set())))

    def change(self, dims: str, window: int, measures: Iterable[str]) -> None:
        """Note that measures of a window changed by an event."""
        known = self.touch(dims).windows.setdefault(window, set())
        if known is not None:
            known.update(measures)

    def move(self, dims: str, windows: Iterable[int], *, forced: bool = False) -> None:
        """Note that whole windows are to be computed anew: time moved them on, or their quality changed."""
        if not dims:
            work = self._global = self._global or Work(dims, {}, set())
        else:
            found = self._due.get(dims) or self._due_moved.get(dims) or self._changed.get(dims)
            work = found or self._moved.setdefault(dims, Work(dims, {}, set()))
        work.windows.update(dict.fromkeys(windows))
        if forced:
            work.forced.update(windows)

    def note_quality(self, quality: Quality, series: Iterable[str], *, complete: bool) -> None:
        """Have values published again that say they are less than they are now, or more.

        Catching up says so with the values that change; the others were right when they were published.

        Args:
            quality: As it is now.
            series: All there are.
            complete: Every value is to be published.
        """
        before, self._quality = self._quality, quality
        if complete or (quality != before and quality in ("stale", "partial")):
            for dims in series:
                self.move(dims, EVERY_WINDOW, forced=True)
        elif quality == "live" and self._not_live:
            for dims, windows in self._not_live.items():
                self.move(dims, windows, forced=True)
            self._not_live = {}

    def release(self, wall_ms: int) -> None:
        """Let be due what waited for long enough; it is looked for twice in that time, and as soon as it is live."""
        rarer = _RARER if self._quality == "catching_up" else 1
        if 0 <= wall_ms - self._released_ms < self.look_every_ms * rarer:
            return
        self._released_ms, every_ms = wall_ms, self._every_ms * rarer
        for dims in [dims for dims in self._changed if not 0 <= wall_ms - self._let_go_ms.get(dims, 0) < every_ms]:
            self._due[dims] = self._changed.pop(dims)
            self._let_go_ms[dims] = wall_ms
        self._due_moved.update(self._moved)
        self._moved = {}

    @property
    def has_global(self) -> bool:
        """Whether the global series is due."""
        return self._global is not None

    @property
    def has_others(self) -> bool:
        """Whether other series are due."""
        return bool(self._due or self._due_moved)

    def take_global(self) -> Work:
        """Return the work of the global series, which is due, and forget it."""
        work, self._global = self._global, None
        assert work is not None, "the global series is not due"
        return self._taken(work)

    @property
    def next(self) -> str:
        """The series whose work :meth:`take` returns."""
        return next(iter(self._next_due()))

    def take(self, wall_ms: int) -> Work:
        """Return the work of the next other series that is due, and forget it but for long windows that are to wait.

        What events changed comes before what time alone moved on, which has every fourth turn where there is more to
        do than is ever done.
        """
        due = self._next_due()
        self._turn += 1
        work = due.pop(next(iter(due)))
        if due is self._due:
            self._defer_long(work, wall_ms)
        return self._taken(work)

    def _defer_long(self, work: Work, wall_ms: int) -> None:
        """Take out of a work what long windows have to say sooner than in every fourth value of the series."""
        every_ms = self._every_ms + wall_ms - self._let_go_ms[work.dims]  # how long it had to wait for its turn
        if not 0 <= wall_ms - self._long_taken_ms.get(work.dims, 0) < _RARER * every_ms:
            self._long_taken_ms[work.dims] = wall_ms
            return
        waiting = (work.windows.keys() & _LONG) - work.forced
        if waiting:
            self._changed[work.dims] = Work(work.dims, {index: work.windows.pop(index) for index in waiting}, set())

    def _next_due(self) -> _Waiting:
        has_turn = self._due_moved and not (self._turn + 1) % _MOVED_TURN
        return self._due_moved if has_turn or not self._due else self._due

    def _taken(self, work: Work) -> Work:
        if self._quality != "live":
            self._not_live.setdefault(work.dims, set()).update(work.windows)
        return work
