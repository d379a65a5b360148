import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest

from schemas.decode import decode
from schemas.settings import Settings
from schemas.topics import SOURCES
from streams.intake.normalise import Normaliser
from streams.simulator import (
    ConversionDrop,
    Currency,
    LivePace,
    Product,
    SimulatedEvent,
    SimulationConfig,
    Source,
    live,
    simulate,
)
from tests.unit.streams.simulator_checks import DAY_MS, EVENT_TYPES, START_MS, complaints, occurred_ms

HISTORY_DAYS = 120
EVENTS = 100_000


def rate_for(events: int, days: float) -> float:
    return events / (days * DAY_MS / 1000)


@pytest.fixture(scope="module")
def history() -> list[SimulatedEvent]:
    config = SimulationConfig(seed=7, events_per_second=rate_for(EVENTS, HISTORY_DAYS), time_format="mixed")
    return list(simulate(config, START_MS, START_MS + HISTORY_DAYS * DAY_MS))


def of_type(events: list[SimulatedEvent], event_type: str) -> list[dict[str, object]]:
    return [event.event for event in events if event.event["event_type"] == event_type]


def test_every_event_is_as_the_interface_promises(history: list[SimulatedEvent]) -> None:
    wrong = [(event, found) for event in history if (found := complaints(event.topic, event.event))]
    assert wrong[:3] == []


def test_the_checker_itself_finds_what_is_wrong(history: list[SimulatedEvent]) -> None:
    call = of_type(history, "call.completed")[0]
    assert complaints("calls", call) == []
    assert complaints("leads", call) == ["topic leads, not calls"]
    assert complaints("calls", {**call, "outcome": "maybe"}) == ["outcome is 'maybe'"]
    assert complaints("calls", {**call, "colour": "red"}) == ["colour is not a field of call.completed"]
    assert complaints("calls", {key: call[key] for key in call if key != "rep_id"}) == ["rep_id is missing"]


def test_intake_takes_every_event(history: list[SimulatedEvent]) -> None:
    normaliser = Normaliser(Settings())
    for offset, event in enumerate(history):
        row = normaliser.row(decode(orjson.dumps(event.event)), 0, offset, event.at_ms)
        assert row.at_ms == event.at_ms


def test_topics_are_called_as_in_the_settings(history: list[SimulatedEvent]) -> None:
    assert {event.topic for event in history} == set(SOURCES)


def test_every_event_type_appears(history: list[SimulatedEvent]) -> None:
    assert {str(event.event["event_type"]) for event in history} == EVENT_TYPES.keys()


def test_events_come_in_order_of_their_time_and_within_the_history(history: list[SimulatedEvent]) -> None:
    times_ms = [occurred_ms(event.event) for event in history]
    assert times_ms == [event.at_ms for event in history]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] >= START_MS
    assert times_ms[-1] < START_MS + HISTORY_DAYS * DAY_MS


def test_the_number_of_events_of_a_history_is_the_rate_times_its_length(history: list[SimulatedEvent]) -> None:
    assert len(history) == pytest.approx(EVENTS, rel=0.001)


def test_ids_are_unique(history: list[SimulatedEvent]) -> None:
    assert len({event.event["event_id"] for event in history}) == len(history)
    for event_type, field in (
        ("lead.created", "account_id"),
        ("call.completed", "call_id"),
        ("email.sent", "message_id"),
        ("deal.created", "deal_id"),
        ("deal.invoice_due", "invoice_id"),
        ("web.cart_created", "cart_id"),
    ):
        found = [event[field] for event in of_type(history, event_type)]
        assert len(set(found)) == len(found), field


def test_events_of_one_account_are_a_millisecond_apart_at_least() -> None:
    last_ms: dict[object, int] = {}
    config = SimulationConfig(seed=3, events_per_second=20_000)
    for event in itertools.islice(live(config, START_MS, LivePace(backfill_days=0)), 60_000):
        account_id = event.event.get("account_id")
        if account_id is not None:
            assert event.at_ms > last_ms.get(account_id, -1)
            last_ms[account_id] = event.at_ms


def test_things_happen_in_an_order_that_makes_sense(history: list[SimulatedEvent]) -> None:
    seen: set[tuple[str, object]] = set()
    needs = {
        "email.delivered": ("email.sent", "message_id"),
        "email.opened": ("email.delivered", "message_id"),
        "deal.quote_accepted": ("deal.created", "deal_id"),
        "deal.won": ("deal.created", "deal_id"),
        "deal.lost": ("deal.created", "deal_id"),
        "deal.returned": ("deal.won", "deal_id"),
        "deal.invoice_paid": ("deal.invoice_due", "invoice_id"),
        "deal.invoice_overdue": ("deal.invoice_due", "invoice_id"),
        "web.cart_abandoned": ("web.cart_created", "cart_id"),
        "lead.qualified": ("lead.created", "account_id"),
        "service.churned": ("deal.won", "account_id"),
    }
    for _, _, event, _ in history:
        event_type = str(event["event_type"])
        if event_type in needs:
            earlier, field = needs[event_type]
            assert (earlier + field, event[field]) in seen, event
        for field in ("message_id", "deal_id", "invoice_id", "cart_id", "account_id"):
            if field in event:
                seen.add((event_type + field, event[field]))


def test_a_lead_leaves_the_stage_that_it_was_in(history: list[SimulatedEvent]) -> None:
    stage: dict[object, object] = {}
    for _, _, event, _ in history:
        if event["event_type"] == "lead.created":
            stage[event["account_id"]] = event.get("stage", "new")
        elif event["event_type"] == "lead.stage_changed":
            assert event["from_stage"] == stage[event["account_id"]]
            stage[event["account_id"]] = event["to_stage"]
    assert set(stage.values()) == {"new", "contacted", "first_meeting", "proposal", "negotiation"}


def test_lead_and_deal_events_leave_out_dimensions_sometimes_but_not_at_first(history: list[SimulatedEvent]) -> None:
    assert all("rep_id" in event for event in of_type(history, "lead.created"))
    won = of_type(history, "deal.won")
    assert 0.2 < sum("rep_id" not in event for event in won) / len(won) < 0.4


def test_the_week_and_the_day_have_a_rhythm_in_the_business_zone() -> None:
    zone = "America/New_York"
    config = SimulationConfig(seed=5, events_per_second=rate_for(40_000, 56), zone=zone)
    local = [
        datetime.fromtimestamp(event.at_ms / 1000, ZoneInfo(zone))
        for event in simulate(config, START_MS, START_MS + 56 * DAY_MS)
    ]
    by_weekday = Counter(moment.weekday() for moment in local)
    by_hour = Counter(moment.hour for moment in local)
    assert by_weekday[1] > 2 * by_weekday[6]
    assert by_hour[10] > 10 * by_hour[3]


def test_summer_is_quieter_than_autumn() -> None:
    config = SimulationConfig(seed=5, events_per_second=rate_for(60_000, 366))
    months = Counter(
        datetime.fromtimestamp(event.at_ms / 1000, UTC).month
        for event in simulate(config, START_MS, START_MS + 366 * DAY_MS)
        if event.event["event_type"] == "lead.created"
    )
    assert months[8] < 0.85 * months[11]


def test_funnels_differ_by_source(history: list[SimulatedEvent]) -> None:
    leads, qualified = Counter[str](), Counter[str]()
    source_of: dict[object, str] = {}
    for _, _, event, _ in history:
        account_id = event.get("account_id")
        if event["event_type"] == "lead.created":
            source_of[account_id] = str(event["source"])
            leads[source_of[account_id]] += 1
        elif event["event_type"] == "lead.qualified":
            qualified[source_of[account_id]] += 1
    share = {source: qualified[source] / leads[source] for source in leads}
    assert share.keys() == {"web", "referral", "ads", "event", "cold"}
    assert share["referral"] > 1.3 * share["web"] > 1.3 * 1.2 * share["ads"]
    assert share["ads"] > 1.1 * share["cold"]


def test_reps_differ_in_how_often_they_win(history: list[SimulatedEvent]) -> None:
    won, decided = Counter[object](), Counter[object]()
    for _, _, event, _ in history:
        if event["event_type"] in ("deal.won", "deal.lost") and "rep_id" in event:
            decided[event["rep_id"]] += 1
            won[event["rep_id"]] += event["event_type"] == "deal.won"
    shares = sorted(won[rep] / decided[rep] for rep in decided if decided[rep] > 20)
    assert len(decided) == 24
    assert shares[-1] > shares[0] + 0.15


def test_customers_buy_again_and_in_several_products(history: list[SimulatedEvent]) -> None:
    sales = of_type(history, "deal.won")
    assert max(Counter(event["account_id"] for event in sales).values()) > 2
    assert any(isinstance(items := event.get("items"), list) and len(items) > 2 for event in sales)
    assert all("currency" not in event for event in sales)


def test_spend_is_told_daily_by_category_and_source(history: list[SimulatedEvent]) -> None:
    spend = of_type(history, "spend.recorded")
    days = {str(datetime.fromtimestamp(occurred_ms(event) / 1000, UTC).date()) for event in spend}
    assert len(days) == pytest.approx(HISTORY_DAYS, abs=1)
    assert {event.get("source") for event in spend if event["category"] == "marketing"} == {
        "web", "referral", "ads", "event", "cold",
    }  # fmt: skip


def test_goals_are_set_monthly_for_company_teams_and_reps_as_a_tree(history: list[SimulatedEvent]) -> None:
    goals = [event for event in of_type(history, "target.set") if str(event["start"]).startswith("2024-02-01")]
    latest = {event["target_id"]: event for event in goals}
    revenue = [event for event in latest.values() if event["kind"] == "currency"]
    assert Counter(
        tuple(sorted(map(str, event["dimensions"]))) for event in revenue if isinstance(event["dimensions"], dict)
    ) == {(): 1, ("team",): 4, ("rep",): 24}
    assert all(event["parent"] in latest for event in revenue if event["dimensions"])
    assert {event["kind"] for event in latest.values()} == {"currency", "number", "tasks", "boolean"}


class Decisions(NamedTuple):
    before: float
    after: float


def win_share(drop: ConversionDrop | None, *, sources: tuple[str, ...]) -> Decisions:
    config = SimulationConfig(seed=11, events_per_second=rate_for(60_000, 80), conversion_drop=drop, omit_share=0)
    won, decided = Counter[bool](), Counter[bool]()
    for _, _, event, at_ms in simulate(config, START_MS, START_MS + 80 * DAY_MS):
        if event["event_type"] in ("deal.won", "deal.lost") and event["source"] in sources:
            late = at_ms >= START_MS + 45 * DAY_MS
            decided[late] += 1
            won[late] += event["event_type"] == "deal.won"
    return Decisions(won[False] / decided[False], won[True] / decided[True])


def test_a_conversion_drop_lowers_the_win_share_by_its_factor() -> None:
    everyone = ("web", "referral", "ads", "event", "cold")
    calm = win_share(None, sources=everyone)
    drop = win_share(ConversionDrop(after_s=45 * DAY_MS / 1000, factor=0.4), sources=everyone)
    assert calm.after == pytest.approx(calm.before, rel=0.12)
    assert drop.before == calm.before
    assert drop.after / drop.before == pytest.approx(0.4, rel=0.2)


def test_a_conversion_drop_can_be_of_one_source_only() -> None:
    drop = ConversionDrop(at_ms=START_MS + 45 * DAY_MS, factor=0.1, sources=("web",))
    web, others = win_share(drop, sources=("web",)), win_share(drop, sources=("referral", "event"))
    assert web.after < 0.25 * web.before
    assert others.after == pytest.approx(others.before, rel=0.15)


@pytest.mark.parametrize(("rate", "seconds"), [(0.1, 3000.0), (3.0, 300.0), (500.0, 20.0), (20_000.0, 3.0)])
@pytest.mark.parametrize("backfill_days", [0.0, 7.0])
def test_the_live_rate_is_met(rate: float, seconds: float, backfill_days: float) -> None:
    start_ms = START_MS + 40 * DAY_MS + 2 * 3_600_000
    end_ms = start_ms + int(seconds * 1000)
    pace = LivePace(backfill_days=backfill_days, backfill_limit=20_000)
    events = list(live(SimulationConfig(seed=2, events_per_second=rate), start_ms, pace, end_ms))
    now = [event for event in events if event.at_ms >= start_ms]
    assert len(now) == pytest.approx(rate * seconds, rel=0.05)
    half = sum(event.at_ms < (start_ms + end_ms) / 2 for event in now)
    assert half == pytest.approx(len(now) / 2, rel=0.05)
    assert len(events) - len(now) < 25_000


def test_a_wall_that_starts_now_sees_calls_leads_and_wins_within_half_a_minute() -> None:
    start_ms = START_MS + 100 * DAY_MS
    events = list(live(SimulationConfig(seed=1, events_per_second=10), start_ms, end_ms=start_ms + 30_000))
    now = Counter(event.event["event_type"] for event in events if event.at_ms >= start_ms)
    assert all(now[event_type] > 0 for event_type in ("call.completed", "lead.created", "deal.won", "deal.created"))
    past = [event.at_ms for event in events if event.at_ms < start_ms]
    assert min(past) < start_ms - 13 * DAY_MS
    assert sum(at_ms > start_ms - 600_000 for at_ms in past) == pytest.approx(6000, rel=0.05)


def test_deals_of_the_back_history_are_decided_after_the_start() -> None:
    start_ms = START_MS + 100 * DAY_MS
    created: set[object] = set()
    carried = 0
    for event in live(SimulationConfig(seed=1, events_per_second=10), start_ms, end_ms=start_ms + 60_000):
        if event.event["event_type"] == "deal.created" and event.at_ms < start_ms:
            created.add(event.event["deal_id"])
        carried += (
            event.event["event_type"] == "deal.won" and event.at_ms >= start_ms and event.event["deal_id"] in created
        )
    assert carried > 0


def test_two_live_runs_share_no_ids() -> None:
    def ids(start_ms: int) -> set[object]:
        return {event.event["event_id"] for event in live(SimulationConfig(), start_ms, end_ms=start_ms + 10_000)}

    assert ids(START_MS).isdisjoint(ids(START_MS + 60_000))


def test_foreign_accounts_state_their_currency_with_every_amount() -> None:
    currencies = (Currency("EUR", 0.3, 1.08), Currency("JPY", 0.2, 0.0067, digits=0))
    config = SimulationConfig(seed=4, events_per_second=rate_for(20_000, 30), currencies=currencies)
    amounts: dict[object, list[int]] = defaultdict(list)
    for event in simulate(config, START_MS, START_MS + 30 * DAY_MS):
        assert complaints(event.topic, event.event) == []
        if event.event["event_type"] == "deal.created":
            amounts[event.event.get("currency")].append(int(str(event.event["amount"])))
    total = sum(map(len, amounts.values()))
    assert len(amounts["EUR"]) / total == pytest.approx(0.3, abs=0.08)
    assert len(amounts["JPY"]) / total == pytest.approx(0.2, abs=0.08)
    assert len(amounts[None]) / total == pytest.approx(0.5, abs=0.08)
    middle = {code: sorted(found)[len(found) // 2] for code, found in amounts.items()}
    assert middle["JPY"] * 0.0067 == pytest.approx(middle[None] / 100, rel=0.5)


def test_duplicates_come_on_top_and_are_the_same_event() -> None:
    config = SimulationConfig(seed=4, events_per_second=rate_for(20_000, 30), duplicate_share=0.25)
    events = list(simulate(config, START_MS, START_MS + 30 * DAY_MS))
    first: dict[object, bytes] = {}
    for event in events:
        body = orjson.dumps(event.event)
        assert first.setdefault(event.event["event_id"], body) == body
    assert len(events) == pytest.approx(20_000, rel=0.02)
    assert len(first) == pytest.approx(16_000, rel=0.02)


def test_disorder_delays_by_so_much_and_late_events_by_more() -> None:
    config = SimulationConfig(seed=4, events_per_second=1, disorder_s=8, late_share=0.1, late_s=600)
    events = list(simulate(config, START_MS, START_MS + DAY_MS // 4))
    delays_ms = [event.at_ms - occurred_ms(event.event) for event in events]
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    assert min(delays_ms) >= 0
    assert max(delays_ms) < 608_000
    assert sum(delay > 8_000 for delay in delays_ms) / len(delays_ms) == pytest.approx(0.1, abs=0.02)
    times_ms = [occurred_ms(event.event) for event in events]
    assert times_ms != sorted(times_ms)


def test_integer_times_are_the_milliseconds() -> None:
    config = SimulationConfig(events_per_second=1, time_format="ms")
    assert all(event.event["occurred_at"] == event.at_ms for event in simulate(config, START_MS, START_MS + 600_000))


def test_a_floor_of_ones_own_can_be_small() -> None:
    config = SimulationConfig(
        events_per_second=0.5,
        teams=1,
        reps=1,
        sources=(Source("fair", 1.0, 1.2, 0.9, 1.0, 100),),
        products=(Product("Lamp", 1.0, 10_00, 4_00),),
        stages=("new", "talking", "closing"),
        max_open=3,
    )
    events = list(simulate(config, START_MS, START_MS + DAY_MS))
    assert len(events) == pytest.approx(43_200, rel=0.01)
    assert {event.event["product"] for event in events if "product" in event.event} == {"Lamp"}
    assert {event["to_stage"] for event in of_type(events, "lead.stage_changed")} == {"talking", "closing"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"events_per_second": 0}, "events_per_second: found 0, allowed: more than 0"),
        ({"duplicate_share": 1.5}, "duplicate_share: found 1.5, allowed: 0 to 1"),
        ({"sources": ()}, "sources: found none, allowed: one or more"),
        ({"zone": "Mars/Base"}, "zone: found 'Mars/Base', allowed: an IANA time zone"),
        ({"stages": ("new",)}, "stages: found"),
        ({"currencies": (Currency("EUR", 1.5, 1.1),)}, "currencies: found shares that add up to 1.5"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulationConfig(**settings)  # type: ignore[arg-type]  # wrong values on purpose


def test_a_history_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="end_ms: found 5, allowed: later than start_ms, 10"):
        simulate(SimulationConfig(), 10, 5)
