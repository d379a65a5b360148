"""Formulas: sums of measures with integer factors, written as text in the catalogue."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache

from schemas.errors import CatalogueError

Terms = tuple[tuple[str, int], ...]
"""``(measure, factor)`` pairs; the value is the sum of factor times measure."""


@lru_cache(maxsize=1024)
def parse(formula: str) -> Terms:
    """Read ``"won_amount - 2 * returned_amount"``.

    Raises:
        CatalogueError: It is more than a sum of measures with integer factors.
    """
    try:
        tree = ast.parse(formula, mode="eval").body
    except SyntaxError:
        raise CatalogueError(
            f"formula {formula!r} cannot be read; allowed: measures, + and -, integer factors"
        ) from None
    terms: dict[str, int] = {}
    _collect(tree, 1, terms, formula)
    return tuple(sorted(terms.items()))


def _collect(node: ast.expr, factor: int, terms: dict[str, int], formula: str) -> None:
    match node:
        case ast.BinOp(left, ast.Add(), right):
            _collect(left, factor, terms, formula)
            _collect(right, factor, terms, formula)
        case ast.BinOp(left, ast.Sub(), right):
            _collect(left, factor, terms, formula)
            _collect(right, -factor, terms, formula)
        case ast.BinOp(ast.Constant(int(times)), ast.Mult(), right) | ast.BinOp(
            right, ast.Mult(), ast.Constant(int(times))
        ):
            _collect(right, factor * times, terms, formula)
        case ast.Name(name):
            terms[name] = terms.get(name, 0) + factor
        case _:
            raise CatalogueError(
                f"formula {formula!r}: {ast.unparse(node)!r} is not allowed; allowed: measures, + and -, factors"
            )


def compile_terms(terms: Terms, rename: Callable[[str], str] = str) -> Callable[[Mapping[str, int]], int]:
    """Return a function from sums per measure to the formula's value; a measure that is missing counts 0."""
    named = tuple((rename(name), factor) for name, factor in terms)
    if len(named) == 1 and named[0][1] == 1:
        only = named[0][0]
        return lambda sums: sums.get(only, 0)
    return lambda sums: sum(sums.get(name, 0) * factor for name, factor in named)
