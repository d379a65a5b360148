import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from agents.brokers import Broker
from agents.kafka import producer
from agents.topics import create_topics
from schemas.settings import settings_from
from tests.readme import block

UPDATES = "sales.kpi.updates.v1"


def value(number: int, window_end: str, revision: int) -> bytes:
    body = {"value": number, "window_end": window_end, "revision": revision, "currency": None, "unit": "count"}
    return json.dumps(body).encode()


async def publish(servers: str, topic: str) -> None:
    settings = settings_from({"kafka": {"bootstrap_servers": servers, "partitions": 1}})
    await create_topics(settings)
    sending = await producer(settings, client_id="test")
    try:
        for key, body in (
            (b"deals_won|today|", value(4, "2025-03-31T12:00:00Z", 7)),
            (b"deals_won|today|", value(3, "2025-03-31T12:00:00Z", 6)),  # older: a worker that was paused
            (b"deals_won|today|rep=r-7", value(1, "2025-03-31T12:00:00Z", 2)),
            (b"deals_won|today|", value(5, "2025-03-31T12:15:00Z", 9)),
        ):
            await sending.send_and_wait(topic, body, key=key, partition=0)
    finally:
        await sending.stop()


def test_the_subscriber_prints_new_values_and_only_those(own_kafka: Broker, tmp_path: Path) -> None:
    asyncio.run(publish(own_kafka.bootstrap_servers, UPDATES))
    script = tmp_path / "subscriber.py"
    code = block("code: subscriber")
    assert code.count('"localhost:9092"') == 1
    script.write_text(code.replace("localhost:9092", own_kafka.bootstrap_servers))
    subscriber = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert subscriber.stdout is not None
        assert [subscriber.stdout.readline().strip() for _ in range(3)] == [
            "deals_won|today| 4 count",
            "deals_won|today|rep=r-7 1 count",
            "deals_won|today| 5 count",
        ]
    finally:
        subscriber.kill()
        subscriber.communicate()
