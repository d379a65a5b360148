"""Query parameters of the API, checked: what is not known is refused with what was meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast, get_args

from multidict import MultiMapping

from agents.problems import ProblemError, bad_parameter
from schemas.catalogue.compose import dimensions_of
from schemas.declare import Kpi
from schemas.windows import WINDOWS
from streams.history import HistoryStep
from streams.redis_view import Query, Selection

ALIASES: Final = {"kpis": "kpi", "windows": "window"}
_ALLOWED: Final = ("kpi", "window", "by", "where", "wall", "token")
_STEPS: Final = get_args(HistoryStep)


def parse_query(parameters: MultiMapping[str], kpis: Mapping[str, Kpi]) -> Query:
    """Read ``kpi``, ``window``, ``by`` and ``where``.

    ``kpi=a,b@rep`` asks for the global series of a, and for b by rep; ``by`` and ``where`` hold for names without
    ``@``. No ``window``: all windows.

    Args:
        parameters: Of the request; those that may stand several times add up.
        kpis: All, by name.

    Raises:
        ProblemError: 400, with the parameter, what was found and what is allowed.
    """
    refuse_others(parameters, _ALLOWED)
    dimensions = dimensions_of(kpis.values())
    by = _names(parameters, "by")
    for name in by:
        if name != "*" and name not in dimensions:
            raise bad_parameter("by", name, ("*", *dimensions), "dimension")
    where = _conditions(parameters, dimensions)
    plain, broken_down = _kpis(parameters, kpis, dimensions)
    selections = [Selection((name,), (dimension,)) for name, dimension in broken_down]
    if plain or not broken_down:
        selections.append(Selection(plain or None, "*" if "*" in by else by, where))
    return Query(parse_windows(parameters), tuple(selections))


def parse_windows(parameters: MultiMapping[str]) -> tuple[str, ...]:
    """Read ``window``; all windows when it is left out."""
    windows = _names(parameters, "window", "windows")
    for window in windows:
        if window not in WINDOWS:
            raise bad_parameter("window", window, WINDOWS, "window")
    return tuple(dict.fromkeys(windows)) or WINDOWS


def parse_kpis(parameters: MultiMapping[str], kpis: Mapping[str, Kpi]) -> tuple[str, ...]:
    """Read ``kpi`` as plain names, at least one."""
    names = _names(parameters, "kpi", "kpis")
    if not names:
        raise ProblemError(400, "missing-parameter", "A parameter is missing", "kpi: say which, such as kpi=revenue")
    for name in names:
        if name not in kpis:
            raise bad_parameter("kpi", name, kpis, "KPI")
    return tuple(dict.fromkeys(names))


def parse_where(parameters: MultiMapping[str], kpis: Mapping[str, Kpi]) -> dict[str, str]:
    """Read ``where`` as the dimensions that series have, and no others."""
    return _conditions(parameters, dimensions_of(kpis.values()))


def parse_step(parameters: MultiMapping[str]) -> HistoryStep:
    """Read ``step``; a day when it is left out."""
    step = parameters.get("step", "1d")
    if step not in _STEPS:
        raise bad_parameter("step", step, _STEPS, "step")
    return cast("HistoryStep", step)


def parse_flag(parameters: MultiMapping[str], name: str) -> bool:
    """Read a parameter that is there or not: ``wall``, ``wall=true``."""
    value = parameters.get(name)
    if value not in (None, "", "1", "true", "0", "false"):
        raise bad_parameter(name, value, ("true", "false"), "value")
    return value not in (None, "0", "false")


def refuse_others(parameters: MultiMapping[str], allowed: Sequence[str]) -> None:
    """Refuse parameters that are none of these; a typing error must not go unnoticed."""
    for name in parameters:
        if name not in allowed and not (name in ALIASES and ALIASES[name] in allowed):
            raise bad_parameter(name, name, allowed, "parameter")


def _kpis(
    parameters: MultiMapping[str], kpis: Mapping[str, Kpi], dimensions: tuple[str, ...]
) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    plain: dict[str, None] = {}
    broken_down: list[tuple[str, str]] = []
    for text in _names(parameters, "kpi", "kpis"):
        name, at, dimension = text.partition("@")
        if name not in kpis:
            raise bad_parameter("kpi", name, kpis, "KPI")
        if not at:
            plain[name] = None
        elif dimension in dimensions:
            broken_down.append((name, dimension))
        else:
            raise bad_parameter("kpi", dimension, dimensions, "dimension")
    return tuple(plain), broken_down


def _conditions(parameters: MultiMapping[str], dimensions: tuple[str, ...]) -> dict[str, str]:
    conditions: dict[str, str] = {}
    for text in parameters.getall("where", []):
        dimension, colon, value = text.partition(":")
        if not colon or not value:
            detail = f"where: found {text!r}; it is written dimension:value, such as where=rep:r-7"
            raise ProblemError(400, "bad-condition", "A condition that cannot be read", detail, parameter="where")
        if dimension not in dimensions:
            raise bad_parameter("where", dimension, dimensions, "dimension")
        if conditions.setdefault(dimension, value) != value:
            detail = f"where: {dimension} is asked to be {conditions[dimension]!r} and {value!r} at once"
            raise ProblemError(400, "bad-condition", "Conditions that exclude each other", detail, parameter="where")
    return conditions


def _names(parameters: MultiMapping[str], *keys: str) -> tuple[str, ...]:
    texts = (text for key in keys for text in parameters.getall(key, []))
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
