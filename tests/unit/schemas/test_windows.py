"""The tables of windows and resolutions hold together."""

from __future__ import annotations

from itertools import pairwise

from schemas.windows import DAY_MS, RESOLUTIONS, RETENTION_MS, ROLLING_MS, SLICE_MS, TO_DATE, WINDOW_RESOLUTION, WINDOWS


def test_there_are_eleven_windows_each_with_a_resolution() -> None:
    assert len(WINDOWS) == len(set(WINDOWS)) == 11
    assert set(WINDOW_RESOLUTION) == set(WINDOWS)
    assert set(WINDOWS) == {*ROLLING_MS, *TO_DATE, "all"}


def test_each_resolution_fits_into_the_next() -> None:
    lengths = [SLICE_MS[name] for name in RESOLUTIONS if name in SLICE_MS]
    assert all(coarser % finer == 0 for finer, coarser in pairwise(lengths))
    assert DAY_MS % lengths[-1] == 0


def test_rolling_windows_are_multiples_of_their_resolution() -> None:
    assert all(length % SLICE_MS[WINDOW_RESOLUTION[window]] == 0 for window, length in ROLLING_MS.items())


def test_cells_are_kept_for_a_window_and_its_previous_and_some_more() -> None:
    for window, length in ROLLING_MS.items():
        assert RETENTION_MS[WINDOW_RESOLUTION[window]] > 2 * length
    assert RETENTION_MS["15m"] > 62 * DAY_MS, "a month to date ends on a quarter of an hour of the month before"
    assert RETENTION_MS["1d"] > 2 * 366 * DAY_MS
    assert "all" not in RETENTION_MS
