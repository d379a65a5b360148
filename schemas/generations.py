"""Generations of state: what is counted, and by which settings. A rebuild makes the next one from the log.

What a running system counts does not change with its catalogue: a KPI that needs more waits for a rebuild, so that
nothing is half-counted.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.declare import Dimension
from schemas.measures import Measure
from schemas.sections import Settings

COUNTING: Final = (
    "time.zone",
    "time.week_start",
    "kpi.churn_horizon",
    "kpi.stages",
    "kpi.stage_limit",
    "kpi.stage_limits",
)
"""Settings by which the fold counts: another value counts anew."""

TAKING_IN: Final = ("money.currency", "kpi.satisfaction_scale")
"""Settings by which intake writes the log: another value needs another log."""

VERSIONS: Final = 1 << 44
"""What a generation adds to the versions of all that it publishes, so that they never fall; JSON keeps 2^53 exactly."""


class Counted(msgspec.Struct, frozen=True):
    """What a generation counts.

    Args:
        measures: In the order in which cells get them.
        groupings: Measure -> the groupings it is kept under.
        dimensions: Of the user's own.
        settings: Dotted name -> value as JSON has it, of the settings in :data:`COUNTING` and :data:`TAKING_IN`.
    """

    measures: tuple[Measure, ...]
    groupings: dict[str, tuple[str, ...]]
    dimensions: tuple[Dimension, ...]
    settings: dict[str, Any]


class Generation(msgspec.Struct, frozen=True):
    """One generation of state, as it stands on the topic of generations.

    Args:
        number: From 0; the highest is in force.
        counted: What it counts.
        made_at: When it came into force, RFC 3339 in UTC.
    """

    number: int
    counted: Counted
    made_at: str


def settings_that_count(settings: Settings) -> dict[str, Any]:
    """Return the settings by which state is made, by dotted name."""
    values = {name: _value(settings, name) for name in (*COUNTING, *TAKING_IN)}
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values, enc_hook=int))
    return found


def changed_settings(settings: Settings, counted: Counted) -> list[str]:
    """Return the names of settings that are others than those by which was counted."""
    present = settings_that_count(settings)
    return [name for name, value in counted.settings.items() if name in present and present[name] != value]


def in_force(settings: Settings, counted: Counted) -> Settings:
    """Return the settings with those by which was counted in the place of their own."""
    sections: dict[str, dict[str, Any]] = {}
    for name in changed_settings(settings, counted):
        section, key = name.split(".")
        kind = type(_value(settings, name))
        value = counted.settings[name]
        sections.setdefault(section, {})[key] = tuple(value) if kind is tuple else kind(value)
    replaced = {
        section: msgspec.structs.replace(getattr(settings, section), **values) for section, values in sections.items()
    }
    return msgspec.structs.replace(settings, **replaced)


def _value(settings: Settings, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(settings, section), key)
