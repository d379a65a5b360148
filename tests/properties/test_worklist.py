"""Whatever changes of a series is computed anew in the end, in time, and not more often than it should be."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import WINDOWS
from streams.rollup.worklist import Measures, Work, Worklist
from tests.properties.profile import examples

EVERY_MS = 1_000
LONG = {index for index, name in enumerate(WINDOWS) if name in ("7d", "30d", "wtd", "mtd", "qtd", "ytd", "all")}

Pending = dict[int, Measures]
"""Window -> measures that changed; None: all."""


class Happening(NamedTuple):
    """Something happens to a series, so much later than what happened before; then some series have their turn."""

    later_ms: int
    dims: str
    windows: set[int]
    what: str
    turns: int


happenings = st.builds(
    Happening,
    st.integers(0, 1_500),
    st.sampled_from(["rep=a", "rep=b", "team=x"]),
    st.sets(st.integers(0, len(WINDOWS) - 1), min_size=1),
    st.sampled_from(["n", "m", "moved", "forced"]),
    st.integers(0, 4),
)


class Reference:
    """What is yet to be computed, by series."""

    def __init__(self) -> None:
        self.pending: defaultdict[str, Pending] = defaultdict(dict)
        self.forced: defaultdict[str, set[int]] = defaultdict(set)
        self.of_events: set[str] = set()

    def happens(self, worklist: Worklist, dims: str, windows: set[int], what: str) -> None:
        pending = self.pending[dims]
        if what in ("moved", "forced"):
            worklist.move(dims, windows, forced=what == "forced")
            pending.update(dict.fromkeys(windows))
            if what == "forced":
                self.forced[dims] |= windows
            return
        for window in windows:
            worklist.change(dims, window, [what])
            known = pending.get(window, set())
            pending[window] = None if known is None else {*known, what}
        self.of_events.add(dims)

    def takes(self, work: Work) -> None:
        """Check that nothing is left out but long windows of a series that events changed, if nobody forced them."""
        pending = self.pending[work.dims]
        waiting = pending.keys() - work.windows.keys()
        assert work.windows == {window: pending[window] for window in work.windows}
        assert waiting <= LONG - self.forced[work.dims]
        assert not waiting or work.dims in self.of_events
        self.pending[work.dims] = {window: pending[window] for window in waiting}
        self.forced[work.dims] -= work.windows.keys()


@examples(200)
@given(st.lists(happenings, max_size=40))
def test_all_that_changes_is_taken_and_only_long_windows_wait(history: list[Happening]) -> None:
    worklist, reference = Worklist(EVERY_MS), Reference()
    now_ms = 1_000_000
    for later_ms, dims, windows, what, turns in history:
        now_ms += later_ms
        reference.happens(worklist, dims, windows, what)
        worklist.release(now_ms)
        for _ in range(turns):
            if worklist.has_others:
                reference.takes(worklist.take(now_ms))
    longest_ms = 4 * (EVERY_MS + sum(happening.later_ms for happening in history))
    for late_ms in range(0, longest_ms + 2 * EVERY_MS, EVERY_MS // 2):
        worklist.release(now_ms + late_ms)
        while worklist.has_others:
            reference.takes(worklist.take(now_ms + late_ms))
    assert not any(reference.pending.values())
