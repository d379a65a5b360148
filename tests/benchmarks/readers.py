"""Readers of the three surfaces, which take note of every count at the moment they get it: the KPI topic, the hash in
Redis, and the stream of server-sent events of `salespulse wall`.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
import redis.asyncio

from agents.kafka import AIOKafkaConsumer, TopicPartition
from schemas.settings import Settings
from tests.benchmarks.tracked import COUNTS, Tracks, is_of_a_team

_LONGEST_EVENT: Final = 1 << 24


def partitions_of_values(settings: Settings) -> list[TopicPartition]:
    """The partitions of the KPI topic."""
    return [TopicPartition(settings.topics.updates, number) for number in range(settings.kafka.partitions)]


async def read_topic(reading: AIOKafkaConsumer, tracks: Tracks) -> None:
    """Read the KPI topic."""
    wanted = {count.key.encode(): count.key for count in COUNTS.values()}
    while True:
        for records in (await reading.getmany(timeout_ms=1_000)).values():
            for record in records:
                if record.key in wanted:
                    tracks.saw("kafka", wanted[record.key], orjson.loads(record.value))
                elif is_of_a_team(record.key):
                    tracks.saw_team(record.key.decode(), orjson.loads(record.value))


async def read_redis(view: redis.asyncio.Redis, prefix: str, tracks: Tracks) -> None:
    """Read the counts whenever the view says that it changed."""
    counts = list(COUNTS.values())
    async with view.pubsub() as listening:
        await listening.subscribe(f"{prefix}:changes")
        while True:
            await listening.get_message(ignore_subscribe_messages=True, timeout=1.0)
            values = await view.hmget(f"{prefix}:kpi:all", [count.field for count in counts])
            for count, value in zip(counts, values, strict=True):
                if value is not None:
                    tracks.saw("redis", count.key, orjson.loads(value))


async def read_events(url: str, tracks: Tracks) -> None:
    """Listen to the stream of server-sent events, as a script would that asks for the counts."""
    query = urlencode({"kpi": ",".join(dict.fromkeys(count.kpi for count in COUNTS.values())), "window": "all"})
    limits: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(None), "read_bufsize": _LONGEST_EVENT}
    async with aiohttp.ClientSession(**limits) as http, http.get(f"{url}/api/v1/stream?{query}") as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: "):
                for value in orjson.loads(line[6:]).get("series", ()):
                    tracks.saw("sse", f"{value['kpi']}|{value['window']}|", value)
