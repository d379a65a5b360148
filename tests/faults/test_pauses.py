"""Workers that freeze and wake up again, that join and leave."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from agents.kafka import TopicPartition
from agents.reading import read_to_end
from schemas.topics import TABLES, changelog_topic
from schemas.wire import fence_of
from tests.e2e.product import Process
from tests.faults.oracle import assert_exact, assert_no_commit_ahead
from tests.faults.points import run
from tests.faults.scene import SESSION_S, Scene


@pytest.mark.fault(6)
@pytest.mark.asyncio
async def test_frozen_in_a_checkpoint_for_longer_than_the_session(scene: Scene) -> None:
    await scene.begin(run=run("stopped-in-checkpoint"))
    first, rest = scene.messages(2)
    (zombie,) = scene.workers
    loading = scene.load(first)

    async def frozen() -> bool:
        return _is_stopped(zombie)

    await zombie.until(frozen, deadline_s=60)
    scene.workers.remove(zombie)
    heir = scene.start()
    await loading
    await heir.until_ready(deadline_s=60)
    await scene.load(rest)
    await scene.until_settled()
    zombie.child.resume()
    scene.workers.append(zombie)
    async with scene.supervised():
        await zombie.until_ready(deadline_s=60)
        scene.figures["outranked"] = outranked = await _outranked(scene)
        assert outranked > 0, "the old owner wrote nothing: this tests nothing"
        for worker in list(scene.workers):  # what lies on top must not be what is recovered
            scene.kill(worker)
        scene.start()
        await assert_exact(scene)


def _is_stopped(worker: Process) -> bool:
    state = Path(f"/proc/{worker.child.pid}/stat").read_text().rpartition(") ")[2]
    return state.startswith("T")


async def _outranked(scene: Scene) -> int:
    """How many changelog records have a lower fence than one before them of the same key."""
    topics = [changelog_topic(scene.settings.app.id, table) for table in TABLES]
    count, highest = 0, dict[tuple[str, int, bytes], int]()
    partitions = [TopicPartition(t, number) for t in topics for number in range(scene.settings.kafka.partitions)]
    async for records in read_to_end(scene.settings, partitions):
        for record in records:
            if record.value is not None:
                key = (record.topic, record.partition, record.key)
                fence = fence_of(record.value)
                count += fence < highest.get(key, fence)
                highest[key] = max(fence, highest.get(key, fence))
    return count


@pytest.mark.fault(7)
@pytest.mark.asyncio
async def test_frozen_for_less_than_the_session(scene: Scene) -> None:
    await scene.begin(workers=2)
    await scene.until_settled()
    before = scene.rebalances()
    loading = scene.load(seconds=6)
    for worker in scene.workers:
        await scene.until_checkpoints(1)
        worker.child.pause()
        await asyncio.sleep(SESSION_S / 4)
        worker.child.resume()
        await scene.until_progress(deadline_s=40)
    await loading
    await assert_exact(scene)
    assert scene.rebalances() == before
    scene.assert_running()


@pytest.mark.fault(8)
@pytest.mark.asyncio
async def test_a_worker_joins_or_leaves_again_and_again(scene: Scene, chance: random.Random) -> None:
    await scene.begin()
    parts = scene.messages(4)
    slowest_s = 0.0
    for cycle, part in enumerate(parts):
        loading = scene.load(part)
        if cycle % 2 == 0:
            await scene.start().until_ready(deadline_s=60)
        else:
            await scene.stop(chance.choice(scene.workers))
        slowest_s = max(slowest_s, await scene.until_progress(deadline_s=60))
        await loading
        await assert_no_commit_ahead(scene)
    scene.figures |= {"cycles": len(parts), "progress_s": round(slowest_s, 1)}
    await assert_exact(scene)
