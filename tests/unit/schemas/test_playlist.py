"""The wall's playlist: what the settings may say of it, and what they are told when it is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.catalogue import KPIS
from schemas.errors import SettingsError
from schemas.playlist import PLACES, PLACES_OF_SIZE, Page, Tile, TileKind, history_series, playlist
from schemas.sections import Wall
from schemas.settings import load_settings, settings_from
from tests.readme import block


def read(*pages: dict[str, Any]) -> tuple[Page, ...]:
    return playlist(Wall(pages=pages), KPIS)


def tile(**fields: Any) -> Tile:
    ((found,),) = (page.tiles for page in read({"title": "One", "tiles": [fields]}))
    return found


def test_a_tile_says_little_and_means_all() -> None:
    assert tile(kind="number", kpi="revenue") == Tile(
        kind="number", title="Revenue", size=1, kpis=("revenue",), window="today"
    )
    assert tile(kind="number", kpi="win_rate", window="qtd", where="rep:r: 7", title="Ann", size=2) == Tile(
        kind="number", title="Ann", titled=True, size=2, kpis=("win_rate",), window="qtd", where={"rep": "r: 7"}
    )
    assert tile(kind="ranking", kpi="revenue", by="team").title == "Revenue by team"
    assert (tile(kind="trend", kpi="calls").window, tile(kind="trend", kpi="calls").step) == ("30d", "1d")
    assert tile(kind="trend", kpi="calls", window="24h").step == "1h"
    assert (tile(kind="heat", kpi="calls").window, tile(kind="heat", kpi="calls").step) == ("7d", "1h")
    assert tile(kind="funnel", kpis=["leads_created", "deals_won"]).kpis == ("leads_created", "deals_won")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "nmber"}, "kind (page 1, tile 1): found 'nmber'; did you mean number? allowed: number, goal"),
        ({}, "kind (page 1, tile 1): is missing; allowed: number"),
        ({"kind": "number"}, "kpi (page 1, tile 1): is missing; allowed: a KPI in force"),
        ({"kind": "number", "kpi": "revenu"}, "kpi (page 1, tile 1): found 'revenu'; did you mean revenue?"),
        ({"kind": "number", "kpi": 3}, "kpi (page 1, tile 1): found 3; allowed"),
        (
            {"kind": "number", "kpi": "calls", "window": "ydt"},
            "window (page 1, tile 1): found 'ydt'; did you mean ytd?",
        ),
        ({"kind": "trend", "kpi": "calls", "window": "all"}, "found 'all'; allowed: 30d, today, 24h, 7d, wtd, mtd"),
        ({"kind": "number", "kpi": "calls", "size": 4}, "size (page 1, tile 1): found 4; allowed: 1, 2, 3"),
        ({"kind": "number", "kpi": "calls", "size": True}, "found True; allowed: 1, 2, 3"),
        ({"kind": "funnel", "kpis": ["calls", "deals_won"], "size": 1}, "found 1; allowed: 3"),
        ({"kind": "number", "kpi": "calls", "wnidow": "ytd"}, "of kind number has no such key; did you mean window?"),
        ({"kind": "heat", "kpi": "calls", "window": "ytd"}, "of kind heat has no such key; allowed: kind, title"),
        ({"kind": "number", "kpi": "calls", "where": "rep"}, 'allowed is dimension:value, such as "rep:r-7"'),
        ({"kind": "number", "kpi": "calls", "where": "rpe:x"}, "did you mean rep? calls is broken down by nothing or"),
        ({"kind": "number", "kpi": "product_units", "where": "rep:x"}, "product_units is broken down by"),
        ({"kind": "number", "kpi": "new_vs_returning_deals"}, "is missing; new_vs_returning_deals is broken down by"),
        (
            {"kind": "ranking", "kpi": "calls", "by": "regoin"},
            "by (page 1, tile 1): found 'regoin'; allowed: rep, team",
        ),
        ({"kind": "ranking", "kpi": "calls", "by": "rep", "where": "rep:x"}, "allowed is dimension:value"),
        (
            {"kind": "funnel", "kpis": ["calls"]},
            "kpis (page 1, tile 1): found ['calls']; allowed are two KPIs and more",
        ),
        ({"kind": "funnel", "kpis": ["calls", "wins"]}, "kpis (page 1, tile 1): found ['calls', 'wins'];"),
        ({"kind": "number", "kpi": "calls", "title": ""}, "title (page 1, tile 1): found ''; allowed is a text"),
    ],
)
def test_what_is_wrong_is_one_line(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        tile(**fields)
    text = str(caught.value)
    assert text.startswith("salespulse.toml: wall.pages.tiles.")
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"title": "X"}, "wall.pages.tiles (page 1): is missing; allowed is a list of tables, [[wall.pages.tiles]]"),
        ({"title": "X", "tiles": []}, "wall.pages.tiles (page 1): found []; allowed is a list of tables"),
        ({"title": "X", "tiles": "all"}, "wall.pages.tiles (page 1): found 'all'; allowed is a list of tables"),
        ({"tiles": [{"kind": "number", "kpi": "calls"}]}, "wall.pages.title (page 1): is missing; allowed is a text"),
        ({"titel": "X"}, "wall.pages.titel (page 1): a page has no such key; did you mean title?"),
        (
            {"title": "X", "tiles": [{"kind": "ranking", "kpi": "calls"}] * 3},
            "wall.pages.tiles (page 1): they take 12 places; allowed are 8 (size 1 takes 1, size 2 takes 2",
        ),
    ],
)
def test_what_is_wrong_with_a_page_is_one_line(page: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(page)
    assert str(caught.value).startswith(f"salespulse.toml: {said}")


def test_our_own_playlist_is_valid_and_all_of_it_is_shown_where_all_kpis_are_in_force() -> None:
    pages = playlist(Wall(), KPIS)
    assert len(pages) >= 5
    for page in pages:
        assert sum(PLACES_OF_SIZE[tile.size] for tile in page.tiles) <= PLACES
    assert {tile.kind for page in pages for tile in page.tiles} == set(get_args(TileKind))
    assert {("revenue", ""), ("calls", "")} <= set(history_series(pages))


def test_our_own_playlist_goes_as_far_as_the_kpis_in_force() -> None:
    kpis = [kpi for kpi in KPIS if kpi.name in ("revenue", "calls")]
    pages = playlist(Wall(), kpis)
    assert {name for page in pages for tile in page.tiles for name in tile.kpis} == {"revenue", "calls"}
    assert playlist(Wall(), []) == ()


def test_history_is_needed_of_what_trends_and_heats_show() -> None:
    shown = read(
        {
            "title": "A",
            "tiles": [{"kind": "trend", "kpi": "calls", "where": ["team:a=b"]}, {"kind": "trend", "kpi": "calls"}],
        },
        {"title": "B", "tiles": [{"kind": "heat", "kpi": "calls"}, {"kind": "number", "kpi": "revenue"}]},
    )
    assert history_series(shown) == (("calls", "team=a%3Db"), ("calls", ""))


def test_a_wrong_playlist_is_found_when_the_settings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('[[wall.pages]]\ntitle = "A"\n[[wall.pages.tiles]]\nkind = "number"\nkpi = "win_rat"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert str(caught.value).startswith(f"{file}: wall.pages.tiles.kpi (page 1, tile 1): found 'win_rat'; did you mean")
    document = {"wall": {"pages": [{"title": "A", "tiles": [{"kind": "goal"}]}]}, "catalogue": {"include": ["calls"]}}
    with pytest.raises(SettingsError, match=r"needs target_attainment.*catalogue\.include"):
        settings_from(document)


def test_how_long_a_page_is_shown_is_a_duration() -> None:
    assert settings_from({"wall": {"rotate": "1m"}}).wall.rotate == 60_000
    with pytest.raises(SettingsError, match=r"wall\.rotate: found 20; expected a duration"):
        settings_from({"wall": {"rotate": 20}})
    with pytest.raises(SettingsError, match=r"wall\.rotat: no such setting; did you mean wall\.rotate"):
        settings_from({"wall": {"rotat": "20s"}})
    with pytest.raises(SettingsError, match=r"wall\.pages: found 3; expected `array`"):
        settings_from({"wall": {"pages": 3}})


def test_the_example_of_the_readme_shows_what_its_comments_say() -> None:
    settings = settings_from(tomllib.loads(block("settings: wall")), "README.md")
    north, funnel = playlist(settings.wall, KPIS)
    assert [tile.title for tile in north.tiles] == ["Our revenue", "Goal", "Deals won by rep", "Win rate"]
    assert north.tiles[1].where == {"target": "north-2025"}
    assert north.tiles[3].step == "1d"
    assert len(funnel.tiles[0].kpis) == 4
