"""What has to hold after every fault.

(a) cells at the end equal an independent batch computation over the source topics, integer by integer, and so do the
values of the KPIs on the KPI topic and in Redis; (b) every changelog record equals the prefix fold at its fence;
(c) committed offsets are never ahead of what is durable; (d) versions that a reader sees never fall; (e) lag is back at
zero within a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from schemas.catalogue.compose import catalogue_of
from schemas.settings import Settings
from streams.plan import plan_of
from tests.e2e.history import Truth
from tests.e2e.prefixes import commits_ahead, wrong_records
from tests.e2e.surfaces import (
    Payloads,
    checkpoints,
    falling_versions,
    from_latest,
    from_redis,
    seen_by_readers,
    stored_cells,
)
from tests.exactness import compared_cells
from tests.faults.scene import Scene
from tests.oracle import cell_differences, kpi_differences
from tests.polling import until

_SHOWN: Final = 8


async def assert_exact(scene: Scene, *, drained_within_s: float = 90.0) -> None:
    """Wait until everything that was sent is counted, then judge it all.

    Args:
        scene: What was done to it is over.
        drained_within_s: Bound of (e).
    """
    settings = scene.settings
    scene.figures["drained_s"] = round(await scene.until_settled(drained_within_s), 1)
    await assert_no_commit_ahead(scene)
    truth = await scene.truths.of(scene.history)
    stored = await stored_cells(settings)
    found = cell_differences(truth.cells, stored, _compared(settings, truth.newest_ms))
    assert not found, _readable("cells", found)
    judged = await wrong_records(settings)
    assert not judged.wrong, _readable(f"of {judged.records} changelog records", judged.wrong)
    assert judged.records > 0
    scene.figures["records"] = judged.records
    await assert_values(scene, truth)
    await assert_versions_never_fall(scene)
    print(f"{await checkpoints(settings)}; {scene.figures}")


async def assert_values(scene: Scene, truth: Truth) -> None:
    """Wait until Redis and the compacted KPI topic hold what the oracle says."""
    settings, lines = scene.settings, list[str]()
    wanted = {kpi.name for kpi in catalogue_of(settings).kpis}
    right = {key: value for key, value in truth.kpis.items() if key.partition("|")[0] in wanted}
    assert right

    async def values_right() -> bool:
        lines.clear()
        for name, payloads in (("redis", await from_redis(settings)), ("latest", await from_latest(settings))):
            lines.extend(f"{name}: {line}" for line in kpi_differences(right, _present(payloads)))
        return not lines

    try:
        await until(values_right, deadline_s=60, every_s=0.3)
    except AssertionError:
        scene.assert_running()
        raise AssertionError(_readable("values", lines)) from None


async def assert_no_commit_ahead(scene: Scene) -> None:
    """(c), at any time."""
    ahead = await commits_ahead(scene.settings)
    assert not ahead, _readable("commits", ahead)


async def assert_versions_never_fall(scene: Scene) -> None:
    """(d), of all that was ever published."""
    seen = 0
    async for reader, entries in seen_by_readers(scene.settings):
        seen += len(entries)
        falling = falling_versions(entries)
        assert not falling, _readable(reader, falling)
    assert seen > 0


def _present(payloads: Payloads) -> dict[str, dict[str, Any]]:
    """Values of windows that end now; those of goals whose time is over stay as they were."""
    values = {key: orjson.loads(payload) for key, payload in payloads.items()}
    ends: dict[str, str] = {}
    for value in values.values():
        ends[value["window"]] = max(ends.get(value["window"], ""), value["window_end"])
    return {key: value for key, value in values.items() if value["window_end"] == ends[value["window"]]}


def _compared(settings: Settings, newest_ms: int) -> Callable[[str, str, str, int], bool]:
    """Tell which cells both sides have to have, of the catalogue of the settings."""
    plan = plan_of(catalogue_of(settings))
    inner = compared_cells(plan, newest_ms)

    def compared(measure: str, dims: str, resolution: str, start_ms: int) -> bool:
        return measure.partition("@")[0] in plan.groupings and inner(measure, dims, resolution, start_ms)

    return compared


def _readable(what: str, lines: Sequence[str]) -> str:
    shown = "\n  ".join(lines[:_SHOWN])
    return f"{what}: {len(lines)} differences\n  {shown}"
