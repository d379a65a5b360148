"""KPIs of the user's own: what a file may declare, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import KPIS
from schemas.catalogue.compose import Catalogue, catalogue_of
from schemas.declare import Dimension
from schemas.errors import SettingsError
from schemas.measures import Measure
from schemas.playlist import playlist
from schemas.settings import Settings, load_settings, settings_from

FILE = """
[[dimensions]]
name = "industry"

[[dimensions]]
name = "size"
field = "company_size"

[[measures]]
name = "lost_on_price"
counts = "deal.lost"
where = { reason = ["price", "budget"] }

[[measures]]
name = "discount"
counts = "deal.won"
adds = "discount_cents"
where = { source = "ads", industry = ["retail"] }

[[measures]]
name = "call_length"
counts = "call.completed"
histogram = "duration_s"

[[kpis]]
name = "price_loss_share"
title = "Lost on price"
formula = "lost_on_price / (deals_lost + deals_won)"
dimensions = ["rep", "industry", "rep,industry"]
windows = ["7d", "mtd"]
better = "lower"
targets = { month = 0.2 }
tile = { window = "mtd" }

[[kpis]]
name = "discounts"
formula = "discount"
unit = "money"

[[kpis]]
name = "call_length_p90"
formula = "call_length"
percentile = 90
unit = "seconds"
dimensions = ["rep", "direction"]
"""


def written(directory: Path, text: str = FILE) -> Path:
    path = directory / "my-kpis.toml"
    path.write_text(text)
    return path


def catalogue(directory: Path, text: str = FILE, **more: Any) -> Catalogue:
    return catalogue_of(settings_from({"catalogue": {"files": [str(written(directory, text))]}, **more}))


def test_a_file_declares_dimensions_measures_and_kpis(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    kpis = {kpi.name: kpi for kpi in found.kpis}
    assert [*kpis][-3:] == ["price_loss_share", "discounts", "call_length_p90"]
    assert len(found.kpis) == len(KPIS) + 3
    share = kpis["price_loss_share"]
    assert (share.numerator, share.denominator, share.unit) == ("lost_on_price", "deals_lost + deals_won", "ratio")
    assert share.dimensions == ("rep", "industry", "industry,rep")
    assert (share.type, share.better, share.windows, share.row) == ("ratio", "lower", ("7d", "mtd"), 0)
    assert share.targets == {"month": 0.2}
    assert share.source == "my-kpis.toml"
    assert kpis["call_length_p90"].type == "distribution"
    assert found.dimensions == (Dimension("industry", "industry"), Dimension("size", "company_size"))
    measures = {measure.name: measure for measure in found.measures}
    assert measures["lost_on_price"] == Measure("lost_on_price", "deal.lost", where={"reason": ("price", "budget")})
    assert measures["discount"].quantity == "discount_cents"
    assert measures["call_length"].keyed_by == "duration_s"


def test_files_lie_beside_the_settings_file_that_names_them(tmp_path: Path) -> None:
    written(tmp_path)
    settings = tmp_path / "salespulse.toml"
    settings.write_text('[catalogue]\nfiles = ["my-kpis.toml"]\ninclude = ["price_loss_share"]\n')
    assert [kpi.name for kpi in catalogue_of(load_settings(settings, {})).kpis] == ["price_loss_share"]


def test_tiles_of_ones_own_kpis_come_behind_the_others(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    page = playlist(Settings().wall, found.kpis, own=found.tiles)[-1]
    assert page.title == "Our own KPIs"
    assert [(tile.kind, tile.kpis, tile.window) for tile in page.tiles] == [("number", ("price_loss_share",), "mtd")]


def test_a_second_file_may_use_what_the_first_declares(tmp_path: Path) -> None:
    first = written(tmp_path)
    second = tmp_path / "more.toml"
    second.write_text('[[kpis]]\nname = "price_losses"\nformula = "2 * lost_on_price"\n')
    found = catalogue_of(settings_from({"catalogue": {"files": [str(first), str(second)]}}))
    assert found.kpis[-1].numerator == "2 * lost_on_price"


KPI = '[[kpis]]\nname = "k"\n'
MEASURE = '[[measures]]\nname = "m"\n'


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (f'{KPI}formula = "deals_wom"', 3, "did you mean deals_won?"),
        (f'{KPI}\n\nformula = "deals_won / (1 -"', 5, "kpis.formula (KPI 1): formula"),
        (f'{KPI}formula = "deals_won / deals_lost / 2"', 3, "is not allowed"),
        (f'{KPI}formula = "2"', 3, "names at least one measure"),
        (KPI, 1, "kpis.formula (KPI 1): is missing"),
        (f'{KPI}formula = "deals_won"\nwindow = "7d"', 4, "did you mean windows?"),
        (f'{KPI}formula = "deals_won"\nwindows = ["8d"]', 4, "allowed: 5m, 1h"),
        (f'{KPI}formula = "deals_won"\ndimensions = ["repp"]', 4, "did you mean rep?"),
        (f'{KPI}formula = "deals_won"\ndimensions = ["direction"]', 4, "'direction' is none"),
        (f'{KPI}formula = "deals_won"\nunit = "euros"', 4, "allowed: count, money"),
        (f'{KPI}formula = "deals_won"\nbetter = "more"', 4, "allowed: higher, lower, none"),
        (f'{KPI}formula = "deals_won"\narea = "selling"', 4, "allowed: sales, activity"),
        (f'{KPI}formula = "sales_cycle_histogram"', 3, "is a histogram"),
        (f'{KPI}formula = "deals_won"\npercentile = 50', 3, "one measure that has a histogram"),
        (f'{KPI}formula = "deals_won"\ntargets = {{ fortnight = 3 }}', 4, "allowed: day, week"),
        (f'{KPI}formula = "deals_won"\ntargets = {{ month = 0 }}', 4, "a number above 0"),
        (f'{KPI}formula = "deals_won"\nglobal = false', 1, "needs at least one"),
        ('[[kpis]]\nname = "revenue"\nformula = "deals_won"', 2, "of this name already"),
        ('[[kpis]]\nname = "revenue_previous"\nformula = "deals_won"', 2, "kept for metrics"),
        ('[[kpis]]\nname = "Revenue!"\nformula = "deals_won"', 2, "small letters"),
        (f'{MEASURE}counts = "deal.wom"', 3, "did you mean deal.won?"),
        (f'{MEASURE}counts = "sale"\nadds = "amounts"', 4, "did you mean amount?"),
        (f'{MEASURE}counts = "sale"\nwhere = {{ reason = "price" }}', 4, "found 'reason'"),
        (f'{MEASURE}counts = "sale"\nwhere = {{ source = 3 }}', 4, "a text or a list of texts"),
        (f'{MEASURE}counts = "buyer"\nwhere = {{ source = "ads" }}', 4, "cannot be filtered"),
        (f'{MEASURE}counts = "sale"\n[measures.where]\nsauce = "ads"', 4, "did you mean source?"),
        ('[[measures]]\nname = "deals_won"\ncounts = "sale"', 2, "of this name already"),
        ('[[dimensions]]\nname = "rep"', 2, "of this name already"),
        ('[[dimensions]]\nname = "x"\nfield = "a b"', 3, "the name of a field"),
        ("[[kpi]]\n", None, "did you mean kpis?"),
        ("kpis = 3", None, "a list of tables"),
        ("a = [", None, "not valid TOML"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_key(tmp_path: Path, text: str, line: int | None, told: str) -> None:
    with pytest.raises(SettingsError) as found:
        catalogue(tmp_path, text)
    message = str(found.value)
    place = f"my-kpis.toml:{line}: " if line is not None else "my-kpis.toml: "
    assert place in message
    assert told in message
    assert "\n" not in message


def test_a_tile_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no such key"):
        catalogue(tmp_path, f'{KPI}formula = "deals_won"\ntile = {{ colour = "red" }}')


def test_a_kpi_is_not_shown_for_a_window_it_is_not_published_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="allowed: mtd"):
        catalogue(tmp_path, f'{KPI}formula = "deals_won"\nwindows = ["mtd"]\ntile = {{ window = "7d" }}')
