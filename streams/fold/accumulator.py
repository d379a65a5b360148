"""The accumulator: what facts add to cells, gathered at 10 s until it is fanned out to all resolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.rows import Row
from schemas.windows import EVENT_DIMENSIONS, SLICE_MS
from schemas.wire import Win
from streams.counting import CountingPlan
from streams.dimensions import Dims
from streams.fold.buyers import Buyers, Moves
from streams.fold.gathering import Apart, Cells, Levels, Sums, gatherings
from streams.fold.rules import FoldRules
from streams.groupings import COMBINED, FIXED, PRODUCT, Conditions, Counting, Grouped, SizedOp
from streams.sizes import size_class
from streams.time import Calendar

_TEN_SECONDS: Final = SLICE_MS["10s"]

_Times = tuple[int, int | None, int | None]
"""Event times of a purchase, of the one before it under the same key, and of the one before that."""

Split = tuple[str | None, int, Sequence[int]]
"""A product, and the count and quantities that fall to it."""


class Accumulator:
    """Gathers contributions.

    Args:
        plan: Which measures a fact adds to.
        calendar: Days and periods of the business zone.
        rules: Horizons, limits and stages.
    """

    def __init__(self, plan: CountingPlan, calendar: Calendar, rules: FoldRules) -> None:
        self.plan = plan
        self.calendar = calendar
        self.rules = rules
        self.sign = 1
        self.wins: list[Win] = []
        self.unknown: Dims = plan.dimensions.unknown
        self.stated = plan.dimensions.stated
        self._levels = gatherings()
        self._buyers = Buyers(plan, calendar)
        self._moved: tuple[_Times, Moves] = (0, None, None), self._buyers.moves(0, None, None)

    def drain(self) -> Levels:
        """Return what has been gathered since the last time, and begin anew."""
        gathered, self._levels = self._levels, gatherings()
        return gathered

    def drain_global(self) -> Levels:
        """Return what has been gathered of the global series since the last time; the rest stays."""
        return [level.take_out("") for level in self._levels]

    def keep_apart(self, before_ms: int) -> Sequence[Apart]:
        """Keep what is added to slices before a moment apart, until :meth:`put_together` is given what this returns."""
        apart = [Apart(level, before_ms) for level in self._levels]
        self._levels = apart
        return apart

    def put_together(self, apart: Iterable[Apart]) -> Levels:
        """Add what was kept apart to all the rest; returns it."""
        self._levels = [level.put_together() for level in apart]
        return [level.kept for level in apart]

    def announce(self, row: Row, dims: Dims, amount: int) -> None:
        """Say that a deal was won, for those who celebrate; more than once where a history is worked out anew."""
        if self.sign > 0:
            told = tuple(dims[: len(EVENT_DIMENSIONS)])
            self.wins.append(Win(row.event_id, row.at_ms, row.account, row.ref or "", told, amount))

    def event(self, row: Row, dims: Dims) -> None:
        """Add an event as it came in."""
        plain = self.plan.plain[row.kind]
        if plain is None:
            return
        counting = plain.only or plain.counting(row)
        if not counting.has_quantities:
            self.fact(counting, row.at_ms, dims)
            return
        quantities = [getattr(row, column) or 0 for column in plain.quantities]
        if plain.fields:
            quantities += [_integer(row, field) for field in plain.fields]
        self.fact(counting, row.at_ms, dims, quantities)

    def fact(
        self,
        counting: Counting,
        at_ms: int,
        dims: Dims,
        quantities: Sequence[int] = (),
        count: int = 1,
        products: Sequence[Split] | None = None,
    ) -> None:
        """Add a fact.

        Args:
            counting: What facts of its name and attributes add to.
            at_ms: Its event time.
            dims: Its dimension values.
            quantities: Its integers, in the order of the fact's declaration.
            count: What the counts grow by: 1, -1 to take it back, or 0 for a restatement of quantities alone.
            products: What falls to each product; None: all to ``dims``' product.
        """
        sign = self.sign
        if not sign or not counting.groups:
            return
        integers = (count, *quantities) if sign > 0 else (-count, *[-quantity for quantity in quantities])
        at = self._levels[0][at_ms - at_ms % _TEN_SECONDS]
        if products is not None:
            for grouped in counting.groups:
                self._add_special(grouped, dims, products, at, integers)
            return
        for index, key, keys, ops, sized in counting.plain:
            if index >= 0:
                value = dims[index]
                if value is None:
                    continue
                key = keys[value]  # noqa: PLW2901  a name less for what is done for every event
            cell = at[key]
            for measure, slot in ops:
                cell[measure] = cell.get(measure, 0) + integers[slot]
            if sized:
                _add_sized(cell, sized, integers)
        for grouped in counting.special:
            self._add_special(grouped, dims, None, at, integers)

    def _add_special(
        self, grouped: Grouped, dims: Dims, products: Sequence[Split] | None, at: Cells, integers: Sequence[int]
    ) -> None:
        """Add a fact under any grouping: of several dimensions, with conditions, product by product."""
        if grouped.only and not _holds(grouped.only, dims):
            return
        splits: Iterable[tuple[str | None, Sequence[int]]] = ((dims[PRODUCT], integers),)
        if products is not None and grouped.has_product:
            sign = self.sign
            splits = [(product, (n * sign, *[q * sign for q in parts])) for product, n, parts in products]
        for product, mine in splits:
            for key in _keys_of(grouped, dims, product):
                cell = at[key]
                for measure, slot in grouped.ops:
                    cell[measure] = cell.get(measure, 0) + mine[slot]
                if grouped.sized:
                    _add_sized(cell, grouped.sized, mine)

    def keys(self, counting: Counting, dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys that a fact is counted under, each once."""
        for grouped in counting.groups:
            if products is not None and grouped.has_product:
                for product in dict.fromkeys(split[0] for split in products):
                    yield from _keys_of(grouped, dims, product)
            else:
                yield from _keys_of(grouped, dims, dims[PRODUCT])

    def buyer_keys(self, dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys under which a purchase makes its account a buyer."""
        return self.keys(self.plan.counting("buyer"), dims, products)

    def buyer(self, key: str, at_ms: int, last_ms: int | None, before_ms: int | None) -> None:
        """Add a purchase to the buyers of every window; arguments are those of :meth:`Buyers.moves` and the key."""
        times = (at_ms, last_ms, before_ms)
        if self._moved[0] != times:  # under most keys of a purchase they are the same
            self._moved = times, self._buyers.moves(*times)
        sign = self.sign
        for (finest, start_ms), sums in self._moved[1].items() if sign else ():
            cell = self._levels[finest][start_ms][key]
            for measure, delta in sums.items():
                cell[measure] = cell.get(measure, 0) + delta * sign

    def add(self, key: str, at_ms: int, measure: str, delta: int) -> None:
        """Add to one measure of the 10 s slice that holds an instant."""
        if not delta:
            return
        cell = self._levels[0][at_ms - at_ms % _TEN_SECONDS][key]
        cell[measure] = cell.get(measure, 0) + delta


def _add_sized(cell: Sums, sized: Iterable[SizedOp], integers: Sequence[int]) -> None:
    for measure, slot, by in sized:
        name = f"{measure}#{size_class(abs(integers[by]))}"
        cell[name] = cell.get(name, 0) + integers[slot]


def _keys_of(grouped: Grouped, dims: Dims, product: str | None) -> Iterable[str]:
    """Return the key under one product; none where a dimension has no value."""
    if grouped.by == FIXED:
        return (grouped.key,)
    if grouped.by != COMBINED:
        value = product if grouped.by == PRODUCT else dims[grouped.by]
        return (grouped.keys[value],) if value is not None else ()
    named: list[str] = []
    for part in grouped.parts:
        if isinstance(part, str):
            named.append(part)
            continue
        index, keys = part
        value = product if index == PRODUCT else dims[index]
        if value is None:
            return ()
        named.append(keys[value])
    return (",".join(named),)


def _holds(only: Conditions, dims: Dims) -> bool:
    return all(dims[index] in allowed for index, allowed in only)


def _integer(row: Row, field: str) -> int:
    value = row.fields.get(field) if row.fields is not None else None
    return value if isinstance(value, int) else 0
