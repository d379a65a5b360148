"""Writes the dashboards from the catalogue: ``python -m deploy.grafana.generate``; with ``--check`` only compares.

The JSON is committed, so that Grafana needs nothing but files, and a test fails when it differs from the catalogue.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import dashboard_of
from schemas.areas import BOARDS
from schemas.catalogue import KPIS

DASHBOARDS: Final = Path(__file__).parent / "dashboards"


def generated() -> dict[str, str]:
    """Return file name -> JSON of every dashboard."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{board.uid}.json": encoder.encode(dashboard_of(board, KPIS)) + "\n" for board in BOARDS}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with ``--check`` name those that differ; returns the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m deploy.grafana.generate [--check]\n")
        return 2
    wanted = generated()
    have = {path.name: path.read_text("utf-8") for path in DASHBOARDS.glob("*.json")}
    different = sorted(name for name in wanted | have if wanted.get(name) != have.get(name))
    if arguments:
        for name in different:
            sys.stderr.write(f"{name} is not what the catalogue makes: run python -m deploy.grafana.generate\n")
        return 1 if different else 0
    for name in different:
        path = DASHBOARDS / name
        if name in wanted:
            path.write_text(wanted[name], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
