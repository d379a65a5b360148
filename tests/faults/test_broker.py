"""A broker that restarts, dies, freezes, has no room, and a network that does not reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agents.brokers import RedisServer
from agents.kafka import TopicPartition
from agents.reading import committed_offsets
from agents.topics import intake_group
from schemas.topics import state_group
from tests.e2e.history import History
from tests.e2e.product import Installation, installed
from tests.e2e.surfaces import checkpoints
from tests.faults.conftest import SETTINGS
from tests.faults.oracle import assert_exact, assert_no_commit_ahead
from tests.faults.proxy import Proxy
from tests.faults.record import Figures
from tests.faults.rough import RoughKafka, fill, may_mount, small_disk
from tests.faults.scene import SESSION_S, Scene, Truths
from tests.polling import until
from tests.servers import missing


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoughKafka]:
    """One broker for this module: every test leaves it running."""
    if not may_mount():
        missing("no root: the broker of faults has a small file system of its own to fill")
    with small_disk(tmp_path_factory.mktemp("rough") / "disk") as disk:
        broker = RoughKafka(disk)
        asyncio.run(broker.start())
        try:
            yield broker
        finally:
            asyncio.run(broker.stop())


@pytest.fixture
def product(rough: RoughKafka, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path / "product", rough.bootstrap_servers, valkey.url, topic_prefix, SETTINGS) as found:
        yield found


@pytest.fixture
def scene(product: Installation, history: History, truths: Truths, figures: Figures) -> Scene:
    return Scene(product, history, truths, figures)


def _through(rough: RoughKafka) -> dict[str, str]:
    return {"SALESPULSE_KAFKA__BOOTSTRAP_SERVERS": rough.through_proxy}


@pytest.mark.fault(11)
@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["restarted", "killed"])
async def test_broker_restarted_or_killed_under_load(scene: Scene, rough: RoughKafka, how: str) -> None:
    await scene.begin()
    first, rest = scene.messages(2)
    async with scene.supervised():
        await scene.load(first, seconds=1.5)  # acknowledged, all of it, and not yet folded
        if how == "killed":
            rough.kill()
        else:
            await rough.stop()
        await rough.start()
        await scene.load(rest, seconds=1.5)
        await assert_exact(scene)


@pytest.mark.fault(12)
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "seconds", [6.0, pytest.param(1.0, marks=pytest.mark.soak), pytest.param(30.0, marks=pytest.mark.soak)]
)
async def test_broker_frozen(scene: Scene, rough: RoughKafka, seconds: float) -> None:
    await scene.begin()
    async with scene.supervised():
        loading = scene.load()
        await scene.until_checkpoints(2)
        rough.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            rough.resume()
        await assert_no_commit_ahead(scene)
        await loading
        await assert_exact(scene)


@pytest.mark.fault(13)
@pytest.mark.asyncio
async def test_network_cut_and_healed(scene: Scene, rough: RoughKafka) -> None:
    proxy = Proxy(rough.behind_port, rough.proxy_port)
    async with proxy.serving():
        await scene.begin()
        behind = scene.start(env=_through(rough))
        await behind.until_ready(deadline_s=60)
        first, rest = scene.messages(2)
        loading = scene.load(first)
        await scene.until_checkpoints(2)
        proxy.cut()
        await loading
        loading = scene.load(rest)
        scene.figures["taken_over_s"] = round(await scene.until_progress(deadline_s=60), 1)
        await scene.until_settled()  # the other worker has everything
        await assert_no_commit_ahead(scene)
        proxy.heal()
        async with scene.supervised():
            await loading
            await scene.workers[-1].until_ready(deadline_s=60)
            await assert_exact(scene)


@pytest.mark.fault(13)
@pytest.mark.asyncio
async def test_only_the_produce_path_blocked(scene: Scene, rough: RoughKafka) -> None:
    proxy = Proxy(rough.behind_port, rough.proxy_port)
    async with proxy.serving():
        scene.start(env=_through(rough))
        await scene.begin(workers=0)
        await scene.workers[0].until_ready(deadline_s=60)
        loading = scene.load(seconds=4)
        await scene.until_checkpoints(2)
        proxy.block_produce()
        await until(lambda: _holds(proxy.held > 1), deadline_s=30)
        before, durable = await _committed(scene), await checkpoints(scene.settings)
        await asyncio.sleep(2 * SESSION_S)
        assert (await checkpoints(scene.settings)).fences == durable.fences
        now, log = await _committed(scene), scene.settings.topics.log
        moved = [tp for tp, offset in now.items() if tp.topic != log and offset > before.get(tp, 0)]
        assert not moved
        await assert_no_commit_ahead(scene)
        proxy.unblock_produce()
        await loading
        async with scene.supervised():
            await assert_exact(scene)


async def _holds(condition: bool) -> bool:
    return condition


async def _committed(scene: Scene) -> Mapping[TopicPartition, int]:
    settings = scene.settings
    log = [TopicPartition(settings.topics.log, number) for number in range(settings.kafka.partitions)]
    sources = [TopicPartition(t, n) for t in settings.topics.sources().values() for n in range(2)]
    found = {
        **await committed_offsets(settings, state_group(settings.app.id), log),
        **await committed_offsets(settings, intake_group(settings), sources),
    }
    return {tp: kept.offset for tp, kept in found.items()}


@pytest.mark.soak
@pytest.mark.fault(13)
@pytest.mark.asyncio
async def test_latency_of_300_ms(scene: Scene, rough: RoughKafka) -> None:
    proxy = Proxy(rough.behind_port, rough.proxy_port)
    proxy.latency_s = 0.15  # there, and the same back
    async with proxy.serving():
        await scene.begin()
        behind = scene.start(env=_through(rough))
        await behind.until_ready(deadline_s=90)
        await scene.until_settled()
        before = scene.rebalances()
        await scene.load(seconds=6)
        await assert_exact(scene)
        scene.figures["rebalances"] = scene.rebalances() - before
        assert scene.rebalances() == before
        scene.assert_running()


@pytest.mark.fault(21)
@pytest.mark.asyncio
async def test_disk_full_under_the_broker(scene: Scene, rough: RoughKafka) -> None:
    await scene.begin()
    first, rest = scene.messages(2)
    await scene.load(first, seconds=1)
    filler = fill(rough.data_dir)
    loading = scene.load(rest, seconds=1)
    try:
        await until(lambda: _holds(not rough.running or loading.done()), deadline_s=60)
        scene.figures["broker"] = "went on" if rough.running else "ended"
    finally:
        filler.unlink()
    async with scene.supervised():
        if not rough.running:
            await rough.start()
        await asyncio.gather(loading, return_exceptions=True)
        await scene.load(rest, seconds=1)  # what was sent already is dropped by its event_id
        await assert_exact(scene)
