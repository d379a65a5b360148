"""The tree of errors; every one carries a message that says what to do.

::

    SalesPulseError            anything we raise on purpose
    +-- UsageError             wrong use of the command line or an interface (exit code 2)
    |   +-- SettingsError      a wrong setting: file, key, what was found, what is allowed
    |   +-- CatalogueError     a wrong KPI, measure or mapping declaration
    +-- InvalidEvent           an event that goes to the dead-letter topic: reason, field, found, allowed
    +-- UnavailableError       a server that does not answer: which, where, what to try
    +-- IntakeStopped          intake refuses to go on: too many dead letters, a recreated topic, a gap
    +-- StateError             stored state that cannot be used: the way out is in the message
"""

from __future__ import annotations


class SalesPulseError(Exception):
    """Anything SalesPulse raises on purpose; its text is for people."""


class UsageError(SalesPulseError):
    """Wrong use of a command or an interface."""


class SettingsError(UsageError):
    """A wrong setting; the text names file, key, what was found and what is allowed."""


class CatalogueError(UsageError):
    """A declaration of a KPI, a measure or a mapping that makes no sense."""


class InvalidEvent(SalesPulseError):  # noqa: N818  it is the event that is at fault; the name is in the interface
    """An event that cannot be counted.

    Args:
        reason: One word of ``DEAD_LETTER_REASONS``, stable, used as a metric label.
        field: The JSON field at fault, dotted; empty when the whole message is.
        found: What stood there, shortened.
        allowed: What is allowed there.
    """

    def __init__(self, reason: str, field: str = "", found: str = "", allowed: str = "") -> None:
        self.reason = reason
        self.field = field
        self.found = found
        self.allowed = allowed
        place = f"{field}: " if field else ""
        expected = f"; allowed: {allowed}" if allowed else ""
        super().__init__(f"{reason}: {place}found {found or 'nothing'}{expected}")


class UnavailableError(SalesPulseError):
    """A server that does not answer; the text says which, where, and what to try."""


class IntakeStopped(SalesPulseError):  # noqa: N818  a state of intake, and not an error of it
    """Intake refuses to go on, because going on would lose or divert events."""


class StateError(SalesPulseError):
    """Stored state that cannot be used as it is; the text names the way out."""


DEAD_LETTER_REASONS = (
    "broken_json",
    "empty",
    "tombstone",
    "not_an_object",
    "wrong_type",
    "missing_field",
    "not_a_number",
    "negative",
    "out_of_range",
    "too_large",
    "unknown_type",
    "unknown_currency",
    "bad_date",
    "future",
    "empty_id",
    "invalid_utf8",
    "wrong_value",
    "wrong_topic",
)
