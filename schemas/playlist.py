"""The wall's playlist: pages of tiles, read from ``[[wall.pages]]`` of the settings, else from our own ``wall.toml``.

A tile says what it shows by its kind:

======= ======================================================================================= ============
kind    shows                                                                                   sizes
======= ======================================================================================= ============
number  a KPI over a window, against the window before                                          1, 2, 3
goal    attainment of a target, against the pace, with the projected finish                     1, 2, 3
ranking a KPI by one dimension, the highest first                                               2, 3
funnel  a ratio by stage, or KPIs of which each is a part of the one before                     3
trend   a KPI hour by hour or day by day                                                        1, 2, 3
abc     customers by what they bought: A, B, C                                                  2, 3
heat    a KPI by weekday and hour of the last seven days                                        3
======= ======================================================================================= ============

Size 1 takes one of the eight places of a page, size 2 two side by side, size 3 four.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import msgspec

from schemas.declare import Kpi
from schemas.kpi import dims_key
from schemas.sections import Wall
from schemas.tables import Table, did_you_mean
from schemas.windows import TO_DATE, WINDOWS

TileKind = Literal["number", "goal", "ranking", "funnel", "trend", "abc", "heat"]
PLACES: Final = 8
PLACES_OF_SIZE: Final = {1: 1, 2: 2, 3: 4}
GOAL_KPIS: Final = ("target_attainment", "target_pace", "target_projection")
ABC_KPIS: Final = ("abc_customers", "abc_revenue", "abc_share")
WEAKEST_STAGE: Final = "weakest_stage"

_LISTED: Final = "a KPI in force, as `salespulse catalogue` lists them"
_DEFAULT_FILE: Final = Path(__file__).with_name("wall.toml")
_STEP_OF_WINDOW: Final = {"today": "1h", "24h": "1h", "7d": "1d", "wtd": "1d", "30d": "1d", "mtd": "1d"}


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One tile of a page.

    Args:
        kind: What it is.
        title: What stands over it.
        titled: Whether the settings say so; else it is what its KPI is called.
        size: 1, 2 or 3.
        kpis: Names of the KPIs it is made of: one, or the steps of a funnel, or what goals and classes consist of.
        window: Over which it is shown; of a heat always ``7d``.
        where: Dimension -> value that its series have.
        by: The dimension it is broken down by; empty for one series.
        step: Length of the slices of a trend or a heat, ``1h`` or ``1d``; empty for others.
    """

    kind: TileKind
    title: str
    titled: bool = False
    size: int
    kpis: tuple[str, ...]
    window: str
    where: dict[str, str] = {}
    by: str = ""
    step: Literal["", "1h", "1d"] = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Tiles that are shown together; their places add up to eight at most."""

    title: str
    tiles: tuple[Tile, ...]


class _Kind(msgspec.Struct, frozen=True):
    """What the table of a kind of tile may hold.

    Args:
        keys: Beside ``kind``, ``title`` and ``size``.
        sizes: The first is the default.
        windows: The first is the default.
        kpis: What it is made of when it does not say.
    """

    keys: tuple[str, ...]
    sizes: tuple[int, ...]
    windows: tuple[str, ...]
    kpis: tuple[str, ...] = ()


def _first(default: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((default, *names)))


_KINDS: Final[dict[TileKind, _Kind]] = {
    "number": _Kind(("kpi", "window", "where"), (1, 2, 3), _first("today", WINDOWS)),
    "goal": _Kind(("window", "where"), (1, 2, 3), _first("mtd", TO_DATE), GOAL_KPIS),
    "ranking": _Kind(("kpi", "by", "window", "where"), (3, 2), _first("mtd", WINDOWS), ("revenue_per_rep",)),
    "funnel": _Kind(("kpi", "kpis", "by", "window", "where"), (3,), _first("mtd", WINDOWS), ("stage_conversion",)),
    "trend": _Kind(("kpi", "window", "where"), (2, 1, 3), _first("30d", _STEP_OF_WINDOW)),
    "abc": _Kind(("window",), (3, 2), _first("mtd", WINDOWS), ABC_KPIS),
    "heat": _Kind(("kpi", "where"), (3,), ("7d",)),
}
_OTHER_TITLES: Final[dict[TileKind, str]] = {"goal": "Goal", "funnel": "Funnel", "abc": "Customers by revenue"}


def playlist(
    wall: Wall, kpis: Iterable[Kpi], origin: str = "salespulse.toml", own: Iterable[Mapping[str, Any]] = ()
) -> tuple[Page, ...]:
    """Read the pages of the settings; where there are none the pages that come along, as far as their KPIs go.

    Args:
        wall: ``[wall]`` of the settings.
        kpis: Those in force.
        origin: The file, for errors.
        own: Tiles of the user's own KPIs; they get pages behind those that come along.

    Raises:
        SettingsError: One line with file, key, page and tile, what was found and what is allowed.
    """
    known = {kpi.name: kpi for kpi in kpis}
    pages: Sequence[Mapping[str, object]] = wall.pages or [*_default_pages(known), *_own_pages(own)]
    if not pages:
        return ()
    tables = Table({"pages": pages}, "wall", "", origin).tables("pages", "page")
    return tuple(_page(table, known) for table in tables)


def history_series(pages: Iterable[Page]) -> tuple[tuple[str, str], ...]:
    """Return the series whose history the trends and heats show: name of the KPI and dimension part of its key."""
    tiles = (tile for page in pages for tile in page.tiles if tile.step)
    return tuple(dict.fromkeys((name, dims_key(tile.where)) for tile in tiles for name in tile.kpis))


def _default_pages(known: Mapping[str, Kpi]) -> list[dict[str, object]]:
    pages = []
    for page in _read_default_file():
        tiles = [tile for tile in page["tiles"] if _kpis_of(tile) <= known.keys()]
        if tiles:
            pages.append({**page, "tiles": tiles})
    return pages


def _own_pages(tiles: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Lay tiles of the user's own on as many pages as they need."""
    pages: list[list[Mapping[str, Any]]] = []
    left = 0
    for tile in tiles:
        places = PLACES_OF_SIZE.get(tile.get("size", _KINDS[tile["kind"]].sizes[0] if tile["kind"] in _KINDS else 1), 1)
        if places > left:
            pages.append([])
            left = PLACES
        pages[-1].append(tile)
        left -= places
    return [
        {"title": "Our own KPIs" if number == 1 else f"Our own KPIs ({number})", "tiles": page}
        for number, page in enumerate(pages, 1)
    ]


@cache
def _read_default_file() -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = tomllib.loads(_DEFAULT_FILE.read_text("utf-8"))["wall"]["pages"]
    return pages


def _kpis_of(tile: Mapping[str, Any]) -> set[str]:
    named = {tile["kpi"]} if "kpi" in tile else set(tile.get("kpis", ()))
    return named or set(_KINDS[tile["kind"]].kpis)


def _page(table: Table, known: Mapping[str, Kpi]) -> Page:
    table.refuse_others(("title", "tiles"), "a page")
    page = Page(title=table.text("title"), tiles=tuple(_tile(tile, known) for tile in table.tables("tiles", "tile")))
    places = sum(PLACES_OF_SIZE[tile.size] for tile in page.tiles)
    if places > PLACES:
        rule = ", ".join(f"size {size} takes {taken}" for size, taken in PLACES_OF_SIZE.items())
        raise table.refuse("tiles", f"they take {places} places; allowed are {PLACES} ({rule})")
    return page


def _tile(table: Table, known: Mapping[str, Kpi]) -> Tile:
    kind: TileKind = cast("TileKind", table.choice("kind", get_args(TileKind)))
    rule = _KINDS[kind]
    table.refuse_others(("kind", "title", "size", *rule.keys), f"a tile of kind {kind}")
    names = _names(table, kind, known)
    kpis = [known[name] for name in names]
    by = _by(table, kind, kpis[0])
    where = _where(table, kpis, by)
    windows = [name for name in rule.windows if rule.kpis or "window" not in rule.keys or _is_shown(kind, kpis, name)]
    window = table.choice("window", windows, windows[0] if windows else None)
    if kind == "funnel" and by == "stage" and WEAKEST_STAGE in known:
        names = (*names, WEAKEST_STAGE)
    step = {"trend": _STEP_OF_WINDOW.get(window, ""), "heat": "1h"}.get(kind, "")
    return Tile(
        kind=kind,
        title=table.text("title", _OTHER_TITLES.get(kind) or _title(kpis[0], by)),
        titled="title" in table,
        size=table.number("size", sorted(rule.sizes), rule.sizes[0]),
        kpis=names,
        window=window,
        where=where,
        by=by,
        step=cast('Literal["", "1h", "1d"]', step),
    )


def _is_shown(kind: TileKind, kpis: Iterable[Kpi], window: str) -> bool:
    """Whether KPIs are published for a window; a trend is told slice by slice, for any."""
    return kind == "trend" or all(window in kpi.windows for kpi in kpis)


def _names(table: Table, kind: TileKind, known: Mapping[str, Kpi]) -> tuple[str, ...]:
    rule = _KINDS[kind]
    if "kpis" in table:
        names = table.choices("kpis", known, listed_by=_LISTED)
        if "kpi" in table or "by" in table or len(names) < 2:
            raise table.wrong("kpis", "allowed are two KPIs and more, without kpi and by")
        return names
    if "kpi" in rule.keys:
        return (table.choice("kpi", known, *rule.kpis, listed_by=_LISTED),)
    missing = [name for name in rule.kpis if name not in known]
    if missing:
        raise table.wrong("kind", f"it needs {', '.join(missing)}, which catalogue.include of the settings leaves out")
    return rule.kpis


def _by(table: Table, kind: TileKind, kpi: Kpi) -> str:
    if kind == "abc":
        return "abc_class"
    if kind not in ("ranking", "funnel") or "kpis" in table:
        return ""
    single = [name for name in kpi.dimensions if "," not in name]
    if not single:
        raise table.wrong("kpi", "it is not broken down by anything")
    return table.choice("by", single, "stage" if kind == "funnel" and "stage" in single else single[0])


def _where(table: Table, kpis: Iterable[Kpi], by: str) -> dict[str, str]:
    where: dict[str, str] = {}
    for text in table.texts("where"):
        dimension, colon, value = text.partition(":")
        if not colon or not value or dimension in where or dimension == by:
            raise table.wrong("where", 'allowed is dimension:value, such as "rep:r-7", or a list of them')
        where[dimension] = value
    grouping = ",".join(sorted([*where, *([by] if by else [])]))
    for kpi in kpis:
        if grouping not in kpi.dimensions and not (kpi.has_global and grouping == ""):
            raise table.wrong("where", _what_exists(kpi, where))
    return where


def _what_exists(kpi: Kpi, where: Iterable[str]) -> str:
    names = {name for grouping in kpi.dimensions for name in grouping.split(",")}
    hints = {did_you_mean(name, names) for name in where if name not in names}
    there = " or ".join([*(["nothing"] if kpi.has_global else []), *kpi.dimensions])
    return f"{''.join(sorted(hints))}{kpi.name} is broken down by {there}"


def _title(kpi: Kpi, by: str) -> str:
    return f"{kpi.title} by {by.replace('_', ' ')}" if by and kpi.dimensions != (by,) else kpi.title
