"""Lengths of time as they stand in the settings: ``500ms``, ``10s``, ``1.5h``, ``90d``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TEXT: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Duration(int):
    """A length of time in milliseconds, written like ``10s`` or ``90d`` in the settings."""


class Least(NamedTuple):
    """The shortest that a setting may be: stands beside :class:`Duration` in ``Annotated``."""

    ms: int


def parse_duration(text: str) -> Duration:
    """Read ``10s``, ``1.5h``, ``90d``.

    Raises:
        ValueError: It is not a number with one of the units ms, s, m, h, d.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a duration like 500ms, 10s, 5m, 1h or 90d")
    return Duration(int(float(match[1]) * _UNIT_MS[match[2]]))


def duration_text(ms: int) -> str:
    """Write a length of time in the largest unit that it is a whole number of."""
    name, length = next((name, length) for name, length in reversed(_UNIT_MS.items()) if ms % length == 0)
    return f"{ms // length}{name}" if ms else "0s"
