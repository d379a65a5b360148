"""What a simulated floor does seldom or never: corrections, copies sent again days later, goals that are changed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, cast
from zoneinfo import ZoneInfo

from schemas.rows import EVENT_TYPES
from schemas.windows import DAY_MS, HOUR_MS
from streams.simulator import SimulatedEvent
from tests.oracle.events import instant_ms

Event = dict[str, Any]

_CORRECTED: Final = 0.35
"""Share of the deals that something more happens to."""
_SENT_AGAIN: Final = 0.01
_MONTH_START: Final = {"quarter": 3, "year": 12}


def happened_ms(message: SimulatedEvent) -> int:
    """When an event happened, UTC milliseconds."""
    return instant_ms(cast("str | int", message.event["occurred_at"]))


def corrections(messages: Sequence[SimulatedEvent], seed: int) -> Iterator[SimulatedEvent]:
    """Amendments before and after the win, returns, reassignments, a second win; on time, or days and weeks late."""
    chance = random.Random(f"corrections {seed}")
    ends_ms = max(map(happened_ms, messages))
    deals = {str(m.event["event_id"]): m for m in messages if m.event["event_type"] in ("deal.created", "deal.won")}
    for name, message in deals.items():
        if chance.random() > _CORRECTED:
            continue
        is_won = message.event["event_type"] == "deal.won"
        own = _after_the_win(message.event, chance) if is_won else _before_it(message.event, chance)
        wait_ms = chance.uniform(HOUR_MS, 20 * DAY_MS if is_won else 3 * DAY_MS)
        at_ms = happened_ms(message) + int(wait_ms)
        if at_ms < ends_ms:
            said: Event = {
                key: message.event[key] for key in ("account_id", "deal_id", "currency") if key in message.event
            }
            event: Event = {"event_id": f"{name}-more", "occurred_at": at_ms, **said, **own}
            yield SimulatedEvent(message.topic, message.key, event, at_ms + _delay_ms(chance))


def _before_it(created: object, chance: random.Random) -> Event:
    amount = _amount(created)
    return chance.choice(
        [
            {"event_type": "deal.amended", "amount": amount * 5 // 4},
            {"event_type": "deal.reassigned", "rep_id": "r-03", "team_id": "t-east", "region": "east"},
        ]
    )


def _after_the_win(won: object, chance: random.Random) -> Event:
    amount = _amount(won)
    return chance.choice(
        [
            {"event_type": "deal.amended", "amount": amount * 9 // 10},
            {"event_type": "deal.returned", "amount": amount // 3, "cost": amount // 10},
            {"event_type": "deal.returned"},
            {"event_type": "deal.reassigned", "rep_id": "r-01", "team_id": "t-north"},
            {"event_type": "deal.won", "amount": amount + 100},
        ]
    )


def _amount(event: Any) -> int:
    return int(event.get("amount") or 10_000)


def _delay_ms(chance: random.Random) -> int:
    return int(chance.choice([0.0, chance.uniform(0, 3 * HOUR_MS), chance.uniform(DAY_MS, 21 * DAY_MS)]))


def copies(messages: Sequence[SimulatedEvent], seed: int) -> Iterator[SimulatedEvent]:
    """Some messages once more, up to two weeks after the first time.

    With the two weeks that the first may be late that is a week less than event ids are remembered.
    """
    chance = random.Random(f"copies {seed}")
    for message in messages:
        if chance.random() < _SENT_AGAIN:
            yield message._replace(at_ms=message.at_ms + int(chance.uniform(HOUR_MS, 14 * DAY_MS)))


def goals(start_ms: int, end_ms: int, zone: str) -> Iterator[SimulatedEvent]:
    """Goals of every day, week, quarter and year, of all four kinds; changed, withdrawn and set anew while running."""
    first = datetime.fromtimestamp(start_ms / 1000, ZoneInfo(zone)).date()
    last = datetime.fromtimestamp(end_ms / 1000, ZoneInfo(zone)).date()
    events: list[tuple[datetime, Event]] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        events += _of_day(day)
        events += _of_week(day) if day.weekday() == 0 else []
        events += [found for period, months in _MONTH_START.items() for found in _of_months(day, period, months)]
    for number, (local, event) in enumerate(events):
        at_ms = int(local.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
        if start_ms <= at_ms < end_ms:
            body = {"event_id": f"goal-{number}", "event_type": "target.set", "occurred_at": at_ms, **event}
            yield SimulatedEvent("targets", str(event["target_id"]), body, at_ms + (number % 5) * HOUR_MS)


def _of_day(day: date) -> Iterator[tuple[datetime, Event]]:
    goal = {"period": "day", "start": day.isoformat()}
    money = {"kpi": "revenue", "kind": "currency", "value": 90_000, "currency": "JPY"}
    yield _at(day, 1), {**goal, **money, "target_id": f"day-{day}-revenue"}
    calls = {"kpi": "calls", "kind": "number", "value": 12, "dimensions": {"rep": "r-02"}}
    yield _at(day, 1), {**goal, **calls, "target_id": f"day-{day}-calls"}


def _of_week(monday: date) -> Iterator[tuple[datetime, Event]]:
    """A parent of each kind with its children, and goals that change."""
    week = {"period": "week", "start": monday.isoformat()}

    def goal(name: str, kind: str, **own: object) -> Event:
        parent = {"parent": f"week-{monday}-{own.pop('under')}"} if "under" in own else {}
        return {**week, "target_id": f"week-{monday}-{name}", "kind": kind, "kpi": "activity", **parent, **own}

    wednesday, thursday, friday = (monday + timedelta(days=number) for number in (2, 3, 4))
    yield _at(monday, 7), goal("all", "tasks", value=4)
    yield _at(monday, 7), goal("money", "currency", kpi="revenue", value=500_000, under="all")
    yield _at(wednesday), goal("money", "currency", kpi="revenue", value=250_000, under="all")
    yield _at(monday, 7), goal("north", "currency", kpi="revenue", value=90_000, dimensions={"team": "t-north"})
    yield _at(monday, 7), goal("course", "tasks", value=5, done=2, under="all")
    yield _at(thursday), goal("course", "tasks", value=5, done=5, under="all")
    yield _at(monday, 7), goal("list", "boolean", value=1, done=False, under="all")
    yield _at(wednesday), goal("list", "boolean", value=1, done=True, under="all")
    yield _at(monday, 7), goal("leads", "number", value=0)
    for source in ("web", "ads"):
        own = {"kpi": "leads_created", "value": 40, "dimensions": {"source": source}}
        yield _at(monday, 7), goal(f"leads-{source}", "number", **own, under="leads")
    yield _at(monday, 7), goal("both", "boolean", value=1)
    yield _at(monday, 7), goal("visits", "number", kpi="visits", value=10, under="both")
    yield _at(monday, 8), goal("deals", "number", kpi="deals_won", value=3, dimensions={"channel": "phone"})
    yield _at(monday, 9), goal("deals", "number", withdrawn=True)
    yield _at(wednesday), goal("deals", "number", kpi="deals_won", value=2, under="both")
    yield _at(monday, 8), goal("quotes", "number", kpi="quotes_sent", value=9)
    yield _at(wednesday, 9), {"target_id": f"week-{monday}-quotes", "kind": "number", "withdrawn": True}
    yield _at(friday), goal("visits", "number", kpi="visits", value=10, under="leads")


def _of_months(day: date, period: str, months: int) -> Iterator[tuple[datetime, Event]]:
    """Goals of a rep for the quarter, with one of the year above them; set on every first of a month."""
    if day.day != 1:
        return
    start = day.replace(month=(day.month - 1) // months * months + 1)
    goal = {"period": period, "start": start.isoformat(), "kpi": "revenue", "kind": "currency"}
    parent = {"parent": f"year-{day.year}"} if period == "quarter" else {}
    value, dimensions = (400_000, {"rep": "r-05"}) if period == "quarter" else (0, {})
    yield _at(day, 1), {**goal, **parent, "target_id": f"{period}-{start.year}", "value": value + day.month * 1_000,
                        "dimensions": dimensions}  # fmt: skip


def _at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour)


class Properties(NamedTuple):
    """What makes a history hard: how many messages, and how many of them are of which sort."""

    messages: int
    events: int
    accounts: int
    event_types: int
    days: float
    out_of_order: int
    late_by_days: int
    late_by_weeks: int
    amended_before_the_win: int
    amended_after_it: int
    returned: int
    reassigned: int
    goals: int
    goals_changed: int
    goals_withdrawn: int
    parents: int


def properties_of(messages: Sequence[SimulatedEvent]) -> Properties:
    """Describe messages that are in the order of sending."""
    events: dict[str, Event] = {}
    newest_ms, out_of_order, late = 0, 0, [0, 0]
    won_ms: dict[object, int] = {}
    for message in messages:
        at_ms = happened_ms(message)
        out_of_order += at_ms < newest_ms
        for place, days in enumerate((1, 7)):
            late[place] += at_ms < newest_ms - days * DAY_MS
        newest_ms = max(newest_ms, at_ms)
        events[str(message.event["event_id"])] = {**message.event, "at_ms": at_ms}
        if message.event["event_type"] == "deal.won":
            won_ms[message.event["deal_id"]] = min(at_ms, won_ms.get(message.event["deal_id"], at_ms))

    def of(event_type: str) -> list[Event]:
        return [event for event in events.values() if event["event_type"] == event_type]

    amended, targets = of("deal.amended"), of("target.set")
    after = [event for event in amended if event["at_ms"] > won_ms.get(event["deal_id"], newest_ms)]
    set_once = {event["target_id"] for event in targets}
    return Properties(
        messages=len(messages),
        events=len(events),
        accounts=len({event["account_id"] for event in events.values() if "account_id" in event}),
        event_types=len({event["event_type"] for event in events.values()}),
        days=round((newest_ms - min(map(happened_ms, messages))) / DAY_MS, 1),
        out_of_order=out_of_order,
        late_by_days=late[0],
        late_by_weeks=late[1],
        amended_before_the_win=len(amended) - len(after),
        amended_after_it=len(after),
        returned=len(of("deal.returned")),
        reassigned=len(of("deal.reassigned")),
        goals=len(set_once),
        goals_changed=len(targets) - len(set_once),
        goals_withdrawn=sum(event.get("withdrawn") is True for event in targets),
        parents=len({event["parent"] for event in targets if event.get("parent")}),
    )


def assert_hard(found: Properties, accounts: int) -> None:
    """Check that a history is what it is meant to be: 90 days of everything."""
    assert found.event_types == len(EVENT_TYPES)
    assert found.days >= 90
    assert found.accounts >= accounts
    assert found.messages - found.events > 100, "duplicates"
    assert found.out_of_order > found.messages / 10
    assert min(found.late_by_days, found.late_by_weeks) > 100
    corrections_ = (found.amended_before_the_win, found.amended_after_it, found.returned, found.reassigned)
    assert min(corrections_) > 20
    assert min(found.goals_changed, found.goals_withdrawn, found.parents) > 5
