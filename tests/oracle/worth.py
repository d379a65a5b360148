"""KPIs whose parts are no sums of measures: the age of cohorts and customers, and a ratio of ratios (23, 32, 33)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.kpis import Parts, Values, ratio, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.oracle.periods import Window
    from tests.oracle.settings import OracleSettings
    from tests.oracle.tracks import Span, Tracks

TEN_SECONDS_MS = 10_000


def worth_kpis(tracks: Tracks, windows: Mapping[str, Window], settings: OracleSettings, now_ms: int) -> Values:
    """cohort_maturity, ltv_predicted and ltv_cac in all their series."""
    now_up_ms = -(-now_ms // TEN_SECONDS_MS) * TEN_SECONDS_MS

    def maturity(dims: str, span: Span) -> Parts:
        track = tracks.get("leads_created", dims)
        created = track.times[track.places(span)]
        return sum((now_up_ms - at_ms) // 1000 for at_ms in created), len(created)

    def predicted(dims: str, span: Span) -> Parts:
        margin = tracks.get("customer_margin", dims).until(span[1])
        first = tracks.get("new_customers", dims).times
        return margin * (settings.mean_lifetime_ms // 1000), sum((span[1] - t) // 1000 for t in first if t < span[1])

    def ltv_cac(dims: str, span: Span) -> Parts:
        terms = ("customer_revenue>", "new_customers", "new_customers>", "acquisition_spend")
        revenue, won, ever, spend = (tracks.sum({term: 1}, dims, "", span) for term in terms)
        return revenue * won, ever * spend if won > 0 else 0

    minor = settings.minor_per_major
    makers: tuple[tuple[str, str, int, tuple[str, ...], tuple[str, ...], Callable[[str, Span], Parts]], ...] = (
        ("cohort_maturity", "seconds", 1, ("source", "channel", "rep"), ("leads_created",), maturity),
        ("ltv_predicted", "money", minor, ("source", "channel"), ("new_customers",), predicted),
        ("ltv_cac", "ratio", 1, ("source",), ("new_customers", "acquisition_spend"), ltv_cac),
    )
    found: Values = {}
    for name, unit, scale, grouped_by, measures, parts in makers:
        for dims in _series(tracks, grouped_by, measures):
            for window in windows.values():
                found[f"{name}|{window.name}|{dims}"] = value_of(
                    unit,
                    window,
                    lambda span, parts=parts, dims=dims: parts(dims, span),  # type: ignore[misc]  # defaults bind now
                    lambda parts, scale=scale: ratio(parts, scale),  # type: ignore[misc]  # defaults bind now
                )
    return found


def _series(tracks: Tracks, grouped_by: tuple[str, ...], measures: tuple[str, ...]) -> list[str]:
    known = {dims for measure in measures for dims in tracks.dims(measure, "")}
    return ["", *sorted(dims for dims in known if dims.partition("=")[0] in grouped_by)]
