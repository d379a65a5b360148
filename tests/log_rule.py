"""The rule by which the log's reader takes sections, in a few lines: what intake's tests judge frames by."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.frames import decode_frame
from schemas.rows import Row

Place = tuple[str, int, int]
"""Topic, partition, epoch."""


def take(frames: Iterable[bytes]) -> tuple[list[tuple[Place, Row]], dict[Place, int]]:
    """Read one log partition from its beginning.

    A section is taken if it joins on to what is covered, or is a base and nothing is; of its rows, those not covered.

    Returns:
        The rows taken, with where they are from, and how far each source partition is covered.
    """
    covered: dict[Place, int] = {}
    accepted: list[tuple[Place, Row]] = []
    for frame in map(decode_frame, frames):
        taken: dict[int, tuple[Place, int]] = {}
        for index, section in enumerate(frame.sections):
            place = (section.topic, section.partition, section.epoch)
            before = covered.get(place)
            if section.base if before is None else section.start <= before:
                taken[index] = place, section.start if before is None else before
                covered[place] = max(before or 0, section.end)
        accepted += [
            (taken[row.section][0], row)
            for row in frame.rows
            if row.section in taken and row.offset >= taken[row.section][1]
        ]
    return accepted, covered
