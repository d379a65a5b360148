"""The benchmarks run, and what they print is about something: figures of so short a run mean nothing themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.brokers import Broker, RedisServer
from tests.benchmarks import latency, throughput
from tests.benchmarks.__main__ import show_latency, show_throughput
from tests.benchmarks.latency import Track
from tests.benchmarks.rig import Servers


@pytest.fixture
def running(kafka: Broker, valkey: RedisServer, tmp_path: Path) -> Servers:
    return Servers(kafka, valkey, tmp_path)


@pytest.mark.asyncio
async def test_latency_is_measured_on_the_kpi_topic_and_in_redis(running: Servers) -> None:
    found = await latency.measure(running, rate=100, seconds=3, history=500, partitions=2)
    assert found["sent"] > 100
    for reader in ("kafka", "redis"):
        figures = found["latency"][reader]
        assert figures["events"] > 20
        assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert found["latency"]["redis"]["p50_ms"] < 30_000
    assert 0 < found["worker_cpu_s"] < 2 * found["seconds"]
    assert found["values_per_second"] > 0
    assert "p99" in show_latency(json.loads(json.dumps(found)))


@pytest.mark.asyncio
async def test_throughput_is_measured_beside_a_bare_loop_with_every_cell_right(running: Servers) -> None:
    found = await throughput.measure(running, events=2_000, rounds=1, partitions=2)
    assert found["cells_right"] > 1_000
    assert found["values_right"] > 1_000
    (only,) = found["rounds"]
    assert only["ratio"] == pytest.approx(only["worker"]["cpu_s"] / only["bare"]["cpu_s"], rel=0.1)
    assert "ratio" in show_throughput(json.loads(json.dumps(found)))


def test_an_event_is_seen_with_the_first_value_that_has_counted_it() -> None:
    track = Track()
    track.sent_s = [1.0, 2.0, 3.0, 4.0]
    track.seen["kafka"] = [(1, 1.5), (3, 3.5), (4, 9.0)]
    assert track.latencies_s("kafka", 0.0, 10.0) == [0.5, 1.5, 0.5, 5.0]
    assert track.latencies_s("kafka", 2.0, 4.0) == [1.5, 0.5]
    assert track.has_all("kafka")
    assert not track.has_all("redis")
