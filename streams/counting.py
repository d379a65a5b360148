"""What the fold counts: which measures a fact adds to, under which groupings."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from schemas.declare import Dimension
from schemas.facts import ATTRIBUTE_COLUMNS, FACTS, QUANTITY_COLUMNS
from schemas.kpi import escape
from schemas.measures import COUNT, Measure
from schemas.rows import COLUMNS, EVENT_TYPES, Row
from streams.dimensions import Dimensions
from streams.groupings import COMBINED, FIXED, PRODUCT, Conditions, Counting, Grouped, Keys, Op, SizedOp

GLOBAL: Final = ""
_MOST_COUNTINGS: Final = 50_000
_NO_KEYS: Final = Keys("")


class PlainFact:
    """How an event is counted as it came in: attributes and quantities by which columns of its row.

    Args:
        plan: What is counted.
        name: The event type.
        attributes: Reads the attributes that anything asks for; None: nothing asks.
        quantities: Columns of the fact's integers.
        fields: Quantities of the user's own, which come after the others.
    """

    __slots__ = ("_attributes", "_found", "_plan", "fields", "name", "only", "quantities")

    def __init__(
        self,
        plan: CountingPlan,
        name: str,
        attributes: Callable[[Row], tuple[Any, ...]] | None,
        quantities: tuple[str, ...],
        fields: tuple[str, ...],
    ) -> None:
        self.name = name
        self.quantities = quantities
        self.fields = fields
        self._plan = plan
        self._attributes = attributes
        self._found: dict[tuple[Any, ...], Counting] = {}
        self.only = plan.counting(name) if attributes is None else None
        """What all events of the type add to, where nothing asks for their attributes."""

    def counting(self, row: Row) -> Counting:
        """Return what an event adds to."""
        if self._attributes is None:
            return self._plan.counting(self.name)
        attributes = self._attributes(row)
        found = self._found.get(attributes)
        if found is None:
            if len(self._found) >= _MOST_COUNTINGS:
                self._found.clear()
            found = self._found[attributes] = self._plan.counting(self.name, *attributes)
        return found


class CountingPlan:
    """Measures and the groupings they are kept under.

    Args:
        measures: By name. Their order is the order in which a cell gets them, so equal state needs an equal order.
        groupings: Measure -> dimension names joined by commas; empty for what is counted globally.
        own: Dimensions of the user's own.
    """

    def __init__(
        self,
        measures: Mapping[str, Measure],
        groupings: Mapping[str, frozenset[str]],
        own: Iterable[Dimension] = (),
    ) -> None:
        self.measures = dict(measures)
        self.groupings = dict(groupings)
        self.own = tuple(own)
        self.dimensions = Dimensions(self.own)
        self._of_fact: dict[str, list[Measure]] = {}
        for measure in self.measures.values():
            if self.groupings[measure.name]:
                self._of_fact.setdefault(measure.fact, []).append(measure)
        self._counting: dict[tuple[str | None, ...], Counting] = {}
        self._keys: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Keys] = {}
        self.plain = tuple(self._plain(event_type) for event_type in EVENT_TYPES)

    def counting(self, fact: str, *attributes: str | None) -> Counting:
        """Return what a fact with these attributes (in the order of its declaration) adds to."""
        key = (fact, *attributes)
        found = self._counting.get(key)
        if found is None:
            if len(self._counting) >= _MOST_COUNTINGS:
                self._counting.clear()
                self._keys.clear()
            stated = [value or "" for value in attributes]
            attributes_of = dict(zip(FACTS[fact].attributes, stated, strict=False))
            found = self._counting[key] = Counting(tuple(self._make_counting(fact, attributes_of)))
        return found

    def _plain(self, event_type: str) -> PlainFact | None:
        """How events of a type count as they came; None where nothing counts them."""
        measures = self._of_fact.get(event_type)
        if not measures:
            return None
        columns = COLUMNS[event_type]
        # Attributes that nothing looks at are left out, or every text of an event would be a counting of its own.
        used = {name for m in measures for name in (*m.where, m.keyed_by, *names_in(self.groupings[m.name]))}
        used -= {*self.dimensions.names}
        texts = [column for column in ATTRIBUTE_COLUMNS if column in columns]
        while texts and columns[texts[-1]] not in used:
            texts.pop()
        getter = _getter(texts) if texts else None
        quantities = tuple(column for column in QUANTITY_COLUMNS if column in columns)
        return PlainFact(self, event_type, getter, quantities, self._own_fields(event_type))

    def _own_fields(self, fact: str) -> tuple[str, ...]:
        """Fields of the user's own that measures of a fact add up."""
        known = (COUNT, *FACTS[fact].quantities)
        return tuple(sorted({m.quantity for m in self._of_fact.get(fact, ()) if m.quantity not in known}))

    def _slot(self, measure: Measure, quantity: str) -> int:
        if quantity == COUNT:
            return 0
        return 1 + (*FACTS[measure.fact].quantities, *self._own_fields(measure.fact)).index(quantity)

    def _make_counting(self, fact: str, attributes: dict[str, str]) -> Iterable[Grouped]:
        measures = [
            measure
            for measure in self._of_fact.get(fact, ())
            if all(
                attributes.get(name) in allowed
                for name, allowed in measure.where.items()
                if name not in self.dimensions.names
            )
        ]
        for grouping in sorted({grouping for measure in measures for grouping in self.groupings[measure.name]}):
            parts = tuple(self._part(name, attributes) for name in names_in({grouping}))
            if "" in parts:  # an attribute that this fact does not state
                continue
            by_conditions: dict[Conditions, list[Measure]] = {}
            for measure in measures:
                if grouping in self.groupings[measure.name]:
                    by_conditions.setdefault(self._conditions(measure), []).append(measure)
            for only, here in by_conditions.items():
                ops = tuple(Op(_stored(m, attributes), self._slot(m, m.quantity)) for m in here if not m.is_sized)
                sized = tuple(
                    SizedOp(m.name, self._slot(m, m.quantity), self._slot(m, m.keyed_by)) for m in here if m.is_sized
                )
                yield Grouped(*self._key(parts), ops, sized, only, PRODUCT in parts)

    def _key(self, parts: tuple[int | str, ...]) -> tuple[int, str, Keys, tuple[str | tuple[int, Keys], ...]]:
        """How a dimension key is made of its parts: the first fields of :class:`Grouped`."""
        names, ready = self.dimensions.names, [str(part) for part in parts]
        indexes = [part for part in parts if isinstance(part, int)]
        if not indexes:
            return FIXED, ",".join(ready), _NO_KEYS, ()
        if len(indexes) == 1:
            place = parts.index(indexes[0])
            keys = self._keys_by(names[indexes[0]], tuple(ready[:place]), tuple(ready[place + 1 :]))
            return indexes[0], "", keys, ()
        of_parts = tuple(part if isinstance(part, str) else (part, self._keys_by(names[part])) for part in parts)
        return COMBINED, "", _NO_KEYS, of_parts

    def _keys_by(self, name: str, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Keys:
        return self._keys.setdefault((name, before, after), Keys(name, before, after))

    def _conditions(self, measure: Measure) -> Conditions:
        """Return which values of event dimensions a measure is only counted for."""
        names = self.dimensions.names
        return tuple((names.index(name), frozenset(where)) for name, where in measure.where.items() if name in names)

    def _part(self, name: str, attributes: dict[str, str]) -> int | str:
        """The index of an event dimension, or ``name=value`` of an attribute; empty where a fact has no such value."""
        if name in self.dimensions.names:
            return self.dimensions.names.index(name)
        value = attributes.get(name)
        return f"{name}={escape(value)}" if value else ""


def names_in(groupings: Iterable[str]) -> list[str]:
    """Return the dimension names in groupings, in alphabetical order."""
    return sorted({name for grouping in groupings if grouping for name in grouping.split(",")})


def _stored(measure: Measure, attributes: dict[str, str]) -> str:
    return f"{measure.name}#{attributes.get(measure.keyed_by, '')}" if measure.keyed_by else measure.name


def _getter(columns: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    get: Callable[[Row], Any] = operator.attrgetter(*columns)
    return get if len(columns) > 1 else lambda row: (get(row),)
