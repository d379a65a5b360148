"""The engine knows no KPI and no measure by its name: what it needs of them, the catalogue declares."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.catalogue import KPIS
from schemas.measures import MEASURES

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = {kpi.name for kpi in KPIS} | {measure.name for measure in MEASURES}

ALLOWED: Final = {
    ("streams/alerting/monitor.py", "lead_conversion"): "the one KPI that is watched; what it is made of is declared",
    ("agents/wall/api.py", "points"): "a key of the answer: points in time",
    ("agents/wall/pages.py", "points"): "a key of the answer: points in time",
}
"""Where such a word stands, and why."""

SIMULATOR: Final = "streams/simulator/"
"""It plays a company, which sets goals on KPIs and sends to topics; the engine is what is judged by its events."""


def words() -> Iterator[tuple[str, str]]:
    """The texts in the code that are names, with the files they stand in."""
    for layer in ("streams", "agents"):
        for path in sorted((ROOT / layer).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            yield from ((where, text) for text in texts if isinstance(text, str) and text in NAMES)


def test_no_kpi_or_measure_is_named_but_where_there_is_a_reason() -> None:
    found = {(where, text) for where, text in words() if not where.startswith(SIMULATOR)}
    assert found == ALLOWED.keys()


def test_names_are_seen_where_they_are() -> None:
    assert {text for where, text in words() if where.startswith(SIMULATOR)} >= {"revenue", "new_customers"}
