"""Small histories in which everything happens: every type of event, ties, lateness, duplicates, missing dimensions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Event = dict[str, Any]

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_ANCHORS = (
    datetime(2024, 10, 26, 22, tzinfo=ZoneInfo("UTC")),  # Berlin's day of 25 hours begins
    datetime(2024, 10, 27, 1, tzinfo=ZoneInfo("UTC")),  # its clocks go back
    datetime(2024, 10, 31, 23, tzinfo=ZoneInfo("UTC")),  # its November begins
    datetime(2024, 11, 3, 6, tzinfo=ZoneInfo("UTC")),  # New York's clocks go back
    datetime(2024, 11, 12, 12, tzinfo=ZoneInfo("UTC")),
)
ANCHORS_MS = tuple(int(anchor.timestamp()) * 1000 for anchor in _ANCHORS)

_LEADS = ("created", "contacted", "stage_changed", "qualified", "disqualified")
_DEALS = ("created", "stage_changed", "quote_sent", "quote_accepted", "lost", "reassigned")
_MONEY = ("won", "won", "amended", "returned")
_EMAILS = ("sent", "delivered", "opened", "clicked", "replied")

amounts = st.integers(0, 5) | st.sampled_from([100, 333, 10_000])
products = st.sampled_from(["p", "q", "r=,|%"])
items = st.lists(
    st.fixed_dictionaries(
        {}, optional={"product": products, "quantity": st.integers(0, 3), "amount": amounts, "cost": amounts}
    ),
    min_size=1,
    max_size=3,
)
dimensions = {
    "rep_id": st.sampled_from(["r1", "r2"]),
    "team_id": st.sampled_from(["t1", "t2"]),
    "region": st.just("north"),
    "source": st.sampled_from(["ads", "fair"]),
    "channel": st.sampled_from(["web", "phone"]),
    "product": products,
}
# Few different moments, so that ties and events of one slice are common.
moments = st.builds(
    lambda anchor, minutes, rest: anchor + minutes * 60_000 + rest,
    st.sampled_from(ANCHORS_MS),
    st.integers(-90, 90) | st.integers(-2, 2),
    st.sampled_from([0, 1, 999, 10_000]),
)
accounts = st.sampled_from(["a", "b", "c"])


def _bodies(types: list[str], fixed: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Event]:
    return st.fixed_dictionaries(
        {"event_type": st.sampled_from(types), "occurred_at": moments, "account_id": accounts, **fixed},
        optional={**dimensions, **optional},
    )


leads = _bodies(
    [f"lead.{verb}" for verb in _LEADS], {"to_stage": st.just("won over")}, {"lead_id": st.sampled_from(["l1", "l2"])}
)
deals = _bodies(
    [f"deal.{verb}" for verb in _DEALS],
    {"to_stage": st.just("offer"), "deal_id": st.sampled_from(["d1", "d2"])},
    {"amount": amounts, "cost": amounts},
)
money = _bodies(
    [f"deal.{verb}" for verb in _MONEY],
    {"deal_id": st.sampled_from(["d1", "d2"])},
    {"amount": amounts, "cost": amounts, "items": items},
)
emails = _bodies([f"email.{verb}" for verb in _EMAILS], {"message_id": st.sampled_from(["m1", "m2"])}, {})
calls = _bodies(
    ["call.completed"],
    {},
    {
        "direction": st.sampled_from(["inbound", "outbound"]),
        "outcome": st.sampled_from(["connected", "busy"]),
        "purpose": st.sampled_from(["price", "information", "other"]),
        "duration_s": st.integers(0, 600),
    },
)
others = _bodies(["web.form_submitted", "web.cart_created", "web.cart_abandoned", "service.churned"], {}, {})
visits = _bodies(["web.visit"], {}, {"advertisement": st.booleans()})
service = _bodies(
    ["service.complaint", "service.satisfaction"],
    {"score": st.integers(0, 5) | st.sampled_from([0.5, 3.7])},
    {"scale": st.sampled_from([5, 10])},
)
invoices = _bodies(
    [f"deal.invoice_{verb}" for verb in ("due", "overdue", "paid")],
    {"deal_id": st.sampled_from(["d1", "d2"]), "amount": amounts},
    {"invoice_id": st.sampled_from(["i1", "i2"])},
)
spend = st.fixed_dictionaries(
    {
        "event_type": st.just("spend.recorded"),
        "occurred_at": moments,
        "category": st.sampled_from(["marketing", "sales", "service", "retention"]),
        "amount": amounts,
    },
    optional={"source": dimensions["source"]},
)
# Some about whole KPIs and some about one series; parents may be missing, of another kind, or the goal itself.
targets = st.fixed_dictionaries(
    {
        "event_type": st.just("target.set"),
        "occurred_at": moments,
        "target_id": st.sampled_from(["g1", "g2", "g3"]),
        "kpi": st.sampled_from(["revenue", "revenue", "deals_won", "calls", "win_rate", "active_customers"]),
        "period": st.sampled_from(["day", "week", "month", "quarter", "year"]),
        "kind": st.sampled_from(["number", "currency", "currency", "boolean", "tasks"]),
    },
    optional={
        "value": st.integers(0, 400),
        "start": st.sampled_from(["2024-10-01", "2024-10-27", "2024-11-03", "2024-11-12", *ANCHORS_MS]),
        "dimensions": st.sampled_from([{"rep": "r1"}, {"team": "t1"}, {"source": "ads"}, {"product": "r=,|%"}]),
        "parent": st.sampled_from(["g1", "g2", "elsewhere"]),
        "done": st.sampled_from([False, True, 3]),
        "withdrawn": st.booleans(),
    },
)
_FIELDS_OF = {
    "to_stage": ("lead.stage_changed", "deal.stage_changed"),
    "score": ("service.satisfaction",),
    "scale": ("service.satisfaction",),
}


def _tidy(body: Event) -> Event:
    """Leave out what an event of its type does not have."""
    if body.get("kind") in ("boolean", "tasks") and body["kpi"] == "calls":
        body = {**body, "kpi": None}  # they are reached without one
    kind = body["event_type"]
    gone = {name for name, kinds in _FIELDS_OF.items() if kind not in kinds}
    if kind in (f"deal.{verb}" for verb in _DEALS if verb != "created"):
        gone |= {"amount", "cost"}
    return {name: value for name, value in body.items() if name not in gone}


@st.composite
def histories(draw: st.DrawFn, max_size: int = 30) -> list[Event]:
    """Draw events in order of arrival, some of them sent twice."""
    # Money matters most: what accounts remember of it is the hard part.
    rest = (deals, invoices, leads, emails, calls, visits, service, others, spend, targets)
    bodies = draw(st.lists(st.one_of(money, money, money, *rest), min_size=1, max_size=max_size))
    names = draw(st.permutations(range(len(bodies))))  # event ids break ties, so they are not in order of arrival
    events = [{"event_id": f"e{name:03}", **_tidy(body)} for name, body in zip(names, bodies, strict=True)]
    again = draw(st.lists(st.tuples(st.integers(0, len(events) - 1), st.integers(0, len(events))), max_size=3))
    for which, place in again:
        events.insert(place, dict(events[which]))
    return events
