"""What a rollup has to compute anew: per series and window which measures changed, oldest first, event-driven first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Measures = set[str] | None
"""Measures whose KPIs are to be computed anew; None: all of them."""


class Work(NamedTuple):
    """What is to be done for one series: window -> measures, and the windows to publish even if nothing changed."""

    dims: str
    windows: dict[int, Measures]
    forced: set[int]


class Worklist:
    """Series waiting to be published, each once."""

    def __init__(self) -> None:
        self._changed: dict[str, Work] = {}
        self._moved: dict[str, Work] = {}

    def __bool__(self) -> bool:
        return bool(self._changed or self._moved)

    def change(self, dims: str, window: int, measures: Iterable[str]) -> None:
        """Note that measures of a window changed by an event: such series come first."""
        work = self._changed.get(dims)
        if work is None:
            work = self._changed[dims] = self._moved.pop(dims, Work(dims, {}, set()))
        known = work.windows.setdefault(window, set())
        if known is not None:
            known.update(measures)

    def move(self, dims: str, windows: Iterable[int], *, forced: bool = False) -> None:
        """Note that whole windows are to be computed anew: time moved them on, or their quality changed."""
        work = self._changed.get(dims) or self._moved.get(dims)
        if work is None:
            work = self._moved[dims] = Work(dims, {}, set())
        work.windows.update(dict.fromkeys(windows))
        if forced:
            work.forced.update(windows)

    def take(self) -> Work:
        """Return the next series' work and forget it."""
        waiting = self._changed or self._moved
        return waiting.pop(next(iter(waiting)))
