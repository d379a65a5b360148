"""The committed result, and how a new one compares with it: it fails only on a loss of more than half the speed.

A loss of exactness fails before there is a result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.throughput import PRODUCT

REFERENCE: Final = Path(__file__).with_name("reference.json")
LATENCY: Final = Path(__file__).with_name("latency.json")
_KEPT: Final = ("machine", "events", "rate", "faust_events", "cells_right", "values_right", "ratio", "cpu_s_per_100k")
_SAME: Final = ("events", "rate")
_MOST: Final = 2.0


def save(found: Mapping[str, Any]) -> None:
    """Make a result the reference; one of the latency benchmark is kept whole."""
    if found["benchmark"] == "latency":
        LATENCY.write_text(json.dumps(found, indent=2) + "\n")
        return
    kept = {name: found[name] for name in _KEPT}
    REFERENCE.write_text(json.dumps(kept, indent=2) + "\n")


def compare(found: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return lines for people, and whether more than half the speed is lost."""
    reference: Mapping[str, Any] = json.loads(REFERENCE.read_text())
    other = [f"{name} is {found[name]}, not {reference[name]}" for name in _SAME if found[name] != reference[name]]
    if other:
        return [f"not compared with the reference: {', '.join(other)}"], False
    lines: list[str] = []
    is_lost = False
    for name in found["ratio"].keys() & reference["ratio"].keys() & PRODUCT.keys():
        before, now = reference["ratio"][name]["median"], found["ratio"][name]["median"]
        lost = now > _MOST * before
        is_lost |= lost
        lines.append(f"{name}: {now} times the bare loop, reference {before}{': TOO SLOW' if lost else ''}")
    return sorted(lines), is_lost
