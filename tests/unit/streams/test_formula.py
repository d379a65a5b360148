"""Formulas are sums of measures with integer factors, and nothing else."""

from __future__ import annotations

import pytest

from schemas.errors import CatalogueError
from streams.formula import compile_terms, parse


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("won", (("won", 1),)),
        ("won - lost", (("lost", -1), ("won", 1))),
        ("won - (lost - kept)", (("kept", 1), ("lost", -1), ("won", 1))),
        ("2 * won + won * 3", (("won", 5),)),
        ("won - 10 * lost", (("lost", -10), ("won", 1))),
        ("2 * (won - lost)", (("lost", -2), ("won", 2))),
    ],
)
def test_a_formula_is_a_sum_with_factors(formula: str, terms: tuple[tuple[str, int], ...]) -> None:
    assert parse(formula) == terms


@pytest.mark.parametrize(
    "formula",
    ["", "won /", "won / lost", "won * lost", "1.5 * won", "f(won)", "won.x", "won + 1", "-won", "won if x else y"],
)
def test_anything_else_is_refused_with_the_formula_named(formula: str) -> None:
    with pytest.raises(CatalogueError, match="allowed: measures") as caught:
        parse(formula)
    assert repr(formula) in str(caught.value)


def test_a_measure_that_is_missing_counts_nothing() -> None:
    assert compile_terms(parse("won"))({}) == 0
    assert compile_terms(parse("2 * won - lost"))({"won": 4}) == 8


def test_measures_can_be_renamed_to_those_of_a_window() -> None:
    assert compile_terms(parse("buyers"), lambda name: f"{name}@7d")({"buyers@7d": 3, "buyers": 9}) == 3
