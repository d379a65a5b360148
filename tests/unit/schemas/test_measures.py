"""Measures are declared over facts that exist, with quantities and attributes that those have."""

from __future__ import annotations

import pytest

from schemas.facts import DERIVED_FACTS, FACTS
from schemas.measures import COUNT, MEASURES, Measure

every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)


def test_names_are_unique_and_cannot_be_taken_for_stored_names() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert not any(mark in name for name in names for mark in "@#")


@every_measure
def test_it_is_taken_from_a_fact_that_has_what_it_needs(measure: Measure) -> None:
    fact = FACTS[measure.fact]
    assert measure.quantity in (COUNT, *fact.quantities)
    assert set(measure.where) <= set(fact.attributes)
    assert measure.keyed_by in ("", *fact.attributes, *fact.quantities)


@every_measure
def test_a_histogram_is_of_a_quantity_and_has_its_count_beside_it(measure: Measure) -> None:
    if measure.name.endswith("_histogram"):
        assert measure.is_sized
        assert any(m.fact == measure.fact and m.quantity == COUNT and not m.is_sized for m in MEASURES)


def test_every_derived_fact_is_used_and_says_when_it_exists() -> None:
    assert {measure.fact for measure in MEASURES} >= set(DERIVED_FACTS)
    assert all(fact.doc.endswith(".") for fact in FACTS.values())
