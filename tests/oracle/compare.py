"""What differs between the oracle and what the product holds or publishes, in words; empty when all is right."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING, Any

from tests.oracle.events import instant_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.oracle.cells import CellKey
    from tests.oracle.kpis import KpiValue

PERCENTILE_TOLERANCE = 0.015
_EXACT = ("numerator", "denominator", "unit")
_FLOATS = ("value", "previous", "difference", "change")


def kpi_differences(expected: Mapping[str, KpiValue], published: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare values with published KPI objects (the JSON of interfaces.md) by series key.

    Numerators and denominators must be equal, percentiles within 1.5 %, other values but for a float's last digits.
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
    ]


def _is_extra(key: str, value: Mapping[str, Any], expected: Mapping[str, KpiValue]) -> bool:
    return key not in expected and any(value[name] for name in ("value", "numerator", "denominator", "previous"))


def _of_series(key: str, expected: KpiValue, found: Mapping[str, Any]) -> Iterator[str]:
    wanted: Mapping[str, Any] = expected
    is_percentile = key.partition("|")[0].endswith(("_p50", "_p90"))
    for name in _EXACT[2:] if is_percentile else _EXACT:
        if wanted[name] != found[name]:
            yield f"{key}: {name} is {found[name]}, not {wanted[name]}"
    tolerance = PERCENTILE_TOLERANCE if is_percentile else 1e-9
    for name in _FLOATS[:2] if is_percentile else _FLOATS:
        if not _is_close(wanted[name], found[name], tolerance):
            yield f"{key}: {name} is {found[name]}, not {wanted[name]}"
    for name in ("window_start", "window_end"):
        # `all` has no start; the oracle's 0 says the same.
        if (found[name] or key.split("|")[1] != "all") and instant_ms(found[name] or 0) != wanted[f"{name}_ms"]:
            yield f"{key}: {name} is {found[name]}, not {wanted[f'{name}_ms']} ms"


def _is_close(wanted: float | None, found: float | None, tolerance: float) -> bool:
    if wanted is None or found is None:
        return wanted is found
    return isclose(wanted, found, rel_tol=tolerance, abs_tol=1e-9)


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
