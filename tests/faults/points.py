"""A worker in which one thing goes wrong at one point: `python -m tests.faults.points POINT NUMBER worker ...`.

The product itself has no switches for tests; what is changed here is changed in this process only. NUMBER is how many
times the point is passed unharmed before; of a slow recovery the seconds that it takes longer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import agents.pipeline
import agents.recovery
from agents.changelogs import ChangelogWriter, Newest, Record, read_changelogs
from agents.cli import main
from agents.kafka import TopicPartition
from schemas.rows import Frame
from schemas.settings import Settings
from streams.fold.partition import PartitionFold


def run(point: str, number: int = 2) -> tuple[str, ...]:
    """What Python is to run instead of the command line."""
    return ("-m", "tests.faults.points", point, str(number))


def _writer(table: str, number: int, *, sig: signal.Signals, acknowledged: bool) -> None:
    passes = itertools.count()

    class Writer(ChangelogWriter):
        async def write(self, topic: str, by_partition: Iterable[tuple[int, Sequence[Record]]]) -> None:
            written = list(by_partition)
            records = any(records for _, records in written)
            due = topic.endswith(f"-{table}-changelog") and records and next(passes) == number
            if due and not acknowledged:
                writing = asyncio.ensure_future(super().write(topic, written))
                for _ in range(5):  # handed to the producer, perhaps sent, not acknowledged
                    await asyncio.sleep(0)
                os.kill(os.getpid(), sig)
                await writing
            await super().write(topic, written)
            if due and acknowledged:
                os.kill(os.getpid(), sig)

    vars(agents.pipeline)["ChangelogWriter"] = Writer


def _recovery(number: int, act: Callable[[int], None], seconds: float) -> None:
    passes = itertools.count()

    async def reading(
        settings: Settings, partitions: Sequence[TopicPartition], **further: Any
    ) -> dict[TopicPartition, Newest]:
        found = await read_changelogs(settings, partitions, **further)
        await asyncio.sleep(seconds)
        if next(passes) >= number:
            act(os.getpid())
        return found

    vars(agents.recovery)["read_changelogs"] = reading


def _fold(number: int) -> None:
    passes = itertools.count()
    fold = PartitionFold.fold

    def failing(self: PartitionFold, offset: int, frame: Frame) -> int:
        if frame.rows and next(passes) == number:
            raise RuntimeError("a fault of the fold, made by a test")
        return fold(self, offset, frame)

    PartitionFold.fold = failing  # type: ignore[method-assign]  # what is put in the place of the product's own


def _killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


POINTS: Final[dict[str, Callable[[int], None]]] = {
    "cells-unacknowledged": lambda n: _writer("cells", n, sig=signal.SIGKILL, acknowledged=False),
    "cells-acknowledged": lambda n: _writer("cells", n, sig=signal.SIGKILL, acknowledged=True),
    "accounts-acknowledged": lambda n: _writer("accounts", n, sig=signal.SIGKILL, acknowledged=True),
    "markers-acknowledged": lambda n: _writer("markers", n, sig=signal.SIGKILL, acknowledged=True),
    "stopped-in-checkpoint": lambda n: _writer("cells", n, sig=signal.SIGSTOP, acknowledged=True),
    "killed-in-recovery": lambda n: _recovery(n, _killed, 0.0),
    "slow-recovery": lambda n: _recovery(1 << 30, _killed, float(n)),
    "fold-raises": _fold,
}

if __name__ == "__main__":
    _, _point, _number, *_rest = sys.argv
    POINTS[_point](int(_number))
    sys.argv[1:] = _rest
    main()
