"""Formulas are sums of products of measures, integers and variables, and nothing else."""

from __future__ import annotations

import pytest

from schemas.errors import CatalogueError
from schemas.formula import measures_of, parse


def read(formula: str) -> dict[str, int]:
    """Products of a formula, with the scopes of their measures, and their coefficients."""
    return {
        " * ".join(name if scope == "window" else f"{scope}:{name}" for scope, name in factors): coefficient
        for coefficient, factors in parse(formula)
    }


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("won", {"won": 1}),
        ("won - lost", {"won": 1, "lost": -1}),
        ("-won", {"won": -1}),
        ("won - (lost - kept)", {"won": 1, "lost": -1, "kept": 1}),
        ("2 * won + won * 3", {"won": 5}),
        ("2 * (won - lost)", {"won": 2, "lost": -2}),
        ("won * lost + lost * won", {"lost * won": 2}),
        ("(won + lost) * kept", {"kept * won": 1, "kept * lost": 1}),
        ("won + 1", {"won": 1, "": 1}),
        ("start(customers) - end(exits)", {"start:customers": 1, "end:exits": -1}),
        ("end(a + b) * new", {"end:a * window:new".replace("window:", ""): 1, "end:b * new": 1}),
        ("every(ranked)", {"every:ranked": 1}),
        ("now_s * leads", {"variable:now_s * leads": 1}),
        ("end(mean_lifetime_s * leads)", {"end:leads * variable:mean_lifetime_s": 1}),
    ],
)
def test_a_formula_is_a_sum_of_products(formula: str, terms: dict[str, int]) -> None:
    assert read(formula) == terms


@pytest.mark.parametrize(
    "formula",
    ["", "won /", "won / lost", "1.5 * won", "f(won)", "start(end(won))", "won.x", "won if x else y", "won ** 2"],
)
def test_anything_else_is_refused_with_the_formula_named(formula: str) -> None:
    with pytest.raises(CatalogueError, match="allowed: measures") as caught:
        parse(formula)
    assert repr(formula) in str(caught.value)


def test_the_measures_of_a_formula_are_named_once_and_variables_are_not_among_them() -> None:
    assert measures_of("now_s * leads - end(leads) + won") == ("leads", "won")
    assert measures_of(None) == ()
