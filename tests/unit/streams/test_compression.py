"""Records of accounts are kept compressed, and come back to the byte."""

from __future__ import annotations

import pytest

from schemas.windows import DAY_MS
from schemas.wire import fence_of, pack
from streams.compression import Compression
from streams.fold import accounts as account_store
from streams.fold.partition import MARKER_KEY, PartitionFold, Recovered
from streams.fold.rules import FoldRules
from tests.unit.streams.rows import CALENDAR, frame, plan_of, row

PLAN = plan_of("leads_created", "new_customers", dimensions=("rep",))


def record(number: int) -> bytes:
    """A record of some kilobytes, which has much in common with the others."""
    rows = [[0, 0, 5, 1_700_000_000_000 + number * 7919 + n, f"event-{number}-{n}", "outbound"] for n in range(40)]
    return pack(number, [rows, {}, 0])


RECORDS = [record(number) for number in range(200)]


@pytest.fixture(name="learned")
def _learned() -> Compression:
    compression = Compression()
    for each in RECORDS:
        compression.compress(each)
    return compression


def test_the_first_records_stay_as_they_are() -> None:
    compression = Compression()
    assert [compression.compress(each) for each in RECORDS[:10]] == RECORDS[:10]


def test_later_records_are_much_smaller(learned: Compression) -> None:
    assert sum(len(learned.compress(each)) for each in RECORDS) < sum(map(len, RECORDS)) / 3


def test_every_record_comes_back_whether_it_was_kept_before_or_after_the_dictionary_was_made() -> None:
    compression = Compression()
    kept = [compression.compress(each) for each in RECORDS]
    assert kept[0] == RECORDS[0]
    assert kept[-1] != RECORDS[-1]
    assert [compression.record(each) for each in kept] == RECORDS


def test_the_fence_is_read_without_decompressing(learned: Compression) -> None:
    assert fence_of(learned.compress(RECORDS[77])) == 77


def test_what_is_compressed_is_not_compressed_again(learned: Compression) -> None:
    kept = learned.compress(RECORDS[5])
    assert learned.compress(kept) == kept


@pytest.mark.parametrize("few", [1, 63])
def test_few_records_make_no_dictionary_however_large_they_are(few: int) -> None:
    compression = Compression()
    huge = [pack(number, ["x" * 100_000]) for number in range(few)]
    assert [compression.compress(each) for each in huge] == huge


def test_a_fold_goes_on_with_compressed_accounts_as_with_plain_ones(learned: Compression) -> None:
    def new_fold() -> PartitionFold:
        return PartitionFold(0, PLAN, CALENDAR, FoldRules(dedupe_horizon_ms=2 * DAY_MS), learned)

    first = new_fold()
    leads = [row("lead.created", "2024-03-01 10:00", account_id=f"a{n}", event_id=f"e{n}") for n in range(5)]
    first.fold(0, frame(leads, 0, 5, base=True))
    cells, accounts, marker = ({k: v for k, v in step if v is not None} for step in first.checkpoint().steps)
    kept = {key: learned.compress(each) for key, each in accounts.items()}
    assert kept != accounts
    folds = [new_fold(), new_fold()]
    for fold, known in zip(folds, (accounts, kept), strict=True):
        fold.recover(Recovered(cells, known, marker[MARKER_KEY]))
        again = row("lead.contacted", "2024-03-01 11:00", account_id="a3", event_id="f")
        fold.fold(1, frame([again], 5, 6))
    plain, compressed = (fold.checkpoint() for fold in folds)
    assert compressed == plain
    assert [fence_of(value or b"") for _, value in compressed.accounts] == [1]
    assert folds[1].accounts == 5


@pytest.mark.parametrize(("live", "fresh"), [(20_000, 0), (0, 2_048), (0, 0), (3, 3)])
def test_accounts_that_were_let_go_go_on_as_those_at_hand(
    live: int, fresh: int, learned: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = [PartitionFold(0, PLAN, CALENDAR, FoldRules(dedupe_horizon_ms=2 * DAY_MS), learned) for _ in range(2)]
    for offset in range(12):
        events = [
            row("lead.contacted", f"2024-03-01 10:{offset:02}", account_id=f"a{n % 5}", event_id=f"e{offset}-{n}")
            for n in range(offset % 4 + 1)
        ]
        start = offset * 10
        for fold in folds:
            fold.fold(offset, frame(events, start, start + 10, base=offset == 0))
        expected = folds[0].checkpoint()
        with monkeypatch.context() as limits:
            limits.setattr(account_store, "_LIVE_ACCOUNTS", live)
            limits.setattr(account_store, "_FRESH_RECORDS", fresh)
            assert folds[1].checkpoint() == expected
        assert folds[0].accounts == folds[1].accounts
