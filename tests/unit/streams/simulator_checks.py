"""What every simulated event must look like, written down from the interface and from nothing in the simulator."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

Check = Callable[[object], bool]

START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z, a Monday
DAY_MS = 86_400_000


def text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def whole(value: object) -> bool:
    return type(value) is int and value >= 0


def flag(value: object) -> bool:
    return isinstance(value, bool)


def one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def moment(value: object) -> bool:
    if type(value) is int:
        return value > 0
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


def item_list(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            item.keys() == {"product", "quantity", "amount", "cost"}
            and text(item["product"])
            and whole(item["quantity"])
            and item["quantity"] > 0
            and whole(item["amount"])
            and whole(item["cost"])
            for item in value
        )
    )


def goal_dimensions(value: object) -> bool:
    return isinstance(value, dict) and len(value) < 2 and all(text(part) for pair in value.items() for part in pair)


def currency_code(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None


Fields = dict[str, Check]

DIMENSION_NAMES = ("rep_id", "team_id", "region", "source", "channel", "product")
DIMENSIONS: Fields = {**dict.fromkeys(DIMENSION_NAMES, text), "currency": currency_code}

LEAD: Fields = {"stage?": text, "lead_id?": text}
EMAIL: Fields = {"message_id": text, "campaign?": text}
DEAL: Fields = {"deal_id": text}
SALE: Fields = {**DEAL, "amount?": whole, "cost?": whole, "items?": item_list}
CART: Fields = {"cart_id": text}
INVOICE: Fields = {**DEAL, "invoice_id": text}

EVENT_TYPES: dict[str, tuple[str, Fields]] = {
    "lead.created": ("leads", LEAD),
    "lead.contacted": ("leads", LEAD),
    "lead.stage_changed": ("leads", {**LEAD, "from_stage": text, "to_stage": text}),
    "lead.qualified": ("leads", LEAD),
    "lead.disqualified": ("leads", {**LEAD, "reason": text}),
    "call.completed": (
        "calls",
        {
            "direction": one_of("inbound", "outbound"),
            "outcome": one_of("connected", "no_answer", "busy", "voicemail", "failed"),
            "purpose": one_of("sales", "price", "information", "support", "other"),
            "duration_s": whole,
            "call_id": text,
        },
    ),
    "email.sent": ("emails", EMAIL),
    "email.delivered": ("emails", EMAIL),
    "email.opened": ("emails", EMAIL),
    "email.clicked": ("emails", EMAIL),
    "email.replied": ("emails", EMAIL),
    "deal.created": ("deals", {**DEAL, "amount": whole, "cost?": whole, "stage": text}),
    "deal.stage_changed": ("deals", {**DEAL, "from_stage": text, "to_stage": text}),
    "deal.quote_sent": ("deals", DEAL),
    "deal.quote_accepted": ("deals", DEAL),
    "deal.won": ("deals", SALE),
    "deal.lost": ("deals", {**DEAL, "reason": text}),
    "deal.amended": ("deals", {**DEAL, "amount": whole, "cost": whole}),
    "deal.returned": ("deals", SALE),
    "deal.invoice_due": ("deals", {**INVOICE, "amount": whole}),
    "deal.invoice_paid": ("deals", INVOICE),
    "deal.invoice_overdue": ("deals", {**INVOICE, "amount": whole}),
    "deal.reassigned": ("deals", {**DEAL, "rep_id": text, "team_id": text}),
    "web.visit": ("web", {"campaign?": text, "advertisement": flag}),
    "web.form_submitted": ("web", {}),
    "web.cart_created": ("web", CART),
    "web.cart_abandoned": ("web", CART),
    "spend.recorded": (
        "spend",
        {"category": one_of("marketing", "sales", "service", "retention"), "amount": whole},
    ),
    "service.complaint": ("service", {}),
    "service.satisfaction": ("service", {"score": whole, "scale?": whole}),
    "service.churned": ("service", {"reason": text}),
    "target.set": (
        "targets",
        {
            "target_id": text,
            "kpi": text,
            "dimensions": goal_dimensions,
            "period": one_of("day", "week", "month", "quarter", "year"),
            "start": moment,
            "value": whole,
            "kind": one_of("number", "currency", "boolean", "tasks"),
            "parent?": text,
            "done?": lambda value: flag(value) or whole(value),
            "withdrawn?": flag,
        },
    ),
}

STATED_BY_ITSELF = ("rep_id", "team_id", "region", "source", "channel")


def complaints(topic: str, event: Mapping[str, object]) -> list[str]:
    """What is wrong with an event; nothing if it is as promised."""
    event_type = str(event.get("event_type"))
    if event_type not in EVENT_TYPES:
        return [f"unknown event_type {event_type}"]
    own_topic, own = EVENT_TYPES[event_type]
    expected: Fields = {"event_id": text, "event_type": text, "occurred_at": moment}
    if own_topic not in ("spend", "targets"):
        expected["account_id"] = text
    expected |= {f"{name}?": check for name, check in DIMENSIONS.items()}
    expected |= own
    if own_topic in ("calls", "emails", "web", "service"):
        expected |= dict.fromkeys(STATED_BY_ITSELF, text)
    found = [] if topic == own_topic else [f"topic {topic}, not {own_topic}"]
    found += [f"{name} is missing" for name in expected if not name.endswith("?") and name not in event]
    for name, value in event.items():
        check = expected.get(name) or expected.get(f"{name}?")
        if check is None:
            found.append(f"{name} is not a field of {event_type}")
        elif not check(value):
            found.append(f"{name} is {value!r}")
    return found


def occurred_ms(event: Mapping[str, object]) -> int:
    """The event's own time, UTC epoch ms."""
    value = event["occurred_at"]
    if isinstance(value, int):
        return value
    return round(datetime.fromisoformat(str(value)).timestamp() * 1000)
