"""An account's record: duplicates, lateness, and what may be forgotten."""

from __future__ import annotations

import gc
import itertools

import msgspec
import pytest

from schemas.rows import Row
from schemas.windows import DAY_MS
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator
from tests.unit.streams.rows import CALENDAR, PLAN, RULES, Book, at, row

LIFE = [
    row("lead.created", "2024-03-01 10:00", source="ads"),
    row("call.completed", "2024-03-01 11:00", outcome="connected", rep_id="r"),
    row("deal.created", "2024-03-01 12:00", amount=10, rep_id="s"),
    row("deal.won", "2024-03-01 13:00"),
    row("deal.amended", "2024-03-01 14:00", items=[{"product": "p", "amount": 4}]),
    row("deal.returned", "2024-03-01 15:00", amount=1),
]


def test_a_duplicate_adds_nothing_and_is_told() -> None:
    book = Book().take(*LIFE)
    before = book.everything()
    assert not book.account.fold(msgspec.structs.replace(LIFE[3], amount=999), -1)
    assert book.take().everything() == before


def test_an_account_that_is_let_go_leaves_nothing_for_the_garbage_collector() -> None:
    book = Book().take(*LIFE)
    gc.collect()
    del book
    assert gc.collect() == 0, "accounts come and go by the thousand, and the old generation is looked at rarely"


def test_leads_deals_and_sales_do_not_depend_on_the_order_of_arrival() -> None:
    rows = [found for found in LIFE if not found.account.startswith("call")]
    calls = ("calls", "calls_connected", "talk_seconds")

    def without_calls(order: tuple[Row, ...]) -> dict[tuple[str, str, int], int]:
        return {key: n for key, n in Book().take(*order).everything().items() if key[1] not in calls}

    expected = without_calls(tuple(rows))
    for order in itertools.islice(itertools.permutations(rows), 0, None, 7):
        assert without_calls(order) == expected


def test_a_late_statement_resolves_leads_and_deals_anew_but_not_calls() -> None:
    book = Book().take(row("call.completed", "2024-03-02 10:00"), row("deal.lost", "2024-03-02 11:00"))
    book.take(row("web.visit", "2024-03-01 10:00", rep_id="r"))
    assert book.sum("deals_lost", "rep=r") == 1
    assert book.sum("calls", "rep=r") == 0
    assert book.sum("calls") == 1


def test_a_late_call_counts_under_what_was_stated_before_it() -> None:
    #  arrival   visit(r)          visit(s)      call
    #  time      |-- 1 March ------|-- 3 March   (2 March)
    book = Book().take(
        row("web.visit", "2024-03-01", rep_id="r"),
        row("web.visit", "2024-03-03", rep_id="s"),
        row("call.completed", "2024-03-02", outcome="busy"),
    )
    assert book.slices("calls", "rep=r") == {at("2024-03-02"): 1}


def test_a_conversation_that_comes_late_restates_the_time_to_the_first_sale() -> None:
    book = Book().take(row("deal.won", "2024-03-02 10:00"))
    assert book.sum("first_contact_to_sale_count") == 0
    book.take(row("call.completed", "2024-03-02 09:00", outcome="connected"))
    assert book.sum("first_contact_to_sale_seconds") == 3600
    book.take(row("call.completed", "2024-03-02 08:00", outcome="connected"))
    assert book.sum("first_contact_to_sale_seconds") == 7200
    assert book.sum("first_contact_to_sale_count") == 1


def test_a_message_counts_at_its_first_opening_whenever_that_comes() -> None:
    book = Book().take(row("email.opened", "2024-03-02", rep_id="r"), row("email.opened", "2024-03-03"))
    assert book.slices("emails_opened") == {at("2024-03-02"): 1}
    book.take(row("email.opened", "2024-03-01"))
    assert book.slices("emails_opened") == {at("2024-03-01"): 1}
    assert book.sum("emails_opened", "rep=r") == 0, "that statement came after it"
    book.take(row("email.opened", "2024-03-01", message_id="other"))
    assert book.sum("emails_opened") == 2


def reopened(account: Account, out: Accumulator) -> Account:
    stored = msgspec.msgpack.encode(account.record)
    return Account(msgspec.msgpack.decode(stored, type=AccountRecord), out)


@pytest.mark.parametrize("cut", range(len(LIFE)))
def test_an_account_read_back_goes_on_as_if_it_had_never_been_stored(cut: int) -> None:
    book, straight = Book().take(*LIFE[:cut]), Book().take(*LIFE)
    book.account = reopened(book.account, book.out)
    assert book.take().everything() == Book().take(*LIFE[:cut]).everything(), "reading back adds nothing"
    book.take(*LIFE[cut:])
    assert book.everything() == straight.everything()
    assert book.account.record == straight.account.record


def test_old_statements_are_joined_and_what_follows_from_them_stays() -> None:
    book = Book()
    visits = [
        row("web.visit", "2024-03-01", rep_id="old", team_id="t"),
        row("web.visit", "2024-03-02", rep_id="r"),
        row("web.visit", "2024-03-03", source="ads"),
    ]
    book.take(*visits)
    book.take(row("deal.won", "2024-03-20", amount=1), horizon_ms=at("2024-03-10"))
    assert [msgspec.msgpack.decode(found, type=Row).at_ms for found in book.account.record.rows] == [
        at("2024-03-03"),
        at("2024-03-20"),
    ]
    assert [book.sum("won_amount", dims) for dims in ("rep=r", "team=t", "source=ads", "rep=old")] == [1, 1, 1, 0]


def test_what_is_replayed_and_conversations_are_never_joined() -> None:
    book = Book().take(*LIFE, row("call.completed", "2024-03-02", outcome="connected"))
    book.take(row("web.visit", "2024-04-20"), horizon_ms=at("2024-04-01"))
    assert len(book.account.record.rows) == len(LIFE) + 2


def test_a_message_opened_again_long_after_counts_once() -> None:
    book = Book().take(row("email.opened", "2024-03-01"))
    book.take(row("email.opened", "2024-04-20"), horizon_ms=at("2024-04-01"))
    assert book.slices("emails_opened") == {at("2024-03-01"): 1}


def test_records_are_pruned_once_a_day_of_event_time() -> None:
    out = Accumulator(PLAN, CALENDAR, RULES)
    account = Account(AccountRecord([], {}), out)
    account.fold(row("web.visit", "2024-03-01"), 0)
    account.fold(row("web.visit", "2024-04-20"), at("2024-04-01"))
    assert account.record.pruned_ms == at("2024-04-01")
    account.fold(row("web.visit", "2024-04-21"), at("2024-04-01") + DAY_MS - 1)
    assert account.record.pruned_ms == at("2024-04-01")
