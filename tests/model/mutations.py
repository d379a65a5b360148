"""The list of mutations: the product with one of the invariants of its design broken, each seen by the model."""

from __future__ import annotations

from typing import Final, NamedTuple

from agents.emission import Emitter
from agents.intake.outbox import Outbox
from tests.model import breaking as b


class Mutation(NamedTuple):
    """One way to break it.

    Args:
        name: What is not done, or done wrong.
        rule: Of design.md, "Exactness".
        apply: Does so.
    """

    name: str
    rule: int
    apply: b.Break


MUTATIONS: Final = (
    Mutation("accounts are written before cells", 3, b.writes_in_order("accounts", "cells", "markers")),
    Mutation("the marker is written first", 3, b.writes_in_order("markers", "cells", "accounts")),
    Mutation("the marker is written before accounts", 3, b.writes_in_order("cells", "markers", "accounts")),
    Mutation("a step does not wait for the one before it", 3, b.does_not_wait),
    Mutation("a checkpoint does not wait for its emission", 3, b.does_nothing(Emitter, "acknowledged")),
    Mutation("a checkpoint that was given up keeps what it took", 5, b.every_other_checkpoint_is_given_up),
    Mutation("recovery takes what was written last", 4, b.keeps(b.last_written)),
    Mutation("recovery repairs nothing", 4, b.keeps(b.no_repair)),
    Mutation("blocks forget their fence", 2, b.blocks_forget_their_fence),
    Mutation("accounts forget their fence", 2, b.accounts_forget_their_fence),
    Mutation("what is ahead is written with the checkpoint's fence", 4, b.written_with_the_checkpoints_fence),
    Mutation("replayed frames are fanned out together", 4, b.replayed_frames_are_fanned_out_together),
    Mutation("gaps of the log are accepted", 5, b.fold_with(lambda fold, offset: max(fold.fence, offset - 1))),
    Mutation("frames are folded again", 5, b.fold_with(lambda fold, offset: min(fold.fence, offset - 1))),
    Mutation("a section that begins above what is covered is taken", 5, b.takes_sections_beyond_a_gap),
    Mutation("a section that follows nothing is taken", 5, b.takes_what_follows_nothing),
    Mutation("duplicates are counted", 5, b.counts_duplicates),
    Mutation("a range begins at its own first row", 5, b.ranges_begin_at_their_first_row),
    Mutation("intake commits before frames are acknowledged", 5, b.does_nothing(Outbox, "flush")),
    Mutation("intake commits what not every log partition has", 5, b.commits_without_completion),
    Mutation("dead letters are not sent", 5, b.does_nothing(Outbox, "send_dead_letters")),
    Mutation("the rollup takes what came last", 2, b.rollup_takes_what_came_last),
    Mutation("the rollup forgets what became empty", 2, b.rollup_forgets_what_became_empty),
    Mutation("the rollup's marker is written before its cells", 3, b.rollups_marker_comes_first),
    Mutation("what changes while a rollup is packed counts as packed", 3, b.what_changes_meanwhile_counts_as_packed),
    Mutation("the rollup publishes before it has read to the end", 2, b.publishes_at_once),
    Mutation(
        "versions are the highest fence", 2, b.version_of(lambda series: max(series.revisions.values(), default=0))
    ),
    Mutation("versions count what was heard", 2, b.version_of(lambda one: len(one.revisions))),
    Mutation("compaction does not lag", 7, b.compacts_at_once),
)
