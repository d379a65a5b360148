"""The catalogue is complete for the rows in scope, and every declaration holds together."""

from __future__ import annotations

import re

import pytest

from schemas.catalogue import KPIS, Kpi
from schemas.measures import MEASURES
from schemas.windows import EVENT_DIMENSIONS
from streams.plan import Plan
from tests.oracle.catalogue import CATALOGUE
from tests.oracle.further_catalogue import FURTHER_CATALOGUE

every_kpi = pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)


def test_names_are_unique_and_fit_for_keys_and_metrics() -> None:
    names = [kpi.name for kpi in KPIS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_every_row_has_a_kpi() -> None:
    assert {kpi.row for kpi in KPIS} == set(range(1, 44))


def test_the_oracle_judges_every_formula_with_the_same_dimensions_and_unit() -> None:
    judged = {
        kpi.name: ({*kpi.grouped_by, *(",".join(pair) for pair in kpi.pairs)}, kpi.unit, kpi.has_global)
        for kpi in (*CATALOGUE, *FURTHER_CATALOGUE)
    }
    declared = {kpi.name: (set(kpi.dimensions), kpi.unit, kpi.has_global) for kpi in KPIS}
    assert {name: declared.get(name) for name in judged} == judged


@every_kpi
def test_its_type_and_its_parts_agree(kpi: Kpi) -> None:
    assert kpi.type not in ("ratio", "conversion") or kpi.denominator is not None
    assert kpi.percentile is None or kpi.type == "distribution"
    assert kpi.ranked == (kpi.type == "ranking")
    assert kpi.numerator or kpi.goal
    assert kpi.fallback_denominator is None or kpi.denominator is not None
    assert kpi.has_global or kpi.dimensions


@every_kpi
def test_its_measures_are_declared_and_keyed_ones_are_only_for_what_looks_at_the_keys(kpi: Kpi) -> None:
    measures = {measure.name: measure for measure in MEASURES}
    looks_at_keys = kpi.percentile is not None or kpi.lowest or kpi.class_of != ""
    for name in Plan([kpi]).measure_names(kpi):
        assert bool(measures[name].keyed_by) == looks_at_keys


@every_kpi
def test_it_says_what_it_is_and_where_it_is_from(kpi: Kpi) -> None:
    assert kpi.title
    assert kpi.title[0].isupper()
    assert kpi.doc.endswith(".")
    assert re.fullmatch(r"[RCPUD]\d*( [RCPUD]\d*)*.*", kpi.source)


@every_kpi
def test_its_dimensions_are_known(kpi: Kpi) -> None:
    known = {*EVENT_DIMENSIONS, "direction", "customer_class", "stage", "abc_class", "target"}
    assert {name for grouping in kpi.dimensions for name in grouping.split(",")} <= known
