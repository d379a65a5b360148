"""Items of sales and returns: what of the money falls to which product."""

from __future__ import annotations

from schemas.rows import Row
from streams.fold.accumulator import Split

Products = tuple[Split, ...] | None
"""What falls to each product of a sale; None when it was sold without items."""


def first(*candidates: int | None) -> int:
    """Return the first that is known."""
    for candidate in candidates:
        if candidate is not None:
            return candidate
    return 0


def amount_of_items(row: Row) -> int | None:
    """Return the sum of the items' amounts; None where no item tells one."""
    if not row.items:
        return None
    told = [item[2] for item in row.items if item[2] is not None]
    return sum(told) if told else None


def cost_of_items(row: Row) -> int | None:
    """Return the sum of the items' costs; None where no item tells one."""
    if not row.items:
        return None
    told = [item[3] for item in row.items if item[3] is not None]
    return sum(told) if told else None


def splits(row: Row, *, units: bool) -> Products:
    """Return what falls to each product of a sale or return with items: count 1, amount, cost and units."""
    if not row.items:
        return None
    by_product: dict[str | None, list[int]] = {}
    for product, quantity, amount, cost in row.items:
        sums = by_product.setdefault(product, [0, 0, 0])
        sums[0] += amount or 0
        sums[1] += cost or 0
        sums[2] += quantity
    return tuple((product, 1, tuple(sums if units else sums[:2])) for product, sums in by_product.items())


def names(products: Products) -> list[str | None]:
    """Return the names of a sale's products, in an order that does not depend on the items'."""
    return sorted((product for product, _, _ in products or ()), key=str)


def each(products: Products, *quantities: int) -> Products:
    """Return a split that gives every product the count 1 and the same quantities."""
    return tuple((product, 1, quantities) for product, _, _ in products) if products is not None else None


def amended_products(row: Row, old: Products, amount: int, cost: int) -> Products:
    """Return the products of an amended sale: of new items; one product follows the sale; several stay as they were."""
    if row.items:
        return splits(row, units=True)
    if old is not None and len(old) == 1:
        product, count, (_, _, units) = old[0]
        return ((product, count, (amount, cost, units)),)
    return old
