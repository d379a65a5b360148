"""What the wall page asks for beside values: its playlist, and the history of what trends and heats show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from agents.problems import ProblemError
from agents.wall.api import answer, envelope
from agents.wall.board import Board, board, over_window
from agents.wall.parameters import parse_kpis, parse_step, parse_where, parse_windows, refuse_others
from schemas.declare import Kpi
from schemas.kpi import dims_key
from schemas.playlist import Page, history_series
from schemas.settings import Settings
from streams.history import HistoryStep
from streams.redis_view import RedisReader

_SHOW_IT: Final = "to have it kept, show it in a tile of kind trend or heat: [[wall.pages]] of the settings"


class Pages:
    """Handlers of the playlist and of history.

    Args:
        settings: ``[wall]``, ``[kpi]`` and ``[money]``.
        reader: The live view.
        kpis: All, by name.
        pages: The playlist.
    """

    def __init__(self, settings: Settings, reader: RedisReader, kpis: Mapping[str, Kpi], pages: Sequence[Page]) -> None:
        self._settings = settings
        self._reader = reader
        self._kpis = kpis
        self._pages = pages
        self._kept = frozenset(history_series(pages))
        self._board = board(pages, kpis, settings)

    @property
    def version(self) -> str:
        """Another one when the playlist is another."""
        return self._board.version

    def board(self, window: str | None) -> Board:
        """Return what the page shows, every tile over its own window or over one."""
        if window is None:
            return self._board
        found = board(over_window(self._pages, window), self._kpis, self._settings)
        return msgspec.structs.replace(found, version=self.version)

    async def wall(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/wall``."""
        refuse_others(request.query, ("window", "token"))
        return answer(self.board(parse_window(request)))

    async def history(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/history``."""
        refuse_others(request.query, ("kpi", "step", "where", "token"))
        names, step = parse_kpis(request.query, self._kpis), parse_step(request.query)
        where = parse_where(request.query, self._kpis)
        for name in names:
            self._require_kept(name, where)
        freshness = await self._reader.freshness()
        series = [await self._series(name, where, step) for name in names]
        return answer(envelope(freshness) | {"step": step, "series": series})

    async def _series(self, name: str, where: dict[str, str], step: HistoryStep) -> dict[str, Any]:
        kpi = self._kpis[name]
        points = await self._reader.history(name, step, dims_key(where))
        return {
            "kpi": name,
            "dimensions": where,
            "unit": kpi.unit,
            "currency": self._settings.money.currency if kpi.unit == "money" else None,
            "points": [msgspec.Raw(b'{"start":"%b",%b' % (start.encode(), payload[1:])) for start, payload in points],
        }

    def _require_kept(self, name: str, where: Mapping[str, str]) -> None:
        dims = dims_key(where)
        if (name, dims) not in self._kept:
            kept = ", ".join(sorted(f"{kpi}|{of}" if of else kpi for kpi, of in self._kept)) or "nothing"
            wanted = f"{name} where {dims}" if dims else name
            detail = f"No history is kept of {wanted}, but of {kept}; {_SHOW_IT}."
            raise ProblemError(404, "no-history", "No such history", detail, parameter="kpi")


def parse_window(request: web.Request) -> str | None:
    """Read ``window`` as one window for everything that the wall shows; None: each tile has its own."""
    if "window" not in request.query:
        return None
    windows = parse_windows(request.query)
    if len(windows) != 1:
        detail = "window: one for everything that is shown, such as window=ytd"
        raise ProblemError(400, "too-many-values", "Only one is possible", detail, parameter="window")
    return windows[0]
