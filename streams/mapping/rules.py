"""What a CSV mapping can say: the tables of its TOML file.

One row may become several events, each under a condition of its own; fields come from columns, from the first of
several that is not empty, from another CSV file by a key, from a template, or are constants. ``schemas/mappings``
holds the mappings that come with the product; README has the reference.
"""

from __future__ import annotations

from datetime import time, tzinfo

import msgspec

from streams.mapping.values import Case, ValueType, read_time_of_day, read_zone

ANYTHING = "*"
"""In a condition: the column must not be empty."""

Condition = dict[str, str | tuple[str, ...]]
"""Column -> the text it must hold, one of several, ``*`` for anything, or empty for nothing."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a mapping file; unknown keys are refused."""


class FileRule(_Table, frozen=True, kw_only=True):
    """How the CSV files are written."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'


class DateRule(_Table, frozen=True, kw_only=True):
    """How dates are written: formats tried in order, zone and time of day of those that state none."""

    formats: tuple[str, ...] = ("iso",)
    zone: str = "UTC"
    time: str = "12:00"


class AmountRule(_Table, frozen=True, kw_only=True):
    """How money is written; ``scale`` is the number of minor units in one unit of the file."""

    scale: int = 100
    decimal: str = "."
    thousands: str = ""


class LookupRule(_Table, frozen=True, kw_only=True):
    """Another CSV file, beside the data file, joined by ``column`` of the data = ``key`` of the other."""

    file: str
    column: str
    key: str
    missing: str = "error"


class FieldRule(_Table, frozen=True, kw_only=True):
    """Where one field of an event is from; exactly one of column, columns, value and template.

    With ``lookup`` the column is one of that lookup's file. An empty cell leaves the field out, unless ``default`` or
    ``required`` is given.
    """

    column: str | None = None
    columns: tuple[str, ...] = ()
    lookup: str | None = None
    value: str | int | float | bool | None = None
    template: str | None = None
    type: ValueType = "text"
    scale: int | None = None
    formats: tuple[str, ...] = ()
    zone: str | None = None
    time: str | None = None
    replace: dict[str, str] = {}
    case: Case = "keep"
    default: str | int | float | bool | None = None
    required: bool = False


class EventRule(_Table, frozen=True, kw_only=True):
    """One event that a row may become."""

    event_type: str
    occurred_at: str | FieldRule
    when: Condition = {}
    event_id: str = ""
    fields: dict[str, str | FieldRule] = {}


class SkipRule(_Table, frozen=True, kw_only=True):
    """A name for rows that are meant to make no event."""

    when: Condition
    reason: str


class CsvMapping(_Table, frozen=True, kw_only=True):
    """A whole mapping file, checked."""

    title: str = ""
    file: FileRule = FileRule()
    dates: DateRule = DateRule()
    amounts: AmountRule = AmountRule()
    lookups: dict[str, LookupRule] = {}
    fields: dict[str, str | FieldRule] = {}
    events: tuple[EventRule, ...]
    skips: tuple[SkipRule, ...] = ()
    name: str = ""

    def rules_of(self, event: EventRule) -> dict[str, FieldRule]:
        """Field -> rule of one event: those of every event, and over them its own."""
        return {name: as_rule(rule) for name, rule in {**self.fields, **event.fields}.items()}

    def moment_rule(self, event: EventRule) -> FieldRule:
        """Rule of ``occurred_at``: always a date, and always required."""
        return msgspec.structs.replace(as_rule(event.occurred_at), type="date", required=True)

    def zone_of(self, rule: FieldRule) -> tzinfo:
        """The zone of a date field."""
        return read_zone(rule.zone or self.dates.zone)

    def time_of(self, rule: FieldRule) -> time:
        """The time of day of a date field that states none."""
        return read_time_of_day(rule.time or self.dates.time)


def as_rule(rule: str | FieldRule) -> FieldRule:
    """A text alone is the name of a column."""
    return FieldRule(column=rule) if isinstance(rule, str) else rule
