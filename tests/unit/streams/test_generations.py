"""What is computed of a catalogue while an older one is counted: nothing that would be half-counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.catalogue.compose import Catalogue, catalogue_of
from schemas.generations import Counted, Generation, changed_settings, in_force
from schemas.settings import Settings, settings_from
from streams.plan import plan_of, plan_over

SETTINGS = settings_from({})


def counted(**sections: Any) -> Counted:
    settings = settings_from(sections)
    found = plan_of(catalogue_of(settings)).counted(settings)
    written = msgspec.msgpack.encode(Generation(0, found, "2025-01-01T00:00:00Z"))
    return msgspec.msgpack.decode(written, type=Generation).counted


def with_file(directory: Path, text: str) -> Catalogue:
    path = directory / "own.toml"
    path.write_text(text)
    return catalogue_of(settings_from({"catalogue": {"files": [str(path)]}}))


def test_what_was_written_down_is_what_is_counted() -> None:
    plan = plan_of(catalogue_of(SETTINGS))
    again, waiting = plan_over(catalogue_of(SETTINGS), counted())
    assert waiting == ()
    assert again.kpis == plan.kpis
    assert list(again.measures.items()) == list(plan.measures.items())
    assert again.groupings == plan.groupings
    assert (again.levels, again.own) == (plan.levels, plan.own)
    assert plan.presence.items() <= again.presence.items()
    assert plan.counted(SETTINGS) == counted() == again.counted(SETTINGS)


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ('[[kpis]]\nname = "k"\nformula = "deals_won + deals_lost"\ndimensions = ["rep"]', False),
        ('[[kpis]]\nname = "k"\nformula = "complaints"\ndimensions = ["region"]', True),  # not counted by region
        ('[[measures]]\nname = "m"\ncounts = "deal.lost"\n[[kpis]]\nname = "k"\nformula = "m"', True),
        ('[[dimensions]]\nname = "d"\n[[kpis]]\nname = "k"\nformula = "deals_won"\ndimensions = ["d"]', True),
    ],
)
def test_a_kpi_that_needs_more_counted_waits(tmp_path: Path, text: str, waits: bool) -> None:
    plan, waiting = plan_over(with_file(tmp_path, text), counted())
    assert waiting == (("k",) if waits else ())
    assert ("k" in [kpi.name for kpi in plan.kpis]) is not waits
    assert plan.counted(SETTINGS) == counted()


def test_a_measure_that_means_something_else_now_is_another_one(tmp_path: Path) -> None:
    measure = '[[measures]]\nname = "m"\ncounts = "deal.lost"\nwhere = {{ reason = "{}" }}\n'
    text = measure + '[[kpis]]\nname = "k"\nformula = "m"'
    before = plan_of(with_file(tmp_path, text.format("price"))).counted(SETTINGS)
    assert plan_over(with_file(tmp_path, text.format("price")), before).waiting == ()
    assert plan_over(with_file(tmp_path, text.format("timing")), before).waiting == ("k",)


def test_a_dimension_that_reads_another_field_now_is_another_one(tmp_path: Path) -> None:
    text = '[[dimensions]]\nname = "d"\nfield = "{}"\n[[kpis]]\nname = "k"\nformula = "deals_won"\ndimensions = ["d"]'
    before = plan_of(with_file(tmp_path, text.format("industry"))).counted(SETTINGS)
    assert plan_over(with_file(tmp_path, text.format("industry")), before).waiting == ()
    assert plan_over(with_file(tmp_path, text.format("segment")), before).waiting == ("k",)


def test_a_kpi_that_is_gone_stays_counted(tmp_path: Path) -> None:
    text = '[[measures]]\nname = "m"\ncounts = "deal.lost"\n[[kpis]]\nname = "k"\nformula = "m"'
    before = plan_of(with_file(tmp_path, text)).counted(SETTINGS)
    plan, waiting = plan_over(catalogue_of(SETTINGS), before)
    assert waiting == ()
    assert plan.groupings["m"] == {""}
    assert plan.counted(SETTINGS) == before


def test_settings_that_count_stay_as_they_were_until_a_rebuild() -> None:
    before = counted(time={"zone": "Europe/Berlin"}, kpi={"stage_limits": {"new": "1d"}, "stages": ["new", "won"]})
    present = settings_from({"kpi": {"churn_horizon": "30d"}, "http": {"port": 1}})
    assert changed_settings(present, before) == ["time.zone", "kpi.churn_horizon", "kpi.stages", "kpi.stage_limits"]
    then = in_force(present, before)
    assert (then.time.zone, then.kpi.churn_horizon, then.http.port) == ("Europe/Berlin", 90 * 86_400_000, 1)
    assert (then.kpi.stages, then.kpi.stage_limits) == (("new", "won"), {"new": 86_400_000})
    assert changed_settings(then, before) == []


def test_what_the_log_is_written_by_stays_for_good() -> None:
    before = counted(money={"currency": "EUR"})
    assert in_force(Settings(), before).money.currency == "EUR"
