"""Moments: which wins, ranks and goals are worth celebrating, each once.

An id says what happened and in which period, so that a replay, a restart or a second owner makes the same one again,
and whoever sends them can tell.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from schemas.catalogue import KPIS
from schemas.currencies import exponent
from schemas.declare import goal_kpi
from schemas.moments import Moment
from schemas.windows import EVENT_DIMENSIONS
from schemas.wire import Win
from streams.publication import Publication, Published
from streams.time import iso

_CONTESTS: Final = {"today": "today", "wtd": "this week", "mtd": "this month"}
_PLACES: Final = {1: "first", 2: "second", 3: "third"}


def won(win: Win, currency: str) -> Moment:
    """Return the moment of a deal that was won."""
    dimensions = {name: value for name, value in zip(EVENT_DIMENSIONS, win.dims, strict=True) if value is not None}
    whose = f" by {dimensions['rep']}" if "rep" in dimensions else ""
    return Moment(
        id=f"deal_won/{win.event_id}",
        kind="deal_won",
        occurred_at=iso(win.at_ms),
        title=f"Deal {win.deal or win.account} won{whose}",
        dimensions=dimensions,
        value=win.amount / 10 ** exponent(currency),
        unit="money",
        currency=currency,
    )


class Moments:
    """Ranks and goals of publications; remembers the best place of everybody in every period.

    Args:
        quiet: Ids of goals that nobody celebrates: limits that are better not reached.
        attainment: Name of the KPI that says how far goals are.
    """

    def __init__(self, quiet: Container[str] = (), attainment: str = goal_kpi(KPIS, "attainment")) -> None:
        self._attainment = attainment
        self._quiet = quiet
        self._best: dict[str, int] = {}

    def known(self, moment_id: str) -> None:
        """Take note of a moment that was told before."""
        if moment_id.startswith("rank_up/"):
            contest, _, rank = moment_id.rpartition("/")
            self._best[contest] = min(int(rank), self._best.get(contest, int(rank)))

    def of(self, publication: Publication) -> Iterator[Moment]:
        """Return what values of a publication are worth celebrating; what is not live is not."""
        if publication.quality != "live":
            return
        for published in publication.values:
            value = published.value
            if isinstance(value.rank, int) and value.window in _CONTESTS:
                yield from self._rank(published, value.rank)
            elif value.kpi == self._attainment and value.dimensions.keys() == {"target"}:
                yield from () if value.dimensions["target"] in self._quiet else _goal(published)

    def _rank(self, published: Published, rank: int) -> Iterator[Moment]:
        """Celebrate the first three places, when somebody comes to a better one than before in the period."""
        value = published.value
        contest = f"rank_up/{value.kpi}/{value.window}/{value.window_start}/{published.dims}"
        before = self._best.get(contest)
        if rank not in _PLACES or not value.value or (before is not None and before <= rank):
            return
        self._best[contest] = rank
        who = ", ".join(value.dimensions.values())
        yield Moment(
            id=f"{contest}/{rank}",
            kind="rank_up",
            occurred_at=iso_of(published),
            title=f"{who} takes {_PLACES[rank]} place {_CONTESTS[value.window]}",
            kpi=value.kpi,
            window=value.window,
            dimensions=value.dimensions,
            value=value.value,
            unit=value.unit,
            currency=value.currency,
            rank=rank,
            previous_rank=before,
        )


def _goal(published: Published) -> Iterator[Moment]:
    value = published.value
    if value.value is not None and value.value >= 1:
        target = value.dimensions["target"]
        yield Moment(
            id=f"goal_reached/{target}/{value.window_start}",
            kind="goal_reached",
            occurred_at=iso_of(published),
            title=f"Goal {target} is reached",
            kpi=value.kpi,
            window=value.window,
            dimensions=value.dimensions,
            value=value.value,
            unit=value.unit,
        )


def iso_of(published: Published) -> str:
    """Return the time at which a value was seen to hold: its watermark, or when it was put out."""
    return published.value.watermark or published.value.emitted_at
