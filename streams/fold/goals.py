"""Goals as measures: a goal's definition is the name of a measure that is counted once, while it holds.

So goals travel, are stored, recovered and replayed like everything else: as additive integers in cells.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.rows import Row

PREFIX: Final = "goal#"
"""What the name of such a measure begins with; the definition follows."""


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last target.set of an id.

    Args:
        kpi: Whose value is the actual one.
        dimensions: Of the series it is about; at most one.
        kind: ``number``, ``currency`` (minor units), ``boolean`` or ``tasks``.
        value: The target.
        period: ``day`` to ``year``; ``start`` says which.
        start: A local day as text, or an instant in UTC milliseconds; where the event has none, the event's time.
        parent: The goal it is part of.
        done: Whether (boolean), or how many of them (tasks), are done.
        withdrawn: It holds no longer.
    """

    kind: str
    period: str | None = None
    start: str | int | None = None
    kpi: str | None = None
    dimensions: dict[str, str] = {}
    value: int | float = 0
    parent: str | None = None
    done: int = 0
    withdrawn: bool = False


_decoder: Final = msgspec.json.Decoder(Goal)


def definition(row: Row) -> str:
    """Return the measure that a target.set is counted as; empty for a withdrawal."""
    goal = _decoder.decode(row.extra or "{}")
    if goal.withdrawn:
        return ""
    if not goal.start:
        goal = msgspec.structs.replace(goal, start=row.at_ms)
    return PREFIX + msgspec.json.encode(goal, order="sorted").decode()


def goal_of(measure: str) -> Goal:
    """Undo :func:`definition`."""
    return _decoder.decode(measure.removeprefix(PREFIX))
