"""Contributions as a document: the newest events that count, and what all of them add up to."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from schemas.explanation import Added, Events, ExplainedEvent
from schemas.restatements import Restatement
from schemas.rows import EVENT_TYPES
from streams.dimensions import Dimensions
from streams.explain.anatomy import Anatomy, Intervals
from streams.explain.attribution import Contribution, Step
from streams.time import iso

Place = tuple[str, int]
"""Source topic and partition."""


class Gathering:
    """Takes contributions one by one; keeps sums, and the newest of them.

    Args:
        limit: How many are kept.
    """

    def __init__(self, limit: int) -> None:
        self.count = 0
        self.sums: dict[str, int] = {}
        self._limit = limit
        self._newest: list[tuple[int, str, int, Contribution]] = []

    def take(self, contributions: Iterable[Contribution]) -> None:
        """Take contributions in any order."""
        for each in contributions:
            self.count += 1
            for label, amount in each.sums.items():
                self.sums[label] = self.sums.get(label, 0) + amount
            entry = (each.row.at_ms, each.row.event_id, self.count, each)
            if len(self._newest) < self._limit:
                heapq.heappush(self._newest, entry)
            elif self._newest:
                heapq.heappushpop(self._newest, entry)

    def document(
        self,
        anatomy: Anatomy,
        read: Mapping[str, int],
        places: Sequence[Place],
        dimensions: Dimensions,
        messages: int,
    ) -> Events:
        """Return what was gathered.

        Args:
            anatomy: How readings make the value up.
            read: What readings come to by the cells, to be compared with.
            places: Where rows are from, by their ``section``.
            dimensions: Those that events state.
            messages: How many were read.
        """
        newest = [each for *_, each in sorted(self._newest, key=lambda entry: entry[:3], reverse=True)]
        sums = {label: self.sums.get(label, 0) for label in read}
        return Events(
            count=self.count,
            sums=sums,
            difference={label: sums[label] - value for label, value in read.items() if sums[label] != value},
            messages=messages,
            events=[_event(each, anatomy, places, dimensions) for each in newest],
        )


def _event(found: Contribution, anatomy: Anatomy, places: Sequence[Place], dimensions: Dimensions) -> ExplainedEvent:
    row = found.row
    topic, partition = places[row.section]
    stated = zip(dimensions.names, dimensions.stated(row), strict=True)
    return ExplainedEvent(
        event_id=row.event_id,
        event_type=EVENT_TYPES[row.kind],
        occurred_at=iso(row.at_ms),
        account_id=None if row.account.startswith("\0") else row.account,
        ref=row.ref,
        dimensions={name: value for name, value in stated if value is not None},
        topic=topic,
        partition=partition,
        offset=row.offset,
        adds=_added(found.steps),
        later=_added(found.later),
        **{name: side.of(found.sums) for name, side in anatomy.sides().items() if side.linear},
    )


def _added(steps: Iterable[Step]) -> list[Added]:
    joined: dict[tuple[str, int], int] = {}
    for label, start_ms, amount in steps:
        joined[label, start_ms] = joined.get((label, start_ms), 0) + amount
    return [
        Added(reading=label, at=iso(start_ms), amount=amount) for (label, start_ms), amount in joined.items() if amount
    ]


def restates(each: Restatement, kpi: str, dimensions: Mapping[str, str], intervals: Intervals) -> bool:
    """Tell whether a restatement is of a series, in a local day that lies in a window.

    Days alone: what changed one is told of its week, month, quarter and year again.
    """
    return (
        each.kpi == kpi
        and each.window == "today"
        and each.dimensions == dict(dimensions)
        and each.period_end > iso(intervals.span.start_ms)
        and each.period_start < iso(intervals.span.end_ms)
    )


def newest_first(restatements: Iterable[Restatement]) -> list[Restatement]:
    """Return restatements in the order of their being told, newest first, each once."""
    found = {each.id: each for each in restatements}
    return sorted(found.values(), key=lambda each: each.emitted_at, reverse=True)
