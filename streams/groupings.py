"""What facts of one name and attributes add to: measures, grouping by grouping."""

from __future__ import annotations

from typing import Final, NamedTuple

FIXED: Final = -1
COMBINED: Final = -2


class Op(NamedTuple):
    """Add one of a fact's integers to a measure; ``slot`` 0 is the count, 1.. the fact's quantities."""

    measure: str
    slot: int


class SizedOp(NamedTuple):
    """Add one of a fact's integers to a measure's size class, which is that of the quantity in ``by``."""

    measure: str
    slot: int
    by: int


Conditions = tuple[tuple[int, frozenset[str]], ...]


class Grouped(NamedTuple):
    """What a fact adds under one grouping.

    Args:
        by: The event dimension it is grouped by; ``FIXED``: the key is known already; ``COMBINED``: see ``parts``.
        key: The dimension key, where it is fixed.
        parts: In alphabetical order of their names, indexes of event dimensions and ready ``name=value``.
        ops: Plain measures.
        sized: Histograms.
        only: Event dimensions, by index, and the values that they must have for the fact to count here.
    """

    by: int
    key: str
    parts: tuple[int | str, ...]
    ops: tuple[Op, ...]
    sized: tuple[SizedOp, ...]
    only: Conditions = ()
    is_plain: bool = False
    """Whether there is one key, that of one value or a fixed one, and nothing to ask."""


class Counting:
    """What facts of one name and attributes add to, grouping by grouping.

    Attributes:
        groups: All of it.
        plain: Of the groupings that have one key and nothing to ask: ``by``, ``key``, ``ops`` and ``sized``, ready to
            be unpacked at once, as that is done for every event.
        special: The other groupings.
        has_quantities: Whether more than counts is added up.
    """

    __slots__ = ("groups", "has_quantities", "plain", "special")

    def __init__(self, groups: tuple[Grouped, ...]) -> None:
        self.groups = groups
        self.plain = tuple((each.by, each.key, each.ops, each.sized) for each in groups if each.is_plain)
        self.special = tuple(each for each in groups if not each.is_plain)
        self.has_quantities = any(each.sized or any(op.slot for op in each.ops) for each in groups)
