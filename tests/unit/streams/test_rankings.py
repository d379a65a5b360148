"""Rankings: who is in them, and what becomes of who was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.kpi import KpiValue
from schemas.settings import settings_from
from tests.harness import PurePipeline
from tests.oracle import OracleSettings, kpi_differences, whole_catalogue
from tests.unit.streams.rows import at

NOW: Final = at("2024-03-13 12:00")
Event = dict[str, Any]


def event(event_type: str, account: str, when: str, **own: Any) -> Event:
    name = f"{account}/{event_type}/{when}"
    deal = {"deal_id": account} if event_type.startswith("deal.") else {}
    return {"event_id": name, "event_type": event_type, "occurred_at": at(when), "account_id": account, **deal, **own}


#   a: visit by ben ........ late: visit by ann .... sale        so the sale is ann's, and ben has none
#   b:                                                      return by cid, who is below 0
SAID: Final = [
    event("web.visit", "a", "2024-03-01 10:00", rep_id="ben"),
    event("deal.won", "a", "2024-03-03 10:00", amount=100),
    event("deal.returned", "b", "2024-03-03 11:00", amount=50, rep_id="cid"),
]
LATE: Final = event("web.visit", "a", "2024-03-02 10:00", rep_id="ann")


def ranks(values: Mapping[str, KpiValue], window: str, by: str = "rep", kpi: str = "revenue_per_rep") -> dict[str, Any]:
    series = f"{kpi}|{window}|{by}="
    return {key.removeprefix(series): value.rank for key, value in values.items() if key.startswith(series)}


def run(pipeline: PurePipeline, *events: Event) -> dict[str, KpiValue]:
    return {key: found.value for key, found in pipeline.run(events, NOW).items()}


@pytest.mark.parametrize("window", ["24h", "mtd", "all"])
def test_who_has_lost_all_events_to_others_is_in_no_ranking_any_more(window: str) -> None:
    pipeline = PurePipeline(settings_from({}))
    assert ranks(run(pipeline, *SAID), window)["ben"] == 1
    values = run(pipeline, LATE)
    equals = window == "24h"
    assert ranks(values, window) == {"ann": 1, "cid": 1 if equals else 2, "ben": None}
    ghost = values[f"revenue_per_rep|{window}|rep=ben"]
    assert (ghost.value, ghost.numerator, ghost.previous) == (None, None, None)
    assert values[f"revenue|{window}|rep=ben"].value == 0, "sums are 0 where nothing is left"
    published = {key: value.to_dict() for key, value in values.items()}
    assert not kpi_differences(whole_catalogue([*SAID, LATE], OracleSettings(), NOW), published)


def test_who_has_events_again_is_ranked_again() -> None:
    pipeline = PurePipeline(settings_from({}))
    run(pipeline, *SAID)
    run(pipeline, LATE)
    values = run(pipeline, event("deal.won", "c", "2024-02-01 10:00", amount=1, rep_id="ben"))
    assert ranks(values, "mtd") == {"ann": 1, "ben": 2, "cid": 3}
    assert ranks(values, "all") == {"ann": 1, "ben": 2, "cid": 3}


def test_whoever_takes_over_says_of_who_is_in_no_ranking_any_more() -> None:
    pipeline = PurePipeline(settings_from({}), partitions=1)
    run(pipeline, *SAID)
    pipeline.send([LATE])
    pipeline.fold_all()
    pipeline.emit(NOW)  # and dies before it publishes
    _, records, marker = pipeline.rollup.checkpoint()
    pipeline.rollup = pipeline.new_rollup()
    pipeline.rollup.recover({key: value for key, value in (*records, marker) if value is not None}, [], 0)
    values = {key: found.value for key, found in pipeline.publish(NOW).items()}
    assert ranks(values, "mtd") == {"ann": 1, "cid": 2, "ben": None}


def test_reps_are_ranked_with_reps_and_teams_with_teams(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        "[[kpis]]\nname = 'top_wins'\nformula = 'deals_won'\nranked = true\n"
        "global = false\ndimensions = ['rep', 'team']\n"
    )
    sold = [("ann", 1), ("ann", 2), ("ben", 3)]
    sales = [event("deal.won", f"{n}", "2024-03-04 10:00", rep_id=rep, team_id="north", amount=1) for rep, n in sold]
    values = run(PurePipeline(settings_from({"catalogue": {"files": [str(path)]}})), *sales)
    assert ranks(values, "mtd", "rep", "top_wins") == {"ann": 1, "ben": 2}
    assert ranks(values, "mtd", "team", "top_wins") == {"north": 1}
