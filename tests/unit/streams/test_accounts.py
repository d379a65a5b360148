"""Whoever folds without checkpoints keeps few accounts at hand, and comes to the same state."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from schemas.rows import Frame, Row
from schemas.wire import fence_of
from streams.fold import accounts as account_store
from streams.fold.partition import MARKER_KEY, PartitionFold, Recovered
from streams.fold.rules import FoldRules
from tests.unit.streams.rows import CALENDAR, frame, plan_of, row

LIVE, FRAMES, PER_FRAME = 20, 40, 10
PLAN = plan_of("revenue", "new_customers", "repeat_customer_share", "leads_created", "calls", "email_open_rate")
_KINDS = ("deal.won", "lead.created", "call.completed", "email.opened", "deal.returned")


def new_fold() -> PartitionFold:
    return PartitionFold(0, PLAN, CALENDAR, FoldRules())


def frames(seed: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Offset and frame: 400 events of 150 accounts, some late and some sent twice."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for number in range(FRAMES * PER_FRAME):
        if number % 37 == 36:
            rows.append(rng.choice(rows))
            continue
        account, place = f"a{rng.randrange(150)}", number - (rng.randrange(200) if number % 11 == 0 else 0)
        kind, when = rng.choice(_KINDS), 1_709_300_000_000 + place * 10_000
        rows.append(row(kind, when, account, amount=rng.randrange(1000), deal_id=f"{account}-{place % 3}"))
    for offset in range(first, first + FRAMES):
        start = offset * PER_FRAME
        of_frame = rows[start - first * PER_FRAME :][:PER_FRAME]
        made = frame(of_frame, start, start + PER_FRAME, base=not start)
        yield offset, msgspec.msgpack.encode(made)


def take(fold: PartitionFold, offset: int, raw: bytes) -> None:
    fold.fold(offset, msgspec.msgpack.decode(raw, type=Frame))


def at_hand(fold: PartitionFold) -> int:
    return len(fold._accounts._live)


@pytest.mark.parametrize("seed", range(5))
def test_accounts_let_go_between_checkpoints_make_the_same_records(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, tidied = new_fold(), new_fold()
    for first in (0, FRAMES):
        for offset, raw in frames(seed + first, first):
            take(plain, offset, raw)
            plain.settle()  # in which order a cell has its measures depends on when this is done
            with monkeypatch.context() as limits:
                limits.setattr(account_store, "_LIVE_ACCOUNTS", LIVE)
                limits.setattr(account_store, "_FRESH_RECORDS", LIVE)
                take(tidied, offset, raw)
                assert at_hand(tidied) <= LIVE + PER_FRAME
                tidied.tidy()
                assert at_hand(tidied) <= LIVE
            assert tidied.accounts == plain.accounts
        assert at_hand(plain) > 5 * LIVE
        assert tidied.checkpoint() == plain.checkpoint()
    assert tidied.duplicates == plain.duplicates > 0


def test_accounts_recovered_ahead_of_the_log_keep_their_fence_when_they_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, writer = dict(frames(0)), new_fold()
    half, end = (written(writer, log, range(*part)) for part in ((FRAMES // 2,), (FRAMES // 2, FRAMES)))
    # A worker died when the accounts were written: they are ahead of cells and marker, and of what is folded again.
    recovered = Recovered(half[0], half[1] | end[1], half[2][MARKER_KEY])
    folds = [new_fold(), new_fold()]
    for fold, live in zip(folds, (LIVE * FRAMES, 1), strict=True):
        fold.recover(recovered)
        monkeypatch.setattr(account_store, "_LIVE_ACCOUNTS", live)
        for offset in range(FRAMES // 2, FRAMES - 3):
            take(fold, offset, log[offset])
            fold.tidy()
    plain, tidied = (fold.checkpoint() for fold in folds)
    assert tidied == plain
    assert {fence_of(record or b"") for _, record in tidied.accounts} == {FRAMES - 1}


def written(fold: PartitionFold, log: dict[int, bytes], offsets: range) -> list[dict[bytes, bytes]]:
    """Cells, accounts and marker that a checkpoint writes after so many frames."""
    for offset in offsets:
        take(fold, offset, log[offset])
    return [{key: value for key, value in step if value is not None} for step in fold.checkpoint().steps]
