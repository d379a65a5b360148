"""KPIs of the user's own against built-in ones that say the same: inheritance, filters, pairs, late events and all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import settings_from
from tests.harness import PurePipeline
from tests.properties.histories import ZONES, Event, histories
from tests.properties.profile import examples

_SAME = {
    "revenue": "won_amount - returned_amount",
    "deals_won": "deals_won",
    "win_rate": "deals_won / (deals_won + deals_lost)",
    "average_ticket": "won_amount / deals_won",
    "lead_opportunity_ratio": "leads_qualified / leads_created",
    "active_customers": "buyers",
    "new_customers": "new_customers",
    "lead_conversion": "new_customers / leads_created",
    "calls": "calls",
}
"""Built-in KPI -> its formula, written down once more."""

# A squad is what the events call team_id: a field that the catalogue does not know as one of an event type.
_DECLARED = """
[[dimensions]]
name = "squad"
field = "team_id"

[[measures]]
name = "t1_won"
counts = "sale"
where = { team = "t1" }

[[measures]]
name = "t1_amount"
counts = "sale"
adds = "amount"
where = { squad = ["t1", "nobody"] }

[[kpis]]
name = "t1_won"
formula = "t1_won"

[[kpis]]
name = "t1_amount"
formula = "t1_amount"
unit = "money"
"""
_KPIS = "".join(
    f'[[kpis]]\nname = "own_{name}"\nformula = "{formula}"\ndimensions = ["squad"]\n'
    f'unit = "{"money" if name in ("revenue", "average_ticket") else "ratio" if "/" in formula else "count"}"\n'
    for name, formula in _SAME.items()
)


def pipeline_of(zone: str) -> PurePipeline:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "own.toml"
        path.write_text(_DECLARED + _KPIS)
        document = {"time": {"clock": "event", "zone": zone}, "catalogue": {"files": [str(path)]}}
        return PurePipeline(settings_from(document), frame_events=7)


def numbers(value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in ("value", "numerator", "denominator", "previous", "unit", "window_end")}


@examples(50)
@given(histories(), st.sampled_from(ZONES))
def test_a_dimension_of_ones_own_says_what_the_built_in_one_says(history: list[Event], zone: str) -> None:
    values = {key: found.value.to_dict() for key, found in pipeline_of(zone).run(history, wall_ms=0).items()}
    compared = 0
    for key, value in values.items():
        kpi, window, dims = key.split("|")
        if kpi in _SAME and (dims == "" or dims.startswith("team=")):
            mine = values[f"own_{kpi}|{window}|{dims.replace('team=', 'squad=')}"]
            assert numbers(mine) == numbers(value), key
            compared += 1
    assert compared >= len(_SAME)
    named = {key for key in values if "|squad=" in key}
    assert {key.replace("own_", "").replace("squad=", "team=") for key in named} <= values.keys()


@examples(30)
@given(histories(), st.sampled_from(ZONES))
def test_what_is_counted_for_one_value_only_is_what_its_series_counts(history: list[Event], zone: str) -> None:
    values = {key: found.value.to_dict() for key, found in pipeline_of(zone).run(history, wall_ms=0).items()}
    for window in ("1h", "7d", "mtd", "all"):
        of_series = values.get(f"deals_won|{window}|team=t1", {"numerator": 0})["numerator"]
        assert values[f"t1_won|{window}|"]["numerator"] == of_series
        ticket = values.get(f"average_ticket|{window}|team=t1", {"numerator": 0})["numerator"]
        assert values[f"t1_amount|{window}|"]["numerator"] == ticket
