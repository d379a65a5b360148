"""The accumulator: what facts add to cells, gathered at 10 s until it is fanned out to all resolutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.kpi import escape
from schemas.rows import Row
from schemas.windows import EVENT_DIMENSIONS, ROLLING_MS, SLICE_MS, TO_DATE, WINDOW_RESOLUTION
from schemas.wire import Win
from streams.counting import CountingPlan
from streams.dimensions import Dims
from streams.fold.gathering import Deltas, Gathering, Slice, Sums, flat
from streams.fold.rules import FoldRules
from streams.groupings import COMBINED, FIXED, Conditions, Counting, Grouped, SizedOp
from streams.time import Calendar, size_class

_TEN_SECONDS: Final = SLICE_MS["10s"]
_PRODUCT: Final = EVENT_DIMENSIONS.index("product")

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
        self._names = plan.dimensions.names
        self._gathered = Gathering(len(self._names))
        self._keys: tuple[dict[str, str], ...] = tuple({} for _ in self._names)
        self._buyer_windows = {name: _window_measures(plan, name) for name in ("buyer", "repeat_buyer")}

    def drain(self) -> Deltas:
        """Return what has been gathered since the last time, and begin anew."""
        return flat(self.set_aside())

    def drain_global(self) -> Deltas:
        """Return what has been gathered of the global series since the last time; the rest stays."""
        return self._gathered.take_out("")

    def set_aside(self) -> Gathering:
        """Begin anew; :meth:`merge_into` adds what comes now to what this returns."""
        gathered, self._gathered = self._gathered, Gathering(len(self._names))
        return gathered

    def merge_into(self, others: Gathering) -> Deltas:
        """Add what has been gathered since the last time to earlier deltas, which go on from there; returns it."""
        mine, self._gathered = flat(self._gathered), others
        others.add(mine)
        return mine

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
        integers = (count * sign, *[quantity * sign for quantity in quantities]) if quantities else (count * sign,)
        at = self._gathered[at_ms - at_ms % _TEN_SECONDS]
        if products is not None:
            for grouped in counting.groups:
                self._add_special(grouped, dims, products, at, integers)
            return
        by_value = at.by_value
        for index, key, ops, sized in counting.plain:
            if index < 0:
                cell = at.cells[key]
            else:
                value = dims[index]
                if value is None:
                    continue
                cell = by_value[index].get(value) or self._cell(at, index, value)
            for measure, slot in ops:
                cell[measure] += integers[slot]
            if sized:
                _add_sized(cell, sized, integers)
        for grouped in counting.special:
            self._add_special(grouped, dims, None, at, integers)

    def _cell(self, at: Slice, index: int, value: str) -> Sums:
        """Return what is added to the cell of one value of a dimension, and find it by that value from now on."""
        cell = at.by_value[index][value] = at.cells[self.key(index, value)]
        return cell

    def _add_special(
        self, grouped: Grouped, dims: Dims, products: Sequence[Split] | None, at: Slice, integers: Sequence[int]
    ) -> None:
        """Add a fact under any grouping: of several dimensions, with conditions, product by product."""
        if grouped.only and not _holds(grouped.only, dims):
            return
        splits: Iterable[tuple[str | None, Sequence[int]]] = ((dims[_PRODUCT], integers),)
        if products is not None and (grouped.by == _PRODUCT or _PRODUCT in grouped.parts):
            sign = self.sign
            splits = [(product, (n * sign, *[q * sign for q in parts])) for product, n, parts in products]
        for product, mine in splits:
            for key in (grouped.key,) if grouped.by == FIXED else self._keys_of(grouped, dims, product):
                cell = at.cells[key]
                for measure, slot in grouped.ops:
                    cell[measure] += mine[slot]
                if grouped.sized:
                    _add_sized(cell, grouped.sized, mine)

    def key(self, index: int, value: str) -> str:
        """Return the dimension key of one value of an event dimension."""
        keys = self._keys[index]
        found = keys.get(value)
        if found is None:
            if len(keys) > 100_000:
                keys.clear()
            found = keys[value] = f"{self._names[index]}={escape(value)}"
        return found

    def keys(self, counting: Counting, dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys that a fact is counted under, each once."""
        for grouped in counting.groups:
            if grouped.by == FIXED:
                yield grouped.key
            elif products is not None and (grouped.by == _PRODUCT or _PRODUCT in grouped.parts):
                for product in dict.fromkeys(split[0] for split in products):
                    yield from self._keys_of(grouped, dims, product)
            else:
                yield from self._keys_of(grouped, dims, dims[_PRODUCT])

    def _keys_of(self, grouped: Grouped, dims: Dims, product: str | None) -> Iterable[str]:
        """Return the key under one product; none where a dimension has no value."""
        named: list[str] = []
        for part in grouped.parts if grouped.by == COMBINED else (grouped.by,):
            if isinstance(part, str):
                named.append(part)
                continue
            value = product if part == _PRODUCT else dims[part]
            if value is None:
                return ()
            named.append(self.key(part, value))
        return (",".join(named),)

    def buyer_keys(self, dims: Dims, products: Sequence[Split] | None) -> Iterable[str]:
        """Return the dimension keys under which a purchase makes its account a buyer."""
        return self.keys(self.plan.counting("buyer"), dims, products)

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
        if not self.sign:
            return
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
        self._gathered[at_ms - at_ms % _TEN_SECONDS].cells[key][measure] += delta


def _add_sized(cell: Sums, sized: Iterable[SizedOp], integers: Sequence[int]) -> None:
    for measure, slot, by in sized:
        cell[f"{measure}#{size_class(abs(integers[by]))}"] += integers[slot]


def _holds(only: Conditions, dims: Dims) -> bool:
    return all(dims[index] in allowed for index, allowed in only)


def _integer(row: Row, field: str) -> int:
    value = row.fields.get(field) if row.fields is not None else None
    return value if isinstance(value, int) else 0


def _window_measures(plan: CountingPlan, fact: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (window, f"{measure.name}@{window}")
        for measure in plan.measures.values()
        if measure.fact == fact and plan.groupings[measure.name]
        for window in (*ROLLING_MS, *TO_DATE, "all")
    )
