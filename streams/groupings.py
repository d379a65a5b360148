"""What facts of one name and attributes add to: measures, grouping by grouping."""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.kpi import escape
from schemas.windows import EVENT_DIMENSIONS

FIXED: Final = -1
COMBINED: Final = -2
PRODUCT: Final = EVENT_DIMENSIONS.index("product")
_MOST_KEYS: Final = 100_000


class Keys(dict[str, str]):
    """Value of an event dimension -> dimension key, made when it is first asked for.

    Args:
        name: Of the dimension.
        before: Parts of the key before it, ready.
        after: Parts behind it.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, name: str, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._before = ",".join([*before, f"{name}="])
        self._after = ",".join(["", *after])

    def __missing__(self, value: str) -> str:
        if len(self) >= _MOST_KEYS:
            self.clear()
        key = self[value] = f"{self._before}{escape(value)}{self._after}"
        return key


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
        by: Index of the event dimension whose value decides on the key; ``FIXED``: none does; ``COMBINED``: several do.
        key: The dimension key, where it is fixed.
        keys: The dimension key by the value of the one dimension.
        parts: Of a combined key, in alphabetical order: ready ones, or an event dimension and its part by value.
        ops: Plain measures.
        sized: Histograms.
        only: Event dimensions, by index, and the values that they must have for the fact to count here.
        has_product: Whether the key depends on the product.
    """

    by: int
    key: str
    keys: Keys
    parts: tuple[str | tuple[int, Keys], ...]
    ops: tuple[Op, ...]
    sized: tuple[SizedOp, ...]
    only: Conditions
    has_product: bool

    @property
    def is_plain(self) -> bool:
        """Whether there is one key, that of one value or a fixed one, and nothing to ask."""
        return self.by != COMBINED and not self.only


class Counting:
    """What facts of one name and attributes add to, grouping by grouping.

    Attributes:
        groups: All of it.
        plain: Of the groupings that have one key and nothing to ask: ``by``, ``key``, ``keys``, ``ops`` and ``sized``,
            ready to be unpacked at once, as that is done for every event.
        special: The other groupings.
        has_quantities: Whether more than counts is added up.
    """

    __slots__ = ("groups", "has_quantities", "plain", "special")

    def __init__(self, groups: tuple[Grouped, ...]) -> None:
        self.groups = groups
        self.plain = tuple((each.by, each.key, each.keys, each.ops, each.sized) for each in groups if each.is_plain)
        self.special = tuple(each for each in groups if not each.is_plain)
        self.has_quantities = any(each.sized or any(op.slot for op in each.ops) for each in groups)
