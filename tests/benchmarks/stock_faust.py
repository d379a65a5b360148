"""The bare loop's counts with Faust as it comes: an agent, and a table that is told of every count.

`python -m tests.benchmarks.stock_faust SERVERS EVENTS NAME TOPIC...` prints what the bare loop does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections import Counter
from typing import Any

import faust
import orjson

from tests.benchmarks.bare_loop import DIMENSIONS


async def count(servers: str, events: int, name: str, topics: list[str]) -> dict[str, Any]:
    """Read topics from their beginning until so many events have come."""
    partitions = 8
    app = faust.App(
        name,
        broker=f"kafka://{servers}",
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_partitions=partitions,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        loop=asyncio.get_running_loop(),
    )
    counts = app.Table("counts", default=int, partitions=partitions)
    done = asyncio.Event()
    clock: list[float] = []
    read = 0

    @app.agent(app.topic(*topics, value_type=bytes, value_serializer="raw", internal=False))
    async def counting(stream: Any) -> None:
        nonlocal read
        async for value in stream:
            if not clock:
                clock.extend((time.perf_counter(), time.process_time()))
            event = orjson.loads(value)
            kind = event["event_type"]
            counts[f"{kind}||"] += 1
            for dimension in DIMENSIONS:
                if event.get(dimension) is not None:
                    counts[f"{kind}|{dimension}|{event[dimension]}"] += 1
            read += 1
            if read >= events:
                done.set()

    await app.start()
    await done.wait()
    took_s, took_cpu_s = time.perf_counter() - clock[0], time.process_time() - clock[1]
    by_type: Counter[str] = Counter()
    for key, number in counts.items():
        if key.endswith("||"):
            by_type[key[:-2]] += number
    return {"events": read, "seconds": took_s, "cpu_s": took_cpu_s, "by_type": by_type}


async def _main() -> None:
    """Print the result and end at once: Faust's threads would be waited for, after an error for ever."""
    code = 1
    try:
        print(json.dumps(await count(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])), flush=True)
        code = 0
    except Exception:  # noqa: BLE001  whatever it is, it is shown
        traceback.print_exc()
    os._exit(code)


if __name__ == "__main__":
    asyncio.run(_main())
