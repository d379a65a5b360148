"""The benchmarks run, and what they print is about something: figures of so short a run mean nothing themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker, RedisServer
from tests.benchmarks import latency, reference, throughput
from tests.benchmarks.__main__ import show_latency, show_throughput
from tests.benchmarks.rig import Servers
from tests.benchmarks.tracked import Track


@pytest.fixture
def running(kafka: Broker, valkey: RedisServer, tmp_path: Path) -> Servers:
    return Servers(kafka, valkey, tmp_path)


@pytest.mark.asyncio
async def test_latency_is_measured_on_the_kpi_topic_in_redis_and_over_sse(running: Servers) -> None:
    found = await latency.measure(running, rates=[100], seconds=3, history=500, idle=1, partitions=2)
    (only,) = found["rates"]
    assert only["sent"] > 100
    assert only["latency"].keys() == {"kafka", "by team", "by team, all time", "redis", "sse"}
    assert only["bare"]["latency"].keys() == {"kafka"}
    for figures in (*only["latency"].values(), only["bare"]["latency"]["kafka"]):
        assert figures["events"] > 20
        assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
        assert figures["p50_ms"] < 30_000
    assert 0 < only["core_share"]["worker"] < 2
    assert 0 < only["bare"]["core_share"]["loop"] < 1
    assert 0 < only["idle_core_share"]["worker"] < 1
    assert only["values_per_second"] > 0
    assert "p99" in show_latency(json.loads(json.dumps(found)))


@pytest.mark.soak  # the gate runs the benchmark itself, with all events
@pytest.mark.asyncio
async def test_throughput_is_measured_beside_a_bare_loop_with_every_cell_right(running: Servers) -> None:
    found = await throughput.measure(running, events=2_000, rounds=1, partitions=2)
    assert found["cells_right"] > 1_000
    assert found["values_right"] > 1_000
    (only,) = found["rounds"]
    assert only.keys() == {"bare", "cut", "cut in Kafka", "whole", "whole in Kafka"}
    for name in ("cut", "whole"):
        assert 0 < only[f"{name} in Kafka"]["cpu_s"] < only[name]["cpu_s"]
    for name in ("cut", "whole"):
        ratio = only[name]["cpu_s_per_100k"] / only["bare"]["cpu_s_per_100k"]
        assert found["ratio"][name]["median"] == pytest.approx(ratio, rel=0.01)
    assert "times the bare loop" in show_throughput(json.loads(json.dumps(found)))


def test_a_result_fails_on_the_loss_of_more_than_half_the_speed_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def result(median: float, events: int = 10) -> dict[str, Any]:
        spread = {"median": median, "least": median, "most": median}
        kept = dict.fromkeys(("machine", "faust_events", "cells_right", "values_right", "cpu_s_per_100k"))
        return {**kept, "benchmark": "throughput", "events": events, "rate": 500, "ratio": {"whole": spread}}

    monkeypatch.setattr(reference, "REFERENCE", tmp_path / "reference.json")
    reference.save(result(4.0))
    assert reference.compare(result(7.9)) == (["whole: 7.9 times the bare loop, reference 4.0"], False)
    assert reference.compare(result(8.1))[1]
    assert reference.compare(result(9.0, events=20))[0] == ["not compared with the reference: events is 20, not 10"]


def test_an_event_is_seen_with_the_first_value_that_has_counted_it() -> None:
    track = Track()
    track.sent_s = [1.0, 2.0, 3.0, 4.0]
    track.seen["kafka"] = [(1, 1.5), (3, 3.5), (4, 9.0)]
    assert track.latencies_s("kafka", 0.0, 10.0) == [0.5, 1.5, 0.5, 5.0]
    assert track.latencies_s("kafka", 2.0, 4.0) == [1.5, 0.5]
    assert track.has_all("kafka")
    assert not track.has_all("redis")
