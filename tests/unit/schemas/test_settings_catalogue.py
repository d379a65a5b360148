"""What the settings may say of the catalogue."""

from __future__ import annotations

import pytest

from schemas.catalogue import KPIS, in_force
from schemas.errors import SettingsError
from schemas.settings import settings_from


def test_without_a_choice_every_kpi_is_in_force() -> None:
    assert in_force(settings_from({}).catalogue.include) == KPIS


def test_only_the_chosen_kpis_are_in_force() -> None:
    chosen = settings_from({"catalogue": {"include": ["win_rate", "revenue"]}}).catalogue.include
    assert [kpi.name for kpi in in_force(chosen)] == ["revenue", "win_rate"]


def test_an_unknown_kpi_is_named_with_what_was_probably_meant() -> None:
    with pytest.raises(SettingsError, match=r"catalogue\.include: found 'win_rat'.*did you mean win_rate\?"):
        settings_from({"catalogue": {"include": ["win_rat"]}})


def test_files_of_kpis_are_refused_instead_of_ignored() -> None:
    with pytest.raises(SettingsError, match=r"catalogue\.files"):
        settings_from({"catalogue": {"files": ["my-kpis.toml"]}})
