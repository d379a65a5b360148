"""The windows of all series at one time: intervals, the slices that make up their sums, and how time moves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from schemas.windows import RESOLUTIONS, SLICE_MS, WINDOW_RESOLUTION, WINDOWS
from streams.time import Calendar, Cover, Range, Span, ceil_to, difference

FLOW: Final = 0
TAIL: Final = 1
PREVIOUS_FLOW: Final = 2
PREVIOUS_TAIL: Final = 3
_STEP_MS: Final = min(SLICE_MS.values())


class WindowCovers(NamedTuple):
    """The intervals of one window at one time, and which slices make up each of its four sums."""

    span: Span
    previous: Span | None
    covers: tuple[Cover, Cover, Cover, Cover]


def window_covers(calendar: Calendar, window: str, now_ms: int) -> WindowCovers:
    """Return the intervals and covers of a window whose end of counting is ``now_ms``."""
    resolution = WINDOW_RESOLUTION[window]
    span, previous = calendar.window(window, now_ms), calendar.previous(window, now_ms)
    flow = () if window == "all" else calendar.cover(span, resolution)
    return WindowCovers(
        span,
        previous,
        (
            flow,
            calendar.tail(span.end_ms, resolution),
            calendar.cover(previous, resolution) if previous else (),
            calendar.tail(previous.end_ms, resolution) if previous else (),
        ),
    )


class Move(NamedTuple):
    """How one of a window's sums moves with time: ranges of slices that come in and that go out."""

    window: int
    which: int
    added: Sequence[Range]
    removed: Sequence[Range]


class Moment:
    """The windows of all series at one time; they end at a multiple of the finest resolution.

    Args:
        windows: By index.
        end_ms: End of what counts, exclusive.
    """

    __slots__ = ("_moves", "_places", "_routes", "end_ms", "windows")

    def __init__(self, windows: tuple[WindowCovers, ...], end_ms: int) -> None:
        self.windows = windows
        self.end_ms = end_ms
        self._routes = _routes(windows)
        self._places: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self._moves: tuple[Moment | None, Sequence[Move]] = None, ()

    def places(self, resolution: int, start_ms: int) -> tuple[tuple[int, int], ...]:
        """Return which sums, of which windows, a slice adds to; looked up once a slice, as all series have the same."""
        slice_ = resolution, start_ms
        found = self._places.get(slice_)
        if found is None:
            routes = self._routes[resolution]
            found = tuple((window, which) for start, end, window, which in routes if start <= start_ms < end)
            self._places[slice_] = found
        return found

    def moves_to(self, other: Moment) -> Sequence[Move]:
        """Return how sums have to move from here to another moment; found once, as most series move together."""
        if self._moves[0] is not other:
            self._moves = other, list(_moves(self.windows, other.windows))
        return self._moves[1]


class Timeline:
    """The moment at which the windows of all series are to be seen; moves it on.

    Args:
        calendar: Days and periods of the business zone.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._moment: Moment | None = None

    @property
    def moment(self) -> Moment:
        """The present."""
        assert self._moment is not None, "time has not begun"
        return self._moment

    @property
    def end_ms(self) -> int | None:
        """End of the windows; None before time has begun."""
        return self._moment.end_ms if self._moment is not None else None

    @property
    def windows(self) -> tuple[WindowCovers, ...]:
        """The windows at present, by index."""
        return self.moment.windows

    def advance(self, now_ms: int) -> frozenset[int]:
        """Move all windows to a new time; returns the indexes of those that are others then (all, the first time).

        Windows end at multiples of the finest resolution, so in between there is nothing to do.
        """
        end_ms = ceil_to(now_ms, _STEP_MS)
        if end_ms == self.end_ms:
            return frozenset()
        before, windows = self._moment, tuple(window_covers(self._calendar, window, now_ms) for window in WINDOWS)
        self._moment = Moment(windows, end_ms)
        return frozenset(
            index for index, window in enumerate(windows) if before is None or window != before.windows[index]
        )


def _moves(before: Sequence[WindowCovers], after: Sequence[WindowCovers]) -> Iterator[Move]:
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        for which in range(4) if old != new else ():
            added = difference(new.covers[which], old.covers[which])
            removed = difference(old.covers[which], new.covers[which])
            if added or removed:
                yield Move(index, which, added, removed)


def _routes(windows: Sequence[WindowCovers]) -> tuple[tuple[tuple[int, int, int, int], ...], ...]:
    """Per resolution: ``(start, end, window, which)`` of every range that a cell of it may lie in."""
    routes: list[list[tuple[int, int, int, int]]] = [[] for _ in RESOLUTIONS]
    for index, window in enumerate(windows):
        for which, cover in enumerate(window.covers):
            for resolution, start, end in cover:
                routes[RESOLUTIONS.index(resolution)].append((start, end, index, which))
    return tuple(tuple(route) for route in routes)
