"""The newest of everything one owner has said, and which part of it Redis has not got yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.kpi import Quality
from streams.history import History, HistoryPoint, HistoryStep, oldest_ms
from streams.publication import Publication
from streams.redis_view.keys import PointKey
from streams.redis_view.ledger import Ledger, Untold


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One value as Redis gets it: its JSON, and its score in a ranking (None when unknown)."""

    payload: bytes
    score: float | int | None


class Head(NamedTuple):
    """What a publication says of all series of its owner."""

    position: int
    clock_ms: int
    watermark_ms: int | None
    quality: Quality

    @property
    def version(self) -> str:
        """``position:clock_ms``, as stored in the meta hash."""
        return f"{self.position}:{self.clock_ms}"


class Pending(NamedTuple):
    """What one write has to say: keys of values and of points of history that changed, or that are no more."""

    head: Head
    values: Untold[str]
    points: Untold[PointKey]


class OwnerSnapshot:
    """Last value of every series of one owner, and the points of their history.

    Attributes:
        values: Series key -> value.
        points: Key of a point -> its JSON.
        confirmed: Version that Redis is known to hold; None until it took everything once.
        outdated: Position and clock of a newer writer, whose values Redis holds; None where there is none.
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.values: Ledger[str, Entry] = Ledger()
        self.points: Ledger[PointKey, bytes] = Ledger()
        self.confirmed: str | None = None
        self.outdated: tuple[int, int] | None = None
        self._head: Head | None = None
        self._newest: dict[HistoryStep, int] = {}

    def take(self, publication: Publication) -> None:
        """Coalesce a publication; one that is older than what is held already is dropped."""
        if self._is_old(publication):
            return
        self._head = Head(
            publication.position,
            publication.clock_ms,
            publication.watermark_ms,
            publication.quality,
        )
        if publication.complete:
            if self.wants_everything:
                self.outdated = None
            self.values.drop_all_but({published.key for published in publication.values})
        for published in publication.values:
            self.values.put(published.key, Entry(published.payload, published.value.value))

    @property
    def wants_everything(self) -> bool:
        """Whether another writer's values are older than ours now, while some of ours may be older than them.

        A publication brings what changed, and not always all of that; so everything is to be told anew.
        """
        return self.outdated is not None and self._head is not None and self._head[:2] >= self.outdated

    @property
    def has_news(self) -> bool:
        """Whether there is anything that Redis has not got yet."""
        return self.values.has_untold or self.points.has_untold

    def take_history(self, history: History) -> None:
        """Coalesce points of history; those that are older than what is held already are dropped."""
        if self._is_old(history):
            return
        if history.complete:
            self.points.drop_all_but({_key(point) for point in history.points})
        for point in history.points:
            if point.start_ms >= oldest_ms(point.step, history.clock_ms):
                self.points.put(_key(point), _payload(point))
        self._drop_old_points(history.points, history.clock_ms)

    def begin(self) -> Pending | None:
        """Take out what is not written yet; None before the first publication."""
        if self._head is None:
            return None
        return Pending(self._head, self.values.take(), self.points.take())

    def give_back(self, pending: Pending) -> None:
        """Undo `begin` for a write that failed."""
        self.values.give_back(pending.values)
        self.points.give_back(pending.points)

    def _is_old(self, said: Publication | History) -> bool:
        return self._head is not None and (said.position, said.clock_ms) < self._head[:2]

    def _drop_old_points(self, points: Iterable[HistoryPoint], clock_ms: int) -> None:
        """Whenever a new slice has begun, drop the points that nobody asks for any more."""
        for point in points:
            if point.start_ms > self._newest.get(point.step, 0):
                self._newest[point.step] = point.start_ms
                oldest = oldest_ms(point.step, clock_ms)
                keys = self.points.entries
                self.points.drop([key for key in keys if key.step == point.step and key.start_ms < oldest])


def _key(point: HistoryPoint) -> PointKey:
    return PointKey(point.kpi, point.step, point.dims, point.start_ms)


def _payload(point: HistoryPoint) -> bytes:
    parts = {"value": point.value, "numerator": point.numerator, "denominator": point.denominator}
    return msgspec.json.encode(parts)
