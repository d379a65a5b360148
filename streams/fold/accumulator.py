"""The accumulator: what facts add to cells, gathered at 10 s until it is fanned out to all resolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.kpi import escape
from schemas.windows import EVENT_DIMENSIONS, ROLLING_MS, SLICE_MS, TO_DATE, WINDOW_RESOLUTION
from streams.plan import Counting, Op, Plan
from streams.time import Calendar, size_class

_TEN_SECONDS: Final = SLICE_MS["10s"]
_PRODUCT: Final = EVENT_DIMENSIONS.index("product")

Dims = Sequence[str | None]
"""Values of the six event dimensions, in their order; None where there is none."""

Split = tuple[str | None, int, Sequence[int]]
"""A product, and the count and quantities that fall to it."""

Deltas = dict[tuple[str, int], dict[str, int]]
"""``(dimension key, start of the 10 s slice) -> {measure: what is added}``."""


class Accumulator:
    """Gathers contributions.

    Args:
        plan: Which measures a fact adds to.
        calendar: Days and periods of the business zone.
    """

    def __init__(self, plan: Plan, calendar: Calendar) -> None:
        self.plan = plan
        self.calendar = calendar
        self.sign = 1
        self._deltas: Deltas = {}
        self._keys: tuple[dict[str, str], ...] = tuple({} for _ in EVENT_DIMENSIONS)
        self._attribute_keys: dict[tuple[str, str], str] = {}
        self._buyer_windows = {name: _window_measures(plan, name) for name in ("buyer", "repeat_buyer")}
        self._buyer_dimensions = {name: plan.dimensions_of(name) for name in ("buyer", "repeat_buyer")}

    def drain(self) -> Deltas:
        """Return what has been gathered since the last time, and begin anew."""
        deltas, self._deltas = self._deltas, {}
        return deltas

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
            count: What the counts grow by: 1, or 0 for a restatement of quantities alone.
            products: What falls to each product; None: all to ``dims``' product.
        """
        sign = self.sign
        if not sign:
            return
        integers = (count * sign, *(quantity * sign for quantity in quantities))
        start = at_ms - at_ms % _TEN_SECONDS
        for index, ops in counting.groupings:
            if index < 0:
                self._add("", start, ops, integers)
            elif index == _PRODUCT and products is not None:
                self._add_products(products, start, ops, sign)
            else:
                value = dims[index]
                if value is not None:
                    self._add(self._keys[index].get(value) or self.key(index, value), start, ops, integers)
        for name, value, ops in counting.attributes:
            self._add(self._attribute_key(name, value), start, ops, integers)
        for measure, slot, indexes in counting.histograms:
            stored = f"{measure}#{size_class(quantities[slot - 1])}"
            for key in self.keys(indexes, dims, products):
                self.add(key, start, stored, integers[0])

    def _add_products(self, products: Iterable[Split], start_ms: int, ops: Iterable[Op], sign: int) -> None:
        for product, count, quantities in products:
            if product is not None:
                integers = (count * sign, *(quantity * sign for quantity in quantities))
                self._add(self.key(_PRODUCT, product), start_ms, ops, integers)

    def key(self, index: int, value: str) -> str:
        """Return the dimension key of one value of an event dimension."""
        keys = self._keys[index]
        found = keys.get(value)
        if found is None:
            if len(keys) > 100_000:
                keys.clear()
            found = keys[value] = f"{EVENT_DIMENSIONS[index]}={escape(value)}"
        return found

    def keys(self, indexes: Iterable[int], dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys of a fact, each once; -1 in ``indexes`` is the global one."""
        for index in indexes:
            if index < 0:
                yield ""
            elif index == _PRODUCT and products is not None:
                for product in dict.fromkeys(split[0] for split in products):
                    if product is not None:
                        yield self.key(_PRODUCT, product)
            else:
                value = dims[index]
                if value is not None:
                    yield self.key(index, value)

    def buyer_keys(self, dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys under which a purchase makes its account a buyer."""
        return self.keys(self._buyer_dimensions["buyer"], dims, products)

    def buyer(self, key: str, at_ms: int, last_ms: int | None, before_ms: int | None) -> None:
        """Add a purchase to the buyers of every window.

        A buyer of a rolling window is a level: in at the purchase's slice, out a window's length later; buying again
        moves the exit. Of a to-date window it is a flow: the first (second) purchase of the period.

        Args:
            key: Dimension key it was bought under.
            at_ms: Event time of the purchase.
            last_ms: Event time of the account's purchase before it under the same key.
            before_ms: And of the one before that.
        """
        for window, measure in self._buyer_windows["buyer"]:
            if window in ROLLING_MS:
                slice_ms, length = SLICE_MS[WINDOW_RESOLUTION[window]], ROLLING_MS[window]
                start = at_ms - at_ms % slice_ms
                out = last_ms - last_ms % slice_ms + length if last_ms is not None else None
                self._stay(key, measure, start, start + length, out)
            elif self._is_first(window, at_ms, last_ms):
                self.add(key, at_ms, measure, self.sign)
        if last_ms is not None:
            self._repeat_buyer(key, at_ms, last_ms, before_ms)

    def _repeat_buyer(self, key: str, at_ms: int, last_ms: int, before_ms: int | None) -> None:
        for window, measure in self._buyer_windows["repeat_buyer"]:
            if window in ROLLING_MS:
                slice_ms, length = SLICE_MS[WINDOW_RESOLUTION[window]], ROLLING_MS[window]
                start, last = at_ms - at_ms % slice_ms, last_ms - last_ms % slice_ms
                if last + length > start:
                    before = before_ms - before_ms % slice_ms if before_ms is not None else None
                    out = before + length if before is not None and before + length > last else None
                    self._stay(key, measure, start, last + length, out)
            elif not self._is_first(window, at_ms, last_ms) and self._is_first(window, at_ms, before_ms):
                self.add(key, at_ms, measure, self.sign)

    def _is_first(self, window: str, at_ms: int, earlier_ms: int | None) -> bool:
        if earlier_ms is None:
            return True
        if window == "all":
            return False
        return self.calendar.period_start(window, earlier_ms) != self.calendar.period_start(window, at_ms)

    def _stay(self, key: str, measure: str, start_ms: int, end_ms: int, running_end_ms: int | None) -> None:
        """Add a stay in a level; a stay that is still running at its start is made longer instead."""
        if running_end_ms is not None and running_end_ms >= start_ms:
            self.add(key, running_end_ms, measure, self.sign)
        else:
            self.add(key, start_ms, measure, self.sign)
        self.add(key, end_ms, measure, -self.sign)

    def add(self, key: str, at_ms: int, measure: str, delta: int) -> None:
        """Add to one measure of the 10 s slice that holds an instant."""
        if not delta:
            return
        place = (key, at_ms - at_ms % _TEN_SECONDS)
        cell = self._deltas.get(place)
        if cell is None:
            cell = self._deltas[place] = {}
        cell[measure] = cell.get(measure, 0) + delta

    def _add(self, key: str, start_ms: int, ops: Iterable[Op], integers: Sequence[int]) -> None:
        place = (key, start_ms)
        cell = self._deltas.get(place)
        if cell is None:
            cell = self._deltas[place] = {}
        for measure, slot in ops:
            cell[measure] = cell.get(measure, 0) + integers[slot]

    def _attribute_key(self, name: str, value: str) -> str:
        found = self._attribute_keys.get((name, value))
        if found is None:
            found = self._attribute_keys[(name, value)] = f"{name}={escape(value)}"
        return found


def _window_measures(plan: Plan, fact: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (window, f"{measure.name}@{window}")
        for measure in plan.measures.values()
        if measure.fact == fact and plan.groupings[measure.name]
        for window in (*ROLLING_MS, *TO_DATE, "all")
    )
