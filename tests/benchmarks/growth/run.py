"""Runs the axes that are asked for, keeps what they found, and draws it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.growth.axes import AXES, ON_SERVERS, measure
from tests.benchmarks.growth.table import render
from tests.benchmarks.rig import Servers, machine, servers

RESULTS: Final = Path(__file__).parents[1] / "growth.json"


async def run(names: Sequence[str], *, quick: bool) -> dict[str, Any]:
    """Measure axes, all of them where none is named; servers are started only where one needs them."""
    chosen = [name for name in AXES if name in names or not names]
    about = machine()
    found: dict[str, Any] = {}
    async with _servers_for(chosen) as running:
        for name in chosen:
            print(f"benchmark: {name}", file=sys.stderr, flush=True)
            sizes = AXES[name].quick if quick else AXES[name].full
            found[name] = {"sizes": sizes, "rows": await measure(name, sizes, running)}
    return {"benchmark": "growth", "machine": about, "quick": quick, "axes": found}


@asynccontextmanager
async def _servers_for(names: Sequence[str]) -> AsyncIterator[Servers | None]:
    if not any(name in ON_SERVERS for name in names):
        yield None
        return
    async with servers() as running:
        yield running


def show(found: Mapping[str, Any]) -> str:
    """Return the tables for people."""
    about = found["machine"]
    tables = [render(AXES[name].table, axis["rows"]) for name, axis in found["axes"].items()]
    size = f"{about['cores']} cores, {about['memory_gib']} GiB"
    tables.append(f"{size}, Python {about['python']}, load before {about['load_before']}")
    return "\n\n".join(tables)


def save(found: Mapping[str, Any]) -> None:
    """Keep what was found, each axis with the machine that it was measured on; others stay as they are."""
    known: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    measured = {
        name: {"machine": found["machine"], "quick": found["quick"], **axis} for name, axis in found["axes"].items()
    }
    kept = {name: (known | measured)[name] for name in AXES if name in known or name in measured}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
