"""What the calendar brings, whoever is on the floor: the goals of every month, the spend of every day."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.simulator.cast import hire
from streams.simulator.chance import chance_for
from streams.simulator.config import SimulationConfig
from streams.simulator.world import Event

DAY_LENGTH_MS = 86_400_000
_SPEND_SHARE = 0.05
_OF_REVENUE = {"sales": 0.08, "service": 0.02, "retention": 0.015}


class Entry(NamedTuple):
    """An event that happens at `at_ms`; the engine fills in id and time."""

    at_ms: int
    topic: str
    key: str
    event: Event


class Outlook(NamedTuple):
    """What management expects: leads per ms before and after the floor goes live, and revenue per lead."""

    revenue_per_lead: float
    leads_per_ms: float
    live_from_ms: float = math.inf
    live_leads_per_ms: float = 0.0
    until_ms: float = math.inf

    def leads(self, start_ms: float, end_ms: float) -> float:
        """Leads expected in `[start_ms, end_ms)`."""
        before = max(0.0, min(end_ms, self.live_from_ms) - start_ms)
        after = max(0.0, min(end_ms, self.until_ms) - max(start_ms, self.live_from_ms))
        return before * self.leads_per_ms + after * self.live_leads_per_ms


def goals(config: SimulationConfig, label: str, outlook: Outlook, start_ms: int, end_ms: int | None) -> Iterator[Entry]:
    """Goals of every month that begins in `[start_ms, end_ms)`, and of the one in which it starts."""
    rng = chance_for("goals", config.seed)
    zone = ZoneInfo(config.zone)
    month = datetime.fromtimestamp(start_ms / 1000, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while end_ms is None or to_ms(month) < end_ms:
        following = (month + timedelta(days=32)).replace(day=1)
        first_ms = max(start_ms, to_ms(month))
        revenue = outlook.leads(first_ms, to_ms(following)) * outlook.revenue_per_lead * rng.uniform(0.95, 1.15)
        for event in month_goals(config, label, month, revenue):
            yield Entry(first_ms, "targets", str(event["target_id"]), event)
        for day, event in month_progress(label, month):
            at_ms = to_ms(month + timedelta(days=day, hours=10))
            if at_ms >= start_ms:
                yield Entry(at_ms, "targets", str(event["target_id"]), event)
        month = following


def month_goals(config: SimulationConfig, label: str, month: datetime, revenue: float) -> Iterator[Event]:
    """A goal on revenue for the company, its teams and its reps, children of one another, and three of other kinds."""
    reps = hire(config)
    power = {rep.rep_id: rep.weight * rep.skill for rep in reps}
    whole = sum(power.values())
    yield goal(label, month, "company", {"value": _round(revenue)})
    for team in sorted({rep.team_id for rep in reps}):
        share = sum(power[rep.rep_id] for rep in reps if rep.team_id == team) / whole
        value, parent = _round(revenue * share), _id(label, month, "company")
        yield goal(label, month, team, {"dimensions": {"team": team}, "value": value, "parent": parent})
    for rep in reps:
        value, parent = _round(revenue * power[rep.rep_id] / whole), _id(label, month, rep.team_id)
        yield goal(label, month, rep.rep_id, {"dimensions": {"rep": rep.rep_id}, "value": value, "parent": parent})
    customers = max(1, round(len(reps) * 1.5))
    yield goal(label, month, "new-customers", {"kpi": "new_customers", "kind": "number", "value": customers})
    yield goal(label, month, "playbook", {"kpi": "activity", "kind": "tasks", "value": 12, "done": 0})
    yield goal(label, month, "price-list", {"kpi": "quotes_sent", "kind": "boolean", "value": 1, "done": False})


def month_progress(label: str, month: datetime) -> Iterator[tuple[int, Event]]:
    """What becomes of the goals during the month: `(days from its first, event)`, in order."""
    for day, done in ((7, 4), (14, 9), (21, 12)):
        yield day, goal(label, month, "playbook", {"kpi": "activity", "kind": "tasks", "value": 12, "done": done})
        if day == 14:
            own = {"kpi": "quotes_sent", "kind": "boolean", "value": 1, "done": True}
            yield day, goal(label, month, "price-list", own)
        if day == 21 and month.month % 3 == 0:
            own = {"kpi": "new_customers", "kind": "number", "value": 1, "withdrawn": True}
            yield day, goal(label, month, "new-customers", own)


def goal(label: str, month: datetime, name: str, own: Event) -> Event:
    """A goal of a month; by default a global one on revenue."""
    return {
        "event_id": "",
        "event_type": "target.set",
        "occurred_at": "",
        "target_id": _id(label, month, name),
        "kpi": "revenue",
        "dimensions": {},
        "period": "month",
        "start": month.isoformat(),
        "kind": "currency",
        **own,
    }


def spend(config: SimulationConfig, outlook: Outlook, periods: Iterator[tuple[int, int]]) -> Iterator[Entry]:
    """What marketing, sales, service and retention cost in every period, told a quarter into it."""
    rng = chance_for("spend", config.seed)
    whole = sum(source.weight for source in config.sources)
    for start_ms, end_ms in periods:
        leads = outlook.leads(start_ms, end_ms)
        revenue = leads * outlook.revenue_per_lead
        costs: list[tuple[str, Event, float]] = []
        for source in config.sources:
            share = source.weight / whole
            costs.append(("marketing", {"source": source.name}, leads * share * source.lead_cost))
            costs.append(("sales", {"source": source.name}, revenue * share * _OF_REVENUE["sales"]))
        costs.append(("service", {}, revenue * _OF_REVENUE["service"]))
        costs.append(("retention", {}, revenue * _OF_REVENUE["retention"]))
        gap_ms = min(60_000.0, (end_ms - start_ms) / (2 * len(costs)))
        for position, (category, dimensions, cost) in enumerate(costs):
            amount = max(1, round(cost * rng.uniform(0.8, 1.2)))
            head: Event = {"event_id": "", "event_type": "spend.recorded", "occurred_at": ""}
            at_ms = int(start_ms + (end_ms - start_ms) / 4 + position * gap_ms)
            yield Entry(at_ms, "spend", category, {**head, **dimensions, "category": category, "amount": amount})


def spend_size(config: SimulationConfig) -> int:
    """Spend events of one period."""
    return 2 * len(config.sources) + 2


def days(config: SimulationConfig, start_ms: int, end_ms: float, events_per_ms: float) -> Iterator[tuple[int, int]]:
    """Local days from start to end; several at a time where spend would else be too many of so few events."""
    step = max(1, math.ceil(spend_size(config) / (_SPEND_SHARE * events_per_ms * DAY_LENGTH_MS)))
    day = datetime.fromtimestamp(start_ms / 1000, ZoneInfo(config.zone))
    day = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while to_ms(day) < end_ms:
        following = day + timedelta(days=step)
        yield to_ms(day), to_ms(following)
        day = following


def intervals(config: SimulationConfig, start_ms: int, speed: float, events_per_ms: float) -> Iterator[tuple[int, int]]:
    """Compressed days from start on, longer where spend would else be too many of so few events."""
    step_ms = max(DAY_LENGTH_MS / speed, spend_size(config) / (_SPEND_SHARE * events_per_ms))
    number = 0
    while True:
        yield int(start_ms + number * step_ms), int(start_ms + (number + 1) * step_ms)
        number += 1


def to_ms(moment: datetime) -> int:
    """UTC epoch ms of a moment with a zone."""
    return int(moment.timestamp() * 1000)


def _id(label: str, month: datetime, name: str) -> str:
    return f"g-{label}{month:%Y-%m}-{name}"


def _round(amount: float) -> int:
    """Goals are round figures: full hundreds of the currency, in minor units."""
    return max(10_000, round(amount / 10_000) * 10_000)
