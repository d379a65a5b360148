"""E-mails, calls, inquiries and quotes (kpis.md, rows 33-36)."""

from __future__ import annotations

from tests.unit.oracle.build import ask, event, totals


def test_an_open_counts_once_a_message_at_its_first_by_event_time() -> None:
    history = [
        event("email.delivered", "2024-03-01", message_id="m", rep_id="r"),
        event("email.opened", "2024-03-03", message_id="m", rep_id="late"),
        event("email.opened", "2024-03-02", message_id="m", rep_id="r"),
        event("email.delivered", "2024-03-01", message_id="n", rep_id="r"),
    ]
    value = ask("email_open_rate|all|rep=r", history)
    assert (value["value"], value["numerator"], value["denominator"]) == (0.5, 1, 2)
    assert ask("email_open_rate|today|", history, now="2024-03-03 12:00")["numerator"] == 0
    assert ("emails_opened", "rep=late") not in totals(history)


def test_opens_are_over_sent_only_in_a_series_in_which_nothing_was_ever_delivered() -> None:
    history = [
        event("email.sent", "2024-03-01", message_id="m", rep_id="untold"),
        event("email.sent", "2024-03-01", message_id="n", rep_id="untold"),
        event("email.opened", "2024-03-02", message_id="n", rep_id="untold"),
        event("email.sent", "2024-03-02", "b", message_id="o", rep_id="told"),
        event("email.delivered", "2024-03-01", "b", message_id="o", rep_id="told"),
    ]
    untold = ask("email_open_rate|all|rep=untold", history)
    assert (untold["numerator"], untold["denominator"]) == (1, 2)
    told = ask("email_open_rate|today|rep=told", history)
    assert (told["value"], told["denominator"], told["previous"]) == (None, 0, 0)
    assert ask("email_open_rate|all|", history)["denominator"] == 1


def test_calls_connect_rate_and_talk_time_by_direction() -> None:
    history = [
        event("call.completed", "2024-03-01", direction="inbound", outcome="connected", duration_s=61.9, rep_id="r"),
        event("call.completed", "2024-03-01", direction="inbound", outcome="busy", duration_s=5),
        event("call.completed", "2024-03-01", direction="outbound", outcome="connected", duration_s=30),
    ]
    assert ask("calls|all|direction=inbound", history)["value"] == 2
    assert ask("connect_rate|all|direction=inbound", history)["value"] == 0.5
    assert ask("talk_time|all|direction=inbound", history)["value"] == 61
    assert ask("talk_time|all|", history)["value"] == 91
    assert ask("calls|all|rep=r", history)["value"] == 3


def test_price_inquiries_are_inbound_calls_for_price_or_information() -> None:
    calls = [("inbound", "price"), ("inbound", "information"), ("outbound", "price"), ("inbound", "support")]
    history = [
        event("call.completed", "2024-03-01", direction=d, purpose=p, outcome="connected", channel="phone")
        for d, p in calls
    ]
    assert ask("price_inquiries|all|channel=phone", history)["value"] == 2


def test_quotes_and_their_acceptance() -> None:
    history = [
        event("deal.created", "2024-03-01", product="x", rep_id="r"),
        event("deal.quote_sent", "2024-03-02"),
        event("deal.quote_sent", "2024-03-03"),
        event("deal.quote_accepted", "2024-03-04"),
    ]
    assert ask("quotes_sent|all|product=x", history)["value"] == 2
    assert ask("quotes_accepted|all|rep=r", history)["value"] == 1
    assert ask("quote_acceptance|all|", history)["value"] == 0.5


def test_leads_and_opportunities() -> None:
    history = [event("lead.created", "2024-03-01", f"a{n}", region="north") for n in range(4)]
    history.append(event("lead.qualified", "2024-03-02", "a1"))
    assert ask("leads_created|all|region=north", history)["value"] == 4
    assert ask("opportunities_created|all|region=north", history)["value"] == 1
    assert ask("lead_opportunity_ratio|all|region=north", history)["value"] == 0.25
