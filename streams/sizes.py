"""Size classes: what percentiles and ABC classes count by, a class for every 1 % that a value is larger.

The numbers of classes are stored, in the names of measures: they may be added to, but a class keeps its number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

_LARGEST: Final = 1 << 63
"""What an account has bought to date may be many times the largest amount of one sale."""
_UNIT: Final = 1 << 128


def _bounds() -> Iterator[int]:
    """Yield where classes begin; computed in integers, as floats may differ between machines."""
    yield 0
    scaled = _UNIT
    while scaled <= _LARGEST * _UNIT:
        yield (scaled + _UNIT // 2) // _UNIT
        scaled = scaled * 101 // 100


_BOUNDS: Final = tuple(sorted(set(_bounds())))


def size_class(value: int) -> int:
    """Return the class of an integer >= 0: classes are 1 % wide; small values have one each."""
    return bisect_right(_BOUNDS, value) - 1


def class_value(index: int) -> int:
    """Return the value that stands for a class, within 0.5 % of everything in it; small values stand for themselves."""
    low = _BOUNDS[index]
    high = _BOUNDS[index + 1] - 1 if index + 1 < len(_BOUNDS) else low
    return (low + high) // 2
