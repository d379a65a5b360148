"""A worker whose clock is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.oracle import assert_exact
from tests.faults.scene import Scene
from tests.servers import missing

_LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")


def _libraries() -> list[Path]:
    return [path for pattern in _LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]


@pytest.mark.fault(19)
@pytest.mark.asyncio
@pytest.mark.parametrize("off", ["+1h", pytest.param("-1h", marks=pytest.mark.soak)])
async def test_the_clock_of_one_worker_is_an_hour_off(scene: Scene, off: str) -> None:
    found = _libraries()
    if not found:
        missing("no libfaketime (apt-get install faketime)")
    # What is measured, not dated, goes on as it is: timeouts belong to the monotonic clock.
    wrong = {"LD_PRELOAD": str(found[0]), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    await scene.begin()
    await scene.start(env=wrong).until_ready(deadline_s=60)
    loading = scene.load(seconds=4)
    await scene.until_checkpoints(4)
    await scene.stop(scene.workers[0])  # the one whose clock is wrong has everything now
    await loading
    await scene.until_progress(deadline_s=60)
    scene.assert_running()
    scene.start()
    await assert_exact(scene)
