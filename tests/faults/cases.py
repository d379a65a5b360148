"""The fault cases: what happens, and when a run passes beyond the oracle of `tests.faults.oracle`."""

from __future__ import annotations

from typing import Final, NamedTuple


class Case(NamedTuple):
    """One row of the table.

    Args:
        fault: What happens.
        passes: When it passes, beyond the oracle.
    """

    fault: str
    passes: str


CASES: Final[dict[int, Case]] = {
    1: Case("`kill -9` of a worker at random times", "recovered within the session timeout + 15 s"),
    2: Case("killed between changelog acknowledgement and commit", "replays skipped"),
    3: Case("killed before the changelog acknowledgement", "offset not committed"),
    4: Case("killed between cells and accounts, between accounts and marker", "exact"),
    5: Case("SIGTERM under load", "ends within 10 s, at most one checkpoint interval replayed"),
    6: Case("SIGSTOP longer than the session, then SIGCONT", "the old owner's records lose to the higher fence"),
    7: Case("SIGSTOP shorter than the session", "no rebalance"),
    8: Case("a worker joins or leaves every few seconds", "progress in every cycle"),
    9: Case("all workers killed", "cold recovery exact"),
    10: Case("killed during recovery; rebalance during recovery", "no hang"),
    11: Case("broker restarted; broker killed mid-produce", "reconnects, nothing acknowledged is lost"),
    12: Case("broker SIGSTOP", "no commit past the changelog"),
    13: Case(
        "network between worker and broker cut, then healed; only the produce path blocked; 300 ms latency",
        "fenced, rejoins; commits stop; no rebalance storm",
    ),
    14: Case("changelog record too large", "the worker stops with a clear error, no commit"),
    15: Case(
        "poison: broken JSON, wrong types, unknown type, huge, empty, tombstone, NaN, negative amount, unknown "
        "currency",
        "one dead letter an offset with topic, partition, offset, reason and the original bytes; the rest exact",
    ),
    16: Case("an exception inside the fold", "the event is never skipped"),
    17: Case("every event sent twice, or three times, shuffled", "counted once"),
    18: Case(
        "events shuffled, late by minutes to weeks, from the future",
        "equal to the sorted input, but for what is dead-lettered with its reason",
    ),
    19: Case("wall clock of one worker one hour off", "totals unchanged"),
    20: Case(
        "Redis down, restarted, flushed, slow, out of memory",
        "pipeline unhindered, memory flat, view repaired within two ticks",
    ),
    21: Case("disk full under the broker", "fail-stop; exact once there is room"),
    22: Case("compaction with an old owner's record on top", "the repaired key survives"),
    23: Case(
        "transactional producer with aborted batches and offset gaps",
        "committed reaches the end; aborted events not counted",
    ),
    24: Case("source topic recreated", "intake refuses to start, names the command that accepts it"),
    25: Case("source offsets reset to zero", "totals unchanged"),
    26: Case("hot key, tenfold burst", "memory bounded, lag drains"),
    27: Case("partitions added to a source topic while running", "exact"),
    28: Case("a new version over an old state", "old changelog readable, or a clear refusal with the way out"),
    29: Case("soak with a random mix of the above", "memory slope about zero"),
}
