"""What the settings may say of the catalogue."""

from __future__ import annotations

import pytest

from schemas.catalogue import KPIS
from schemas.catalogue.compose import catalogue_of
from schemas.errors import SettingsError
from schemas.rows import EVENT_TYPES
from schemas.settings import settings_from


def test_without_a_choice_every_kpi_is_in_force() -> None:
    assert [kpi.name for kpi in catalogue_of(settings_from({})).kpis] == [kpi.name for kpi in KPIS]


def test_only_the_chosen_kpis_are_in_force() -> None:
    settings = settings_from({"catalogue": {"include": ["win_rate", "revenue"]}})
    assert [kpi.name for kpi in catalogue_of(settings).kpis] == ["revenue", "win_rate"]


def test_points_by_event_type_make_the_formula_and_the_measures_that_it_needs() -> None:
    settings = settings_from({"kpi": {"points": {"call.completed": 3, "email.sent": 0, "web.visit": 7}}})
    kpis, measures, _, _ = catalogue_of(settings)
    formula = next(kpi.numerator for kpi in kpis if kpi.name == "points")
    terms = formula.split(" + ")
    assert {"3 * calls", "10 * deals_won"} <= set(terms)
    assert not [term for term in terms if term.startswith("0 ")]
    visits = next(term.removeprefix("7 * ") for term in terms if term.startswith("7 * "))
    assert [measure.fact for measure in measures if measure.name == visits] == ["web.visit"]


def test_points_for_what_is_no_event_type_are_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from({"kpi": {"points": {"deal.wonn": 1}}})
    line = str(refused.value)
    assert line.startswith(
        "salespulse.toml: kpi.points.deal.wonn: found 'deal.wonn'; did you mean deal.won? expected an event type: "
    )
    assert all(event_type in line for event_type in EVENT_TYPES)
    assert "\n" not in line
    with pytest.raises(SettingsError, match=r"kpi\.points\.sale: found 'sale'"):
        settings_from({"kpi": {"points": {"sale": 1}}})


def test_an_unknown_kpi_is_named_with_what_was_probably_meant() -> None:
    with pytest.raises(SettingsError, match=r"catalogue\.include: found 'win_rat'.*did you mean win_rate\?"):
        settings_from({"catalogue": {"include": ["win_rat"]}})


def test_a_file_that_does_not_exist_is_named() -> None:
    with pytest.raises(SettingsError, match=r"catalogue\.files: found 'my-kpis\.toml'; No such file"):
        settings_from({"catalogue": {"files": ["my-kpis.toml"]}})
