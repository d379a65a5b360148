"""What the wall page is told to show: pages of placed tiles, and the values they need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agents.wall.layout import Place, arrange
from schemas.currencies import exponent
from schemas.declare import Better, Kpi
from schemas.formula import measures_of, parse
from schemas.measures import MEASURES, Parts
from schemas.playlist import Page, Tile
from schemas.settings import Settings
from schemas.windows import TO_DATE
from streams.redis_view import Query, Selection

_MEASURES: Final = {measure.name: measure for measure in MEASURES}
_Part = tuple[str, tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]
"""Window, KPIs, dimensions to break down by, conditions."""


class PlacedTile(Tile, frozen=True, kw_only=True):
    """A tile and where on its page it lies."""

    place: Place


class PlacedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page and its grid."""

    title: str
    columns: int
    rows: int
    tiles: tuple[PlacedTile, ...]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page shows, but for the values.

    Args:
        version: Another one when anything else here is another; a page that was told another loads itself anew.
        rotate_ms: How long a page is shown; 0: until somebody turns it.
        minor_per_major: Minor units in a major unit of the reporting currency.
        stages: Stages of leads, in their order.
        titles: What the KPIs are called.
        better: Which direction of the KPIs is good.
        parts: Of ratios of which one part is contained in the other: what the parts are, ``count`` or ``money``.
        pages: In the order in which they come round.
    """

    version: str
    rotate_ms: int
    minor_per_major: int
    stages: tuple[str, ...]
    titles: dict[str, str]
    better: dict[str, Better]
    parts: dict[str, Parts]
    pages: tuple[PlacedPage, ...]


def board(pages: Iterable[Page], kpis: Mapping[str, Kpi], settings: Settings) -> Board:
    """Lay out the pages.

    Args:
        pages: The playlist.
        kpis: At least those it names.
        settings: ``[wall]``, ``[kpi]`` and ``[money]``.
    """
    placed = tuple(_place(page) for page in pages)
    names = dict.fromkeys(name for page in placed for tile in page.tiles for name in tile.kpis)
    made = Board(
        version="",
        rotate_ms=int(settings.wall.rotate),
        minor_per_major=10 ** exponent(settings.money.currency),
        stages=settings.kpi.stages,
        titles={name: kpis[name].title for name in names},
        better={name: kpis[name].better for name in names},
        parts={name: of for name in names if (of := _parts(kpis[name])) is not None},
        pages=placed,
    )
    digest = hashlib.sha256(msgspec.json.encode(made, order="deterministic")).hexdigest()
    return msgspec.structs.replace(made, version=digest[:12])


def over_window(pages: Iterable[Page], window: str) -> tuple[Page, ...]:
    """Return the pages with every tile over one window, but for those that cannot be: goals, trends and heats."""
    return tuple(
        msgspec.structs.replace(page, tiles=tuple(_tile_over(tile, window) for tile in page.tiles)) for page in pages
    )


def query_of(pages: Sequence[Page]) -> Query:
    """Return what the tiles need of the values as they are now."""
    tiles = [tile for page in pages for tile in page.tiles if tile.kind != "heat"]
    selections = dict.fromkeys(part for tile in tiles for part in _selections(tile))
    found = (Selection(kpis, by, dict(where), (window,)) for window, kpis, by, where in selections)
    return Query(tuple(dict.fromkeys(tile.window for tile in tiles)), tuple(found))


def _selections(tile: Tile) -> list[_Part]:
    where = tuple(tile.where.items())
    parts: list[_Part] = [(tile.window, tile.kpis, (tile.by,) if tile.by else (), where)]
    if tile.kind == "funnel" and tile.by:  # it comes with a KPI of its own that names the weakest of all stages
        parts = [(tile.window, tile.kpis[:1], (tile.by,), where), (tile.window, tile.kpis[1:], (), where)]
    return [part for part in parts if part[1]]


def _parts(kpi: Kpi) -> Parts | None:
    """Tell what "so many of so many" would be about, where it makes sense."""
    if kpi.unit != "ratio" or kpi.denominator is None or kpi.type == "derived":
        return None
    above, below = ({t.factors: t.coefficient for t in parse(of)} for of in (kpi.numerator, kpi.denominator))
    if any(above.get(factors, 0) * times < 0 for factors, times in below.items()):
        return None  # what is above is what exceeds the other, and no part of it
    names = {*measures_of(kpi.numerator), *measures_of(kpi.denominator)}
    kinds = {_MEASURES[name].parts for name in names if name in _MEASURES}
    return kinds.pop() if len(kinds) == 1 else None


def _place(page: Page) -> PlacedPage:
    layout = arrange([tile.size for tile in page.tiles])
    tiles = zip(page.tiles, layout.places, strict=True)
    placed = tuple(PlacedTile(**msgspec.structs.asdict(tile), place=place) for tile, place in tiles)
    return PlacedPage(title=page.title, columns=layout.columns, rows=layout.rows, tiles=placed)


def _tile_over(tile: Tile, window: str) -> Tile:
    if tile.step or (tile.kind == "goal" and window not in TO_DATE):
        return tile
    return msgspec.structs.replace(tile, window=window)
