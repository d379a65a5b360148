"""An explanation: the parts of one KPI value, and what it was computed from, as command line and HTTP give it."""

from __future__ import annotations

import msgspec

from schemas.kpi import KpiValue, Unit
from schemas.restatements import Restatement

Sums = dict[str, int]
"""Reading -> integer: counts, minor units or seconds, as the measure declares."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A measure as the formula takes it.

    Args:
        label: As in the formula: ``deals_won``, ``end(customers)``, ``previous(won_amount)``.
        measure: Its name.
        counts: What it counts or adds up, in words.
        unit: Of its sum; ``money`` is in minor units.
        level: It says what is in a state, and not what happened.
        start: First slice that counts, RFC 3339; None: from the beginning.
        end: End of the slices that count, exclusive.
        sum: What it comes to.
    """

    label: str
    measure: str
    counts: str
    unit: Unit
    level: bool
    start: str | None
    end: str
    sum: int


class SliceOf(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of the window.

    Args:
        start: RFC 3339; None: everything before the first other slice.
        end: Exclusive.
        sums: What readings come to in it; of a level by how much it changed. Zeros are left out.
        numerator: Of what happened in it; None where that is no sum of what happened.
        denominator: As the numerator.
    """

    start: str | None
    end: str
    sums: Sums
    numerator: int | None = None
    denominator: int | None = None


class Slices(msgspec.Struct, frozen=True, kw_only=True):
    """The window slice by slice; the sums add up to the readings, those of levels together with ``starts``."""

    step: str
    slices: list[SliceOf]
    starts: Sums = {}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A stage, a class, or the values between two of a distribution.

    Args:
        name: Of the stage or class; of values the one that stands for them.
        sums: What readings come to in it.
        value: The KPI of it alone, where it has one; for values: the value in seconds.
        chosen: It is the one that the value is of.
    """

    name: str
    sums: Sums
    value: float | int | None = None
    chosen: bool = False


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """What a value was found among: stages, classes, or values in order of size.

    Args:
        by: ``stage``, ``class`` or ``value``.
        rule: How it was found, in words.
        groups: In order.
        left_out: How many more there are.
    """

    by: str
    rule: str
    groups: list[Group]
    left_out: int = 0


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal that the value is of, or one of its sum.

    Args:
        target: Its id.
        kpi: Whose numerator is its actual value; None for goals that are ticked off.
        dimensions: Of the series that it is about.
        kind: number, currency (minor units), boolean, tasks, or ratio where the KPI is one.
        period: day to year.
        value: The target; where it is no integer, and of a ratio, it and the actual value are multiplied until they are
            integers, as the parts of the attainment are.
        actual: How much of it is reached; None where its KPI is not counted.
        parent: The goal it is part of.
    """

    target: str
    kpi: str | None
    dimensions: dict[str, str]
    kind: str
    period: str
    value: int
    actual: int | None
    parent: str | None


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """The goals behind a value, and the working time of their period.

    Args:
        goals: The goal and its children, or those that are added up.
        rolled_up: Whether the actual value is that of children.
        working_time: How much of the period's working time has passed.
        working_time_whole: All of it, in the same unit.
    """

    goals: list[Goal]
    rolled_up: bool
    working_time: int
    working_time_whole: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that would perhaps have counted.

    Args:
        number: For ``salespulse dlq show``.
        topic: Source topic.
        reason: Why it is one.
        event_type: As far as its bytes tell.
        event_id: As far as its bytes tell.
        occurred_at: As far as its bytes tell; else it is here because it failed in the window.
        failed_at: When intake refused it.
    """

    number: str
    topic: str
    reason: str
    event_type: str | None
    event_id: str | None
    occurred_at: str | None
    failed_at: str


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of the window, of the event types that the KPI counts or of an unreadable type.

    Args:
        count: All of them.
        reasons: Reason -> how many.
        letters: The newest.
    """

    count: int
    reasons: dict[str, int]
    letters: list[Letter]


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What an event added to a reading, and in which 10 s slice."""

    reading: str
    at: str
    amount: int


class ExplainedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that counts.

    Args:
        event_id: As it came.
        event_type: As it came.
        occurred_at: RFC 3339 in UTC.
        account_id: None for spend.
        ref: The lead, deal, message, cart or call it is about.
        dimensions: Those it states itself.
        topic: Source topic.
        partition: Partition of it.
        offset: Offset in that.
        adds: What it added to the window.
        later: Exits from levels after the window that it brings about.
        numerator: Its share of the numerator, where that is a sum of shares.
        denominator: Its share of the denominator.
    """

    event_id: str
    event_type: str
    occurred_at: str
    account_id: str | None
    ref: str | None
    dimensions: dict[str, str]
    topic: str
    partition: int
    offset: int
    adds: list[Added]
    later: list[Added]
    numerator: int | None = None
    denominator: int | None = None


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """The events behind a value.

    Args:
        count: How many count.
        sums: What they add up to, by reading.
        difference: By how much that is more than the readings; empty when it is exactly the same.
        messages: How many were read of the source topics.
        events: The newest of those that count.
        note: Why none were looked for; else None.
    """

    count: int
    sums: Sums
    difference: Sums
    messages: int
    events: list[ExplainedEvent]
    note: str | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a KPI value is what it is.

    Args:
        value: As published.
        title: What people call the KPI.
        doc: Its formula in words.
        formula: Its formula over measures.
        source_kpi: The KPI that the parts are of, where that is another one: of goals.
        moved_on: The value as the cells have it now, where that is another one already; the parts are of this one.
        readings: The measures that the formula takes.
        slices: How they spread over the window; None where there are no readings.
        groups: What the value was found among, for percentiles, stages and classes.
        goals: The goals behind it.
        restatements: What late events and corrections changed in closed days of the window, newest first.
        dead_letters: Messages of the window that could not be counted.
        events: The events, if asked for.
    """

    value: KpiValue
    title: str
    doc: str
    formula: str
    source_kpi: str | None
    moved_on: KpiValue | None
    readings: list[Reading]
    slices: Slices | None
    groups: Groups | None
    goals: Goals | None
    restatements: list[Restatement]
    dead_letters: Letters
    events: Events | None
