"""Resident memory: what an account and a live cell take, from what processes of two sizes grow by.

Each state is recovered from its changelog's records in a fresh process: resident memory after it less that before it.
What is in both sizes alike is in neither figure.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.wire import body_of
from streams.fold.partition import Recovered
from streams.rollup.goal_series import GOALS_KEY
from streams.rollup.marker import MARKER_KEY
from tests.benchmarks.growth.rounds import as_the_worker_does
from tests.benchmarks.growth.states import (
    FRAME_EVENTS,
    RATE,
    copies,
    floor_events,
    past_of,
    records,
    recovered_fold,
    settings_of_growth,
)
from tests.benchmarks.growth.table import Column, Row, Table, met
from tests.benchmarks.rig import PROJECT, memory_mib
from tests.harness import PurePipeline

TABLE: Final = Table(
    "Memory: resident bytes, as they grow from the smaller to the larger size",
    (Column("what", "one"), Column("small", "from"), Column("large", "to"), Column("bytes", "bytes")),
)

_MOST: Final = {"account": 600, "cell of a fold": 300, "cell of a rollup": 300}
_BEFORE: Final = 20_000
_SPARSE: Final = 0.02
"""Events per second of event time: some days for a thousand, so that nearly every slice has but one."""

Grown = tuple[float, int]
"""Bytes that a process grew by, and of how many."""

_CELLS: Final = {"cell of a fold": "fold", "cell of a rollup": "rollup"}


def in_child(*arguments: str) -> Grown:
    """Measure something in a fresh process."""
    argv = [sys.executable, "-m", "tests.benchmarks.growth.memory", *arguments]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size, number = json.loads(done.stdout)
    return size, number


def here(kind: str, *arguments: str) -> Grown:
    """Measure something in this process: counts are right, bytes are not."""
    return _KINDS[kind](*arguments)


def measure(accounts: Sequence[int], events: Sequence[int], reps: Sequence[int]) -> list[Row]:
    """Measure everything at two sizes.

    Args:
        accounts: How many accounts.
        events: How long a history is, sparse as it is in life; what it grows by is cells.
        reps: How many there are in a dense history; what it grows by is series.
    """
    return [of_accounts(accounts), *of_cells(events, reps)]


def of_accounts(numbers: Sequence[int]) -> Row:
    """Measure an account."""
    row = _row("account", [in_child("accounts", str(number)) for number in numbers])
    events, _ = here("mean")
    return row | {"what": f"account of {events:.1f} events", "events": round(events, 1)}


def of_cells(events: Sequence[int], reps: Sequence[int], run: Callable[..., Grown] = in_child) -> list[Row]:
    """Measure cells and series; ``run`` says where."""
    with tempfile.TemporaryDirectory() as directory:
        sparse = [str(Path(directory) / f"sparse{number}") for number in events]
        for number, file in zip(events, sparse, strict=True):
            run("write", str(reps[0]), str(number), str(_SPARSE), file)
        rows = [_row(what, [run(kind, file) for file in sparse]) for what, kind in _CELLS.items()]
        dense = [str(Path(directory) / f"dense{number}") for number in reps]
        for number, file in zip(reps, dense, strict=True):
            run("write", str(number), str(events[0]), str(RATE), file)
        rows.append(_row("series of a rollup", [run("series", file) for file in dense]))
    return rows


def _row(what: str, found: Sequence[Grown]) -> Row:
    (first, small), (second, large) = found
    size = (second - first) / (large - small)
    most = _MOST.get(what)
    goal = "-" if most is None else met(size <= most, f"at most {most}")
    return {"what": what, "small": small, "large": large, "bytes": round(size), "goal": goal}


def _resident() -> float:
    """Resident bytes of this process."""
    gc.collect()
    return memory_mib(os.getpid()) * 2**20


def _accounts(number: str) -> Grown:
    past = past_of(_BEFORE, 0)
    pipeline = PurePipeline(settings_of_growth(), partitions=1)
    before = _resident()
    fold = recovered_fold(pipeline, past, copies(past.accounts, int(number)))
    after = _resident()
    return after - before, fold.accounts


def _mean() -> Grown:
    """Events of a mean account, and how many accounts there are."""
    past = past_of(_BEFORE, 0)
    somebodys = [name for name in past.accounts if not name.startswith(b"\0")]
    return _BEFORE / len(somebodys), len(somebodys)


def _write(reps: str, events: str, rate: str, file: str) -> Grown:
    """Write the changelogs' records of a fold and of a rollup into a file."""
    pipeline = PurePipeline(settings_of_growth(), partitions=1, frame_events=FRAME_EVENTS)
    pipeline.send(floor_events(int(events), reps=int(reps), rate=float(rate)))
    pipeline.fold_all()
    pipeline.emit(0)
    fold, (_, rolled, marker) = pipeline.folds[0].checkpoint(), pipeline.rollup.checkpoint()
    content = (records(fold.cells), records(fold.accounts), fold.marker[0][1], records([*rolled, marker]))
    return float(Path(file).write_bytes(msgspec.msgpack.encode(content))), 1


def _read(file: str) -> tuple[dict[bytes, bytes], dict[bytes, bytes], bytes, dict[bytes, bytes]]:
    content: Any = msgspec.msgpack.decode(Path(file).read_bytes())
    cells, accounts, marker, rolled = content
    return cells, accounts, marker, rolled


def _fold(file: str) -> Grown:
    fold = PurePipeline(settings_of_growth(), partitions=1).new_fold(0)
    before = _resident()  # what is kept of the records counts as well
    cells, accounts, marker, _ = _read(file)
    fold.recover(Recovered(cells, dict(list(accounts.items())[:1]), marker))
    del cells, accounts, marker, _
    after = _resident()
    return after - before, sum(1 for _ in fold.cells.cells())


def _rollup(file: str, *, by_series: bool = False) -> Grown:
    """A rollup that has published everything: cells, window sums and last values, as bytes of cells or of series."""
    rollup = PurePipeline(settings_of_growth(), partitions=1).rollup
    before = _resident()  # what is kept of the records counts as well
    stored = _read(file)[3]
    rollup.recover(stored, (), 0)
    del stored
    publication = rollup.publication(0)
    assert publication is not None, "nothing was published"
    series = len(publication.values)
    del publication
    grown = _resident() - before
    if by_series:
        return grown, series
    blocks = (record for key, record in _read(file)[3].items() if key not in (MARKER_KEY, GOALS_KEY))
    return grown, sum(len(msgspec.msgpack.decode(body_of(block))) for block in blocks)


_KINDS: Final[dict[str, Callable[..., Grown]]] = {
    "accounts": _accounts,
    "mean": _mean,
    "write": _write,
    "fold": _fold,
    "rollup": _rollup,
    "series": partial(_rollup, by_series=True),
}

if __name__ == "__main__":
    as_the_worker_does()
    print(json.dumps(_KINDS[sys.argv[1]](*sys.argv[2:])))
