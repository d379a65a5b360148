"""Whatever crashes, sleeps or is sent twice: the state is that of a fold that was never interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.changelogs import _keep_highest
from schemas.errors import StateError
from schemas.rows import Frame
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator
from streams.fold.cells import Block, CellStore, Slices
from streams.fold.partition import PartitionFold, Recovered
from tests.properties.crash_logs import log_of
from tests.properties.crash_model import ACCOUNTS, CELLS, MARKER, Action, Reader, Rules, Worker, World
from tests.properties.profile import examples

LOGS = 6
_WEIGHTS = {  # how often each action is drawn
    "read": 8,
    "skip": 1,
    "emit": 3,
    "send": 3,
    "checkpoint": 4,
    "write": 3,
    "step": 6,
    "crash": 3,
    "pause": 2,
    "compact": 1,
    "take": 3,
    "publish": 3,
    "snapshot": 1,
    "save": 2,
    "reader crash": 1,
    "reader pause": 1,
}
_NAMES = [name for name, weight in _WEIGHTS.items() for _ in range(weight)]

schedules = st.lists(st.tuples(st.sampled_from(_NAMES), st.integers(0, 2), st.integers(1, 7)), min_size=10, max_size=60)


def run(log_seed: int, schedule: list[Action], rules: Rules | None = None) -> None:
    world = World(log_of(log_seed), rules or Rules())
    world.run(schedule)
    world.finish()


_CHECKPOINT: list[Action] = [("checkpoint", 0, 1), ("step", 0, 1), ("step", 0, 1), ("step", 0, 1)]
_ZOMBIE: list[Action] = [
    *(("read", 0, 7), ("checkpoint", 0, 1), ("pause", 0, 1)),
    *(("read", 0, 7), ("read", 0, 7), *_CHECKPOINT),
    *(("step", 1, 1), ("crash", 0, 1)),
]
SCENARIOS: dict[str, list[Action]] = {
    "a worker paused inside a checkpoint writes its cells after its successor's": _ZOMBIE,
    "and compaction leaves those records": [
        *(*_ZOMBIE, ("read", 0, 1), *_CHECKPOINT),
        *(("compact", 0, 0), ("compact", 0, 1), ("compact", 0, 2), ("crash", 0, 1)),
    ],
    "a worker dies when its cells are written": [("read", 0, 7), *_CHECKPOINT[:2], ("crash", 0, 1)],
    "a checkpoint is interrupted and the next one begins": [
        *(("read", 0, 3), ("checkpoint", 0, 1), ("write", 0, 1), ("read", 0, 1), *_CHECKPOINT),
    ],
    "a paused worker sends its cells after its successor's": [
        *(("read", 0, 7), ("read", 0, 4), ("emit", 0, 1), ("pause", 0, 1)),
        *(("read", 0, 60), *_CHECKPOINT, ("send", 1, 1)),
    ],
    "a client goes back before a checkpoint": [("read", 0, 6), ("skip", 0, 1), ("read", 0, 1), *_CHECKPOINT],
    "a worker dies before the marker, its successor checkpoints before it has caught up": [
        *(("read", 0, 7), *_CHECKPOINT[:3], ("crash", 0, 1)),
        *(("read", 0, 3), *_CHECKPOINT, ("crash", 0, 1)),
    ],
    "a reader starts again from a snapshot that is older than what it published": [
        *(("read", 0, 3), ("emit", 0, 1), ("send", 0, 1), ("take", 0, 1), ("publish", 0, 1)),
        *(("snapshot", 0, 1), ("save", 0, 7), ("save", 0, 7), ("save", 0, 7)),
        *(("read", 0, 7), ("emit", 0, 1), ("send", 0, 1), ("take", 0, 1), ("publish", 0, 1)),
        *(("reader crash", 0, 1), ("publish", 0, 1)),
    ],
}


def run_all(rules: Rules) -> None:
    for seed in range(LOGS):
        for schedule in SCENARIOS.values():
            run(seed, schedule, rules)
    for seed in range(100):
        run(seed % LOGS, random_schedule(seed), rules)


@pytest.mark.parametrize("log_seed", range(LOGS))
@pytest.mark.parametrize("schedule", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_what_went_wrong_in_other_designs_goes_well(log_seed: int, schedule: list[Action]) -> None:
    run(log_seed, schedule)


def random_schedule(seed: int) -> list[Action]:
    rng = random.Random(seed)
    return [(rng.choice(_NAMES), rng.choice((0, 0, 1, 2)), rng.randint(1, 7)) for _ in range(60)]


@examples(150)
@given(st.integers(0, LOGS - 1), schedules)
def test_any_schedule_of_crashes_and_zombies_ends_in_the_state_of_an_uninterrupted_fold(
    log_seed: int, schedule: list[Action]
) -> None:
    run(log_seed, schedule)


Mutation = Callable[[pytest.MonkeyPatch], Rules]


def _last_written(kept: dict[bytes, bytes], _outdated: set[bytes], key: bytes, value: bytes | None) -> None:
    if value is None:
        kept.pop(key, None)
    else:
        kept[key] = value


def _no_repair(kept: dict[bytes, bytes], _outdated: set[bytes], key: bytes, value: bytes | None) -> None:
    _keep_highest(kept, set(), key, value)


def recovery_takes_what_was_written_last(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(keep=_last_written)


def recovery_repairs_nothing(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(keep=_no_repair)


def accounts_are_written_before_cells(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(order=(ACCOUNTS, CELLS, MARKER))


def the_marker_is_written_first(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(order=(MARKER, CELLS, ACCOUNTS))


def the_marker_is_written_before_accounts(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(order=(CELLS, MARKER, ACCOUNTS))


def checkpoints_do_not_wait_for_the_emission(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(emit_before_checkpoint=False)


def gaps_of_the_log_are_accepted(patch: pytest.MonkeyPatch) -> Rules:
    fold = PartitionFold.fold

    def accepting(self: PartitionFold, offset: int, frame: Frame) -> int:
        self.fence = max(self.fence, offset - 1)
        return fold(self, offset, frame)

    patch.setattr(PartitionFold, "fold", accepting)
    return Rules()


def frames_are_folded_again(patch: pytest.MonkeyPatch) -> Rules:
    fold = PartitionFold.fold

    def folding(self: PartitionFold, offset: int, frame: Frame) -> int:
        self.fence = min(self.fence, offset - 1)
        return fold(self, offset, frame)

    patch.setattr(PartitionFold, "fold", folding)
    return Rules()


def blocks_forget_their_fence(patch: pytest.MonkeyPatch) -> Rules:
    init = Block.__init__

    def forgetting(self: Block, slices: Slices, _fence: int = -1) -> None:
        init(self, slices)

    patch.setattr(Block, "__init__", forgetting)
    return Rules()


def accounts_forget_their_fence(patch: pytest.MonkeyPatch) -> Rules:
    init = Account.__init__

    def forgetting(self: Account, record: AccountRecord, out: Accumulator, _fence: int = -1) -> None:
        init(self, record, out)

    patch.setattr(Account, "__init__", forgetting)
    return Rules()


def records_ahead_are_written_with_the_checkpoints_fence(patch: pytest.MonkeyPatch) -> Rules:
    take = CellStore.take_unsaved

    def taking(self: CellStore, fence: int, newest_ms: int) -> list[tuple[bytes, bytes | None]]:
        records = take(self, fence, newest_ms)
        return [(key, fence.to_bytes(8) + value[8:] if value else None) for key, value in records]

    patch.setattr(CellStore, "take_unsaved", taking)
    return Rules()


def replayed_frames_are_fanned_out_together(patch: pytest.MonkeyPatch) -> Rules:
    recover = PartitionFold.recover

    def recovering(self: PartitionFold, recovered: Recovered, log_start: int = 0) -> None:
        recover(self, recovered, log_start)
        self._replay_until = -1

    patch.setattr(PartitionFold, "recover", recovering)
    return Rules()


def what_a_checkpoint_took_stays_with_it(patch: pytest.MonkeyPatch) -> Rules:
    """A checkpoint that is given up: what it took is missing under the next marker."""
    write = Worker.write

    def giving_up(self: Worker, records: int) -> None:
        write(self, records)
        if records == 1:
            self.writes.clear()

    patch.setattr(Worker, "write", giving_up)
    return Rules()


def the_rollup_believes_what_came_last(_patch: pytest.MonkeyPatch) -> Rules:
    return Rules(newest_is_what_came_last=True)


def readers_publish_before_they_have_caught_up(patch: pytest.MonkeyPatch) -> Rules:
    init = Reader.__init__

    def hasty(self: Reader, world: World) -> None:
        init(self, world)
        self._caught_up_at = 0

    patch.setattr(Reader, "__init__", hasty)
    return Rules()


@pytest.mark.parametrize(
    "mutation",
    [
        recovery_takes_what_was_written_last,
        recovery_repairs_nothing,
        accounts_are_written_before_cells,
        the_marker_is_written_first,
        the_marker_is_written_before_accounts,
        checkpoints_do_not_wait_for_the_emission,
        gaps_of_the_log_are_accepted,
        frames_are_folded_again,
        blocks_forget_their_fence,
        accounts_forget_their_fence,
        records_ahead_are_written_with_the_checkpoints_fence,
        replayed_frames_are_fanned_out_together,
        what_a_checkpoint_took_stays_with_it,
        the_rollup_believes_what_came_last,
        readers_publish_before_they_have_caught_up,
    ],
)
def test_the_property_sees_when(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(LOGS):
        log_of(seed)  # the truth is told by the engine as it is
    rules = mutation(monkeypatch)
    # Half a state, which no order of writing but a wrong one leaves behind, is refused before it can be judged.
    with pytest.raises((AssertionError, StateError), match=r"^(record|changelogs|cells|values|\S+: |log partition)"):
        run_all(rules)
