"""``GET /api/v1/explain``: why a value is what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web
from multidict import MultiMapping

from agents.explain import Asked, Explanations, NoSeriesError
from agents.problems import ProblemError
from agents.wall.api import answer
from agents.wall.parameters import parse_flag, parse_kpis, parse_where, parse_windows, refuse_others
from schemas.declare import Kpi
from schemas.errors import SalesPulseError, UnavailableError
from schemas.settings import Settings
from streams.redis_view import RedisReader

LIMIT: Final = 50
MOST: Final = 10_000
WINDOW: Final = "30d"
_ALLOWED: Final = ("kpi", "window", "where", "events", "limit", "token")


class Explain:
    """The handler of explanations; one is made at a time, the others wait for it.

    Args:
        settings: Where Kafka is, and what the pipeline computes by.
        reader: The live view.
        in_force: The KPIs that can be explained.
    """

    def __init__(self, settings: Settings, reader: RedisReader, in_force: Sequence[Kpi]) -> None:
        self._explanations = Explanations(settings, reader)
        self._kpis = {kpi.name: kpi for kpi in in_force}

    async def explain(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/explain``."""
        try:
            return answer(await self._explanations.explain(parse_asked(request.query, self._kpis)))
        except NoSeriesError as error:
            raise ProblemError(404, "no-series", "No such series", f"{error}.", parameter="where") from None
        except UnavailableError:
            raise
        except SalesPulseError as error:
            raise ProblemError(503, "unavailable", "It cannot be explained now", str(error)) from None


def parse_asked(parameters: MultiMapping[str], kpis: Mapping[str, Kpi]) -> Asked:
    """Read what is to be explained: one KPI, one window, the dimensions of one series.

    Raises:
        ProblemError: 400, with the parameter, what was found and what is allowed.
    """
    refuse_others(parameters, _ALLOWED)
    names = parse_kpis(parameters, kpis)
    windows = parse_windows(parameters) if "window" in parameters or "windows" in parameters else (WINDOW,)
    for parameter, found in (("kpi", names), ("window", windows)):
        if len(found) != 1:
            detail = f"{parameter}: found {len(found)} of them; one value is explained at a time"
            raise ProblemError(400, "too-many-values", "Only one is possible", detail, parameter=parameter)
    where = parse_where(parameters, kpis)
    events, limit = parse_flag(parameters, "events"), _limit(parameters.get("limit", str(LIMIT)))
    return Asked(kpi=names[0], window=windows[0], where=where, events=events, limit=limit)


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= MOST:
        return int(text)
    detail = f"limit: found {text!r}; allowed is an integer from 0 to {MOST}"
    raise ProblemError(400, "bad-limit", "No such limit", detail, parameter="limit")
