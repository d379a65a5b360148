"""All axes, how large they are measured, and what each is measured on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from tests.benchmarks.growth import accounts, memory, processes, recovery, reps, series
from tests.benchmarks.growth.table import Row, Table
from tests.benchmarks.rig import PROJECT, Servers

Sizes = Mapping[str, Any]

IN_PROCESS: Final[dict[str, Callable[..., list[Row]]]] = {
    "accounts": accounts.measure,
    "reps": reps.measure,
    "series": series.measure,
    "memory": memory.measure,
}
"""Axes of parts of the product, each in a process of its own."""

ON_SERVERS: Final[dict[str, Callable[..., Awaitable[list[Row]]]]] = {
    "partitions": processes.partitions,
    "workers": processes.workers,
    "recovery": recovery.measure,
}
"""Axes that need Kafka, and Redis."""


class Axis(NamedTuple):
    """How an axis is shown and how large it is measured."""

    table: Table
    full: Sizes
    quick: Sizes


AXES: Final[dict[str, Axis]] = {
    "accounts": Axis(
        accounts.TABLE,
        {"sizes": [10_000, 100_000, 1_000_000], "events": 10_000, "rounds": 5},
        {"sizes": [10_000, 200_000], "events": 5_000, "rounds": 3},
    ),
    "partitions": Axis(
        processes.PARTITIONS,
        {"sizes": [1, 4, 12], "events": 30_000, "rounds": 3, "idle_s": 4.0},
        {"sizes": [1, 12], "events": 10_000, "rounds": 1, "idle_s": 2.0},
    ),
    "reps": Axis(
        reps.TABLE,
        {"sizes": [10, 100, 1_000], "ticks": 10, "rounds": 2},
        {"sizes": [10, 100], "ticks": 5, "rounds": 1},
    ),
    "series": Axis(
        series.TABLE,
        {"sizes": [1_000, 10_000, 100_000], "rounds": 5, "reps": 220, "events": 45_000},
        {"sizes": [1_000, 10_000], "rounds": 3, "reps": 40, "events": 10_000},
    ),
    "workers": Axis(
        processes.WORKERS,
        {"sizes": [1, 2], "events": 30_000, "rounds": 3, "idle_s": 4.0},
        {"sizes": [1, 2], "events": 10_000, "rounds": 1, "idle_s": 2.0},
    ),
    "memory": Axis(
        memory.TABLE,
        {"accounts": [100_000, 500_000], "events": [10_000, 30_000], "reps": [24, 100]},
        {"accounts": [50_000, 150_000], "events": [4_000, 8_000], "reps": [24, 60]},
    ),
    "recovery": Axis(
        recovery.TABLE,
        {"accounts": 600_000, "events": 40_000, "rounds": 3},
        {"accounts": 100_000, "events": 10_000, "rounds": 1},
    ),
}


async def measure(name: str, sizes: Sizes, running: Servers | None) -> list[Row]:
    """Measure one axis.

    Raises:
        AssertionError: Something was not as it has to be.
    """
    if name in ON_SERVERS:
        assert running is not None, f"{name} needs servers"
        return await ON_SERVERS[name](running, **sizes)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.growth", name, json.dumps(sizes)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, f"{name} failed"
    rows: list[Row] = json.loads(out)
    return rows
