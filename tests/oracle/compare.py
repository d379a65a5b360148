"""What differs between the oracle and what the product holds or publishes, in words; empty when all is right."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import TYPE_CHECKING, Any

from tests.oracle.events import instant_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.oracle.cells import CellKey
    from tests.oracle.kpis import KpiValue

TOLERANCE = 0.015
"""Of percentiles, and of the borders between ABC classes (relative to all classes together)."""
_EXACT = ("numerator", "denominator", "unit")
_FLOATS = ("value", "previous", "difference", "change")
_SAID = ("rank", "label")
_CLASSES = "abc_"

Found = Mapping[str, Any]
"""A KPI object as published: the JSON of interfaces.md."""


def kpi_differences(expected: Mapping[str, KpiValue], published: Mapping[str, Found]) -> list[str]:
    """Compare values with published KPI objects by series key.

    Numerators and denominators must be equal, percentiles within 1.5 %, other values but for a float's last digits. Of
    ABC classes what they add up to must be equal, and what each has may be off by 1.5 % of all of them together.
    A published series that the oracle does not know must be empty: all its events were resolved anew to other values.
    """
    return [
        *(f"{key}: not published" for key in expected if key not in published),
        *(
            f"{key}: unknown series, {dict(value)}"
            for key, value in published.items()
            if _is_extra(key, value, expected)
        ),
        *(
            line
            for key, value in expected.items()
            if key in published
            for line in _of_series(key, value, published[key])
        ),
        *_of_classes(expected, published),
    ]


def _is_extra(key: str, value: Found, expected: Mapping[str, KpiValue]) -> bool:
    return key not in expected and any(value[name] for name in ("value", "numerator", "denominator", "previous"))


def _of_series(key: str, expected: KpiValue, found: Found) -> Iterator[str]:
    wanted: Mapping[str, Any] = expected
    name_of_kpi = key.partition("|")[0]
    is_percentile = name_of_kpi.endswith(("_p50", "_p90"))
    is_class = name_of_kpi.startswith(_CLASSES)
    for name in ("unit",) if is_percentile or is_class else _EXACT:
        if wanted[name] != found[name]:
            yield f"{key}: {name} is {found[name]}, not {wanted[name]}"
    tolerance = TOLERANCE if is_percentile else 1e-9
    for name in () if is_class else _FLOATS[:2] if is_percentile else _FLOATS:
        if not _is_close(wanted[name], found[name], tolerance):
            yield f"{key}: {name} is {found[name]}, not {wanted[name]}"
    for name in _SAID:
        if wanted.get(name) != found.get(name):
            yield f"{key}: {name} is {found.get(name)}, not {wanted.get(name)}"
    for name in ("window_start", "window_end"):
        # `all` has no start; the oracle's 0 says the same.
        if (found[name] or key.split("|")[1] != "all") and instant_ms(found[name] or 0) != wanted[f"{name}_ms"]:
            yield f"{key}: {name} is {found[name]}, not {wanted[f'{name}_ms']} ms"


def _is_close(wanted: float | None, found: float | None, tolerance: float) -> bool:
    if wanted is None or found is None:
        return wanted is found
    return isclose(wanted, found, rel_tol=tolerance, abs_tol=1e-9)


def _of_classes(expected: Mapping[str, KpiValue], published: Mapping[str, Found]) -> Iterator[str]:
    """Compare A, B and C of one KPI and window together."""
    together: dict[str, dict[str, tuple[Found, Found]]] = {}
    for key, value in expected.items():
        if key.startswith(_CLASSES) and key in published:
            together.setdefault(key.rpartition("|")[0], {})[key] = (value, published[key])
    for whole, classes in together.items():
        yield from _of_sums(whole, list(classes.values()))
        for name in ("numerator", "denominator", "value", "previous"):
            room = TOLERANCE * sum(wanted[name] or 0 for wanted, _ in classes.values())
            for key, (wanted, found) in classes.items():
                if abs((wanted[name] or 0) - (found[name] or 0)) > room:
                    yield f"{key}: {name} is {found[name]}, not {wanted[name]}"
        for key, (_, found) in classes.items():
            yield from _of_comparison(key, found)


def _of_sums(whole: str, classes: list[tuple[Found, Found]]) -> Iterator[str]:
    """Check that the classes add up to what they should; every share is one of the same whole."""
    for name in ("numerator", "denominator"):
        wanted, found = ([value[name] or 0 for value in side] for side in zip(*classes, strict=True))
        is_whole = name == "denominator" and whole.startswith(f"{_CLASSES}share")
        if sum(wanted) != sum(found) or (is_whole and wanted != found):
            yield f"{whole}: {name} of the classes is {found}, not {wanted}"


def _of_comparison(key: str, found: Found) -> Iterator[str]:
    """Check that difference and change are those of the value and its previous one."""
    value, previous = found["value"], found["previous"]
    difference = None if value is None or previous is None else value - previous
    change = difference / previous if difference is not None and previous else None
    for name, wanted in (("difference", difference), ("change", change)):
        if not _is_close(wanted, found[name], 1e-9):
            yield f"{key}: {name} is {found[name]}, not {wanted}"


def cell_differences(
    expected: Mapping[CellKey, Mapping[str, int]],
    found: Mapping[CellKey, Mapping[str, int]],
    is_kept: Callable[[str, str, str, int], bool],
) -> list[str]:
    """Compare cells integer by integer; `is_kept(measure, dims, resolution, start_ms)` tells what the product keeps."""
    lines = []
    for key in sorted({*expected, *found}):
        wanted, held = expected.get(key, {}), found.get(key, {})
        for measure in sorted({*wanted, *held}):
            want, hold = wanted.get(measure, 0), held.get(measure, 0)
            if want != hold and is_kept(measure, *key):
                lines.append(f"{key} {measure}: {hold}, not {want}")
    return lines
