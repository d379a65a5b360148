"""Workers that die: at random, inside a checkpoint, all at once, while they recover."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping

import pytest

from agents.kafka import TopicPartition
from agents.reading import committed_offsets
from schemas.topics import state_group
from tests.e2e.surfaces import checkpoints
from tests.faults.oracle import assert_exact, assert_no_commit_ahead
from tests.faults.points import run
from tests.faults.scene import SESSION_S, Scene

_KILLED = -9


async def _kill_at_random(scene: Scene, chance: random.Random, kills: int) -> None:
    await scene.begin(workers=2)
    slowest_s = 0.0
    for part in scene.messages(kills):
        loading = scene.load(part, seconds=1.5)
        await scene.until_checkpoints(chance.randrange(1, 4))
        await asyncio.sleep(chance.random() * 0.3)  # at any point of a checkpoint
        scene.kill(chance.choice(scene.workers))
        killed_s = time.monotonic()
        await assert_no_commit_ahead(scene)
        scene.start()
        await loading
        await scene.until_progress(deadline_s=SESSION_S + 40)
        slowest_s = max(slowest_s, time.monotonic() - killed_s)
        print(f"recovered {time.monotonic() - killed_s:.1f} s after a kill; {await checkpoints(scene.settings)}")
    scene.figures |= {"kills": kills, "recovered_s": round(slowest_s, 1)}
    assert slowest_s < SESSION_S + 15
    await assert_exact(scene)


@pytest.mark.fault(1)
@pytest.mark.asyncio
async def test_killed_at_random_times(scene: Scene, chance: random.Random) -> None:
    await _kill_at_random(scene, chance, kills=5)


@pytest.mark.soak
@pytest.mark.fault(1)
@pytest.mark.asyncio
async def test_killed_fifty_times(scene: Scene, chance: random.Random) -> None:
    await _kill_at_random(scene, chance, kills=50)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "point",
    [
        pytest.param("markers-acknowledged", marks=pytest.mark.fault(2)),
        pytest.param("cells-unacknowledged", marks=pytest.mark.fault(3)),
        pytest.param("cells-acknowledged", marks=pytest.mark.fault(4)),
        pytest.param("accounts-acknowledged", marks=pytest.mark.fault(4)),
    ],
)
async def test_killed_inside_a_checkpoint(scene: Scene, point: str) -> None:
    await scene.begin(run=run(point))
    (worker,) = scene.workers
    loading = scene.load()
    assert await scene.ended(worker) == _KILLED, worker.log
    await assert_no_commit_ahead(scene)
    fences = (await checkpoints(scene.settings)).fences
    committed = await _committed(scene)
    behind = {partition: fence + 1 - committed.get(partition, 0) for partition, fence in enumerate(fences)}
    scene.figures["frames_replayed"] = sum(behind.values())
    if point == "markers-acknowledged":
        assert max(behind.values()) > 0, "what the last checkpoint holds is committed already"
    scene.start()
    await loading
    await assert_exact(scene)


async def _committed(scene: Scene) -> Mapping[int, int]:
    """Offsets of the log that the fold has committed."""
    log = [TopicPartition(scene.settings.topics.log, number) for number in range(scene.settings.kafka.partitions)]
    found = await committed_offsets(scene.settings, state_group(scene.settings.app.id), log)
    return {partition.partition: kept.offset for partition, kept in found.items()}


@pytest.mark.fault(5)
@pytest.mark.asyncio
async def test_sigterm_under_load(scene: Scene) -> None:
    await scene.begin()
    loading = scene.load()
    await scene.until_checkpoints(3)
    scene.figures["ended_s"] = took_s = round(await scene.stop(scene.workers[0]), 1)
    assert took_s < 10
    fences = (await checkpoints(scene.settings)).fences
    committed = await _committed(scene)
    assert max(fences) >= 0
    replayed = sum(fence + 1 - committed.get(partition, 0) for partition, fence in enumerate(fences))
    assert replayed == 0, "what is durable is committed, too: nothing is folded again"
    scene.start()
    await loading
    await assert_exact(scene)


@pytest.mark.fault(9)
@pytest.mark.asyncio
async def test_all_workers_killed_at_once(scene: Scene) -> None:
    await scene.begin(workers=2)
    loading = scene.load()
    await scene.until_checkpoints(4)
    for worker in list(scene.workers):
        scene.kill(worker)
    await assert_no_commit_ahead(scene)
    worker = scene.start()
    begun_s = time.monotonic()
    await loading
    await worker.until_ready(deadline_s=60)
    scene.figures["ready_s"] = round(time.monotonic() - begun_s, 1)
    await assert_exact(scene)


@pytest.mark.fault(10)
@pytest.mark.asyncio
async def test_killed_during_recovery(scene: Scene) -> None:
    await scene.begin()
    loading = scene.load()
    await scene.until_checkpoints(3)
    scene.kill(scene.workers[0])
    for times in (0, 1):  # while folds are recovered, and while rollups are
        worker = scene.start(run=run("killed-in-recovery", times))
        assert await scene.ended(worker) == _KILLED, worker.log
    scene.start()
    await loading
    await assert_exact(scene)


@pytest.mark.fault(10)
@pytest.mark.asyncio
async def test_rebalance_during_recovery(scene: Scene) -> None:
    await scene.begin()
    loading = scene.load()
    await scene.until_checkpoints(3)
    scene.kill(scene.workers[0])
    slow = scene.start(run=run("slow-recovery", 3))

    async def recovers() -> bool:
        return "read " in slow.log

    await slow.until(recovers, deadline_s=60)
    scene.start()
    await loading
    await assert_exact(scene)
