"""The catalogue is complete for the rows in scope, and every declaration holds together."""

from __future__ import annotations

import re

import pytest

from schemas.catalogue import KPIS, Kpi
from schemas.measures import MEASURES
from schemas.windows import EVENT_DIMENSIONS
from streams.plan import Plan
from tests.oracle.catalogue import CATALOGUE

ROWS = {1, 2, 3, 7, 8, 9, 10, 11, 13, 14, 19, 20, 21, 22, 23, 24, 25, 29, 30, 33, 34, 35, 36}
every_kpi = pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)


def test_names_are_unique_and_fit_for_keys_and_metrics() -> None:
    names = [kpi.name for kpi in KPIS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_every_row_in_scope_has_a_kpi() -> None:
    assert {kpi.row for kpi in KPIS} >= ROWS


def test_the_oracle_judges_every_kpi_with_the_same_dimensions_and_unit() -> None:
    judged = {kpi.name: (set(kpi.grouped_by), kpi.unit, kpi.has_global) for kpi in CATALOGUE}
    declared = {kpi.name: (set(kpi.dimensions), kpi.unit, kpi.has_global) for kpi in KPIS if kpi.row in ROWS}
    assert declared == judged


@every_kpi
def test_its_type_and_its_parts_agree(kpi: Kpi) -> None:
    assert (kpi.denominator is not None) == (kpi.type == "ratio")
    assert (kpi.percentile is not None) == (kpi.type == "percentile")
    assert kpi.fallback_denominator is None or kpi.denominator is not None
    assert kpi.has_global or kpi.dimensions


@every_kpi
def test_its_measures_are_declared_and_histograms_are_only_for_percentiles(kpi: Kpi) -> None:
    measures = {measure.name: measure for measure in MEASURES}
    for name in Plan([kpi]).measure_names(kpi):
        assert measures[name].histogram == (kpi.type == "percentile")


@every_kpi
def test_it_says_what_it_is_and_where_it_is_from(kpi: Kpi) -> None:
    assert kpi.title
    assert kpi.title[0].isupper()
    assert kpi.doc.endswith(".") or kpi.type in ("percentile", "ratio")
    assert re.fullmatch(r"[RCPUD]\d*( [RCPUD]\d*)*.*", kpi.source)


@every_kpi
def test_its_dimensions_are_known(kpi: Kpi) -> None:
    known = {*EVENT_DIMENSIONS, "direction", "customer_class", "stage", "abc_class", "target"}
    assert {name for grouping in kpi.dimensions for name in grouping.split(",")} <= known


def test_shorter_is_better_for_durations_only() -> None:
    durations = {kpi.name for kpi in KPIS if kpi.unit == "seconds" and kpi.name != "talk_time"}
    assert {kpi.name for kpi in KPIS if kpi.better == "lower" and kpi.row in ROWS} == durations
