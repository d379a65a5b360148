"""Restatements against the oracle: what a closed day was, what it is, and that nothing changes without one."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.restatements import Restatement, Stated
from schemas.settings import settings_from
from streams.time import iso
from tests.harness import PurePipeline
from tests.oracle import OracleSettings
from tests.oracle.accounts import account_of
from tests.oracle.catalogue import CATALOGUE
from tests.oracle.dimensions import facts_by_account
from tests.oracle.events import instant_ms, read
from tests.oracle.further_catalogue import FURTHER_CATALOGUE
from tests.oracle.kpis import KpiValue, Values, evaluate
from tests.oracle.occurrences import of_spend
from tests.oracle.tracks import Tracks
from tests.oracle.whole import further_contributions
from tests.properties.histories import Event, histories
from tests.properties.profile import examples

DAY_MS = 86_400_000
# They go on growing (cohorts), or look at other windows than their own.
_LEFT_OUT = ("cohort_conversion", "revenue_growth")
_COMPARED = tuple(
    kpi for kpi in (*CATALOGUE, *FURTHER_CATALOGUE) if kpi.name not in _LEFT_OUT and kpi.percentile is None
)

# A level changes for good on the day of the change: of the days after it nothing is told.
_LEVELS = frozenset(
    kpi.name
    for kpi in _COMPARED
    if any(term.strip("<>") != term for term in (*kpi.numerator, *(kpi.denominator or {})))
)


def restatements(before: Sequence[Event], then: Sequence[Event]) -> list[tuple[int, Restatement]]:
    """What events change in days that are over, after others have been folded; with the index of each event."""
    pipeline = PurePipeline(settings_from({"time": {"clock": "event"}}), partitions=1, frame_events=1)
    pipeline.run(before, wall_ms=0)
    pipeline.take_restatements()
    found: list[tuple[int, Restatement]] = []
    for index, event in enumerate(then):
        pipeline.send([event])
        pipeline.fold_all()
        pipeline.emit(0)
        found += ((index, restatement) for restatement in pipeline.take_restatements())
    return found


def of_day(events: Sequence[Event], end_ms: int) -> Values:
    """The day that ends at an instant, as all these events make it."""
    settings = OracleSettings()
    by_account = facts_by_account(read(events, settings))
    accounts = [account_of(facts, settings) for name, facts in by_account.items() if name]
    steps = [step for account in accounts for step in further_contributions(account, settings)]
    steps += of_spend(by_account.get("", []), settings)
    return evaluate(_COMPARED, Tracks(steps), settings, end_ms)


# What a deal is worth is told days later, and with it what customers are worth at the end of every day since: that is
# told of the first of them. Then something else happens to another one.
_WORTH_LEARNT_LATE: list[Event] = [
    {"event_id": "e1", "event_type": "deal.won", "account_id": "a", "deal_id": "d1", "occurred_at": 1729980120000},
    {"event_id": "e2", "event_type": "web.visit", "account_id": "a", "occurred_at": 1731412750000},
    {
        "event_id": "e3",
        "event_type": "deal.won",
        "account_id": "a",
        "deal_id": "d1",
        "amount": 100,
        "occurred_at": 1731412920000,
    },
    {
        "event_id": "e4",
        "event_type": "deal.returned",
        "account_id": "a",
        "deal_id": "d2",
        "cost": 4,
        "occurred_at": 1730410560999,
    },
]


@examples(40)
@example(_WORTH_LEARNT_LATE, 2)
@given(histories(max_size=20), st.integers(1, 19))
def test_a_closed_day_changes_from_what_it_was_to_what_it_is(history: list[Event], cut: int) -> None:
    before, then = history[:cut], history[cut:]
    if not then:
        return
    told: dict[tuple[str, ...], list[tuple[int, Restatement]]] = {}
    for index, restatement in restatements(before, then):
        told.setdefault(tuple(restatement.id.split("/", 3)[3].split("|")), []).append((index, restatement))
    times = [instant_ms(event["occurred_at"]) for event in history]
    open_ms = max(times[:cut]) // DAY_MS * DAY_MS
    for start_ms in range(min(times) // DAY_MS * DAY_MS, open_ms, DAY_MS):
        was, now = of_day(before, start_ms + DAY_MS), of_day(history, start_ms + DAY_MS)
        for key, value in now.items():
            kpi, window, dims = key.split("|")
            if window == "today" and key in was:
                chain = told.get((kpi, window, dims, iso(start_ms)))
                if chain is None:
                    assert kpi in _LEVELS or parts(was[key]) == parts(value), key
                    continue
                assert all(restatement.events and restatement.event_count for _, restatement in chain), key
                if kpi in _LEVELS:  # in between it may change without being told: on an earlier day
                    for index, restatement in chain:
                        for stated, until in ((restatement.before, cut + index), (restatement.after, cut + index + 1)):
                            assert parts(of_day(history[:until], start_ms + DAY_MS)[key]) == numbers(stated), key
                else:
                    assert parts(was[key]) == numbers(chain[0][1].before), key
                    assert parts(value) == numbers(chain[-1][1].after), key


def numbers(stated: Stated) -> tuple[float | None, int | None, int | None]:
    return stated.value, stated.numerator, stated.denominator


def parts(value: KpiValue) -> tuple[float | None, int | None, int | None]:
    return value["value"], value["numerator"], value["denominator"]
