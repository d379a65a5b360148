"""Formulas: sums of products of measures, integers and variables, written as text in the catalogue.

``won_amount - returned_amount``, ``end(customer_revenue) * new_customers``, ``now_s * leads - created``: a measure is
what happened in the window, ``end(m)`` everything until its end, ``start(m)`` everything until its start, ``every(m)``
what all classes of a distribution have together.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from schemas.declare import VARIABLES
from schemas.errors import CatalogueError

Scope = Literal["window", "start", "end", "every", "variable"]

_SCOPES: Final[dict[str, Scope]] = {"start": "start", "end": "end", "every": "every"}
_MOST_TERMS: Final = 1_000
_ALLOWED: Final = (
    "allowed: measures, start(m), end(m), integers, " + ", ".join(VARIABLES) + ", joined by +, - and * with parentheses"
)


class Factor(NamedTuple):
    """A measure as it is taken, or a variable."""

    scope: Scope
    name: str


class Term(NamedTuple):
    """An integer times the product of some factors."""

    coefficient: int
    factors: tuple[Factor, ...]


@lru_cache(maxsize=1024)
def parse(formula: str) -> tuple[Term, ...]:
    """Read a formula.

    Returns:
        Its terms, to be added up; equal products are joined.

    Raises:
        CatalogueError: It is more than a sum of products; the text says at which character.
    """
    try:
        terms = _terms(ast.parse(formula, mode="eval").body, "window", formula)
    except SyntaxError as error:
        place = error.offset or len(formula) + 1
        raise CatalogueError(f"formula {formula!r} cannot be read at character {place}; {_ALLOWED}") from None
    except (RecursionError, MemoryError, ValueError):
        raise CatalogueError(f"formula {formula[:60]!r}... is too long or holds no text; {_ALLOWED}") from None
    joined: dict[tuple[Factor, ...], int] = {}
    for coefficient, factors in terms:
        key = tuple(sorted(factors))
        joined[key] = joined.get(key, 0) + coefficient
    return tuple(Term(coefficient, factors) for factors, coefficient in sorted(joined.items()))


def split(formula: str) -> tuple[str, str | None]:
    """Return numerator and denominator of a formula that may be divided once, last; None where it is not divided.

    Raises:
        CatalogueError: It cannot be read.
    """
    try:
        node = ast.parse(formula.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        parse(formula)  # says what is wrong
        raise
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return ast.unparse(node.left), ast.unparse(node.right)
    return formula, None


def measures_of(formula: str | None) -> tuple[str, ...]:
    """Return the measures a formula names, each once."""
    factors = (factor for term in parse(formula) for factor in term.factors) if formula else ()
    return tuple(dict.fromkeys(factor.name for factor in factors if factor.scope != "variable"))


def _terms(node: ast.expr, scope: Scope, formula: str) -> list[Term]:
    found: list[Term] | None = None
    match node:
        case ast.BinOp(left, ast.Add(), right):
            found = _terms(left, scope, formula) + _terms(right, scope, formula)
        case ast.BinOp(left, ast.Sub(), right):
            found = _terms(left, scope, formula) + [Term(-n, f) for n, f in _terms(right, scope, formula)]
        case ast.UnaryOp(ast.USub(), operand):
            found = [Term(-n, f) for n, f in _terms(operand, scope, formula)]
        case ast.BinOp(left, ast.Mult(), right):
            lefts, rights = _terms(left, scope, formula), _terms(right, scope, formula)
            if len(lefts) * len(rights) > _MOST_TERMS:
                raise CatalogueError(f"formula {formula!r} has more than {_MOST_TERMS} products when multiplied out")
            found = [Term(n * m, (*f, *g)) for n, f in lefts for m, g in rights]
        case ast.Constant(int(value)) if not isinstance(value, bool):
            found = [Term(value, ())]
        case ast.Name(name):
            found = [Term(1, (Factor("variable" if name in VARIABLES else scope, name),))]
        case ast.Call(ast.Name(taken), [argument], []) if taken in _SCOPES and scope == "window":
            found = _terms(argument, _SCOPES[taken], formula)
    if found is None:
        place = len(formula.encode()[: node.col_offset].decode()) + 1
        raise CatalogueError(f"formula {formula!r}: {_source(node)} at character {place} is not allowed; {_ALLOWED}")
    return found


def _source(node: ast.expr) -> str:
    try:
        return repr(ast.unparse(node))
    except (RecursionError, ValueError):
        return type(node).__name__
