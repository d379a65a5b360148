"""The windows of all series at one time: intervals, the slices that make up their sums, and how time moves them."""

from __future__ import annotations

from collections.abc import Sequence
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


class Timeline:
    """The windows of all series at one time; moves them on together.

    Args:
        calendar: Days and periods of the business zone.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self.windows: tuple[WindowCovers, ...] = ()
        self.end_ms: int | None = None
        self._routes: tuple[tuple[tuple[int, int, int, int], ...], ...] = ()
        self._places: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}

    def moves_at(self, now_ms: int) -> bool:
        """Tell whether windows are others at a new time."""
        return ceil_to(now_ms, _STEP_MS) != self.end_ms

    def advance(self, now_ms: int) -> list[Move]:
        """Move all windows to a new time; returns how sums have to move (everything, the first time).

        Windows end at multiples of the finest resolution, so in between there is nothing to do.
        """
        end_ms = ceil_to(now_ms, _STEP_MS)
        if end_ms == self.end_ms:
            return []
        self.end_ms = end_ms
        windows = tuple(window_covers(self._calendar, window, now_ms) for window in WINDOWS)
        moves: list[Move] = []
        for index, new in enumerate(windows):
            old = self.windows[index].covers if self.windows else ((), (), (), ())
            if self.windows and new == self.windows[index]:
                continue
            for which in range(4):
                added, removed = difference(new.covers[which], old[which]), difference(old[which], new.covers[which])
                if added or removed or which == FLOW:
                    moves.append(Move(index, which, added, removed))
        if moves or not self.windows:
            self.windows = windows
            self._routes, self._places = self._make_routes(), {}
        return moves

    def places(self, resolution: int, start_ms: int) -> tuple[tuple[int, int], ...]:
        """Return which sums, of which windows, a slice adds to; looked up once a slice, as all series have the same."""
        slice_ = resolution, start_ms
        found = self._places.get(slice_)
        if found is None:
            routes = self._routes[resolution]
            found = tuple((window, which) for start, end, window, which in routes if start <= start_ms < end)
            self._places[slice_] = found
        return found

    def moved_windows(self, moves: Sequence[Move]) -> frozenset[int]:
        """Return the indexes of the windows that moved."""
        return frozenset(move.window for move in moves)

    def _make_routes(self) -> tuple[tuple[tuple[int, int, int, int], ...], ...]:
        """Per resolution: ``(start, end, window, which)`` of every range that a cell of it may lie in."""
        routes: list[list[tuple[int, int, int, int]]] = [[] for _ in RESOLUTIONS]
        for index, window in enumerate(self.windows):
            for which, cover in enumerate(window.covers):
                for resolution, start, end in cover:
                    routes[RESOLUTIONS.index(resolution)].append((start, end, index, which))
        return tuple(tuple(route) for route in routes)
