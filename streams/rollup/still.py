"""Sums of a cell that stands still, as nearly all do: names and values in turn, in half the memory of a dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from sys import intern
from typing import Any

Sums = dict[str, int]

Still = tuple[Any, ...]
"""``(name, value, name, value, ...)``; zeros are left out."""


def still(sums: Sums) -> Still:
    """Return sums that are not expected to change again; of names, of which there are few, one object is kept each."""
    return tuple(chain.from_iterable((intern(name), value) for name, value in sums.items() if value))


def items(cell: Sums | Still) -> Iterable[tuple[str, int]]:
    """Go through the names and values of a cell of either kind."""
    return cell.items() if isinstance(cell, dict) else zip(cell[::2], cell[1::2], strict=True)
