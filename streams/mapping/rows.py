"""Turning the rows of a CSV file into events by a mapping, in order of event time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.errors import CatalogueError
from schemas.events import EVENT_CLASSES
from schemas.rows import KIND, LIFE_CYCLE
from streams.mapping.check import columns_used
from streams.mapping.csv_file import DataFileError, Row, open_csv
from streams.mapping.rules import ANYTHING, Condition, CsvMapping, EventRule, FieldRule
from streams.mapping.values import clean_text, read_amount, read_boolean, read_integer, read_moment, read_number
from streams.time import fixed_width


class MappedEvent(NamedTuple):
    """An event as it is sent, with what it is ordered by: event time (UTC milliseconds), life cycle, event id."""

    at_ms: int
    rank: int
    event_id: str
    event: dict[str, Any]


class MappedFile(NamedTuple):
    """What a file became.

    Args:
        events: In order of event time.
        rows: Rows read, without the header.
        skipped: Why rows made no event -> how many.
    """

    events: list[MappedEvent]
    rows: int
    skipped: dict[str, int]


def map_csv(mapping: CsvMapping, path: Path) -> MappedFile:
    """Read a CSV file and the files it is joined with, and turn every row into its events.

    Raises:
        CatalogueError: The mapping names a column that the file does not have.
        DataFileError: A file is missing or not CSV, or a cell cannot be read: file, line, column, found, allowed.
    """
    return _Mapper(mapping, path).run()


class _Mapper:
    """One file being mapped: what was read of its lookups, and which rows were seen before."""

    def __init__(self, mapping: CsvMapping, path: Path) -> None:
        self._mapping = mapping
        self._path = path
        self._columns, self._rows = open_csv(mapping.file, path)
        self._check_columns()
        self._lookups = {name: self._read_lookup(name) for name in mapping.lookups}
        self._rules = [
            (event, {**mapping.rules_of(event), "occurred_at": mapping.moment_rule(event)}) for event in mapping.events
        ]
        self._seen: Counter[str] = Counter()

    def run(self) -> MappedFile:
        events: list[MappedEvent] = []
        skipped: Counter[str] = Counter()
        rows = 0
        for line, row in self._rows:
            rows += 1
            made = self._events_of(line, row)
            if not made:
                skipped[self._why_skipped(row)] += 1
            events += made
        events.sort(key=lambda event: event[:3])
        return MappedFile(events, rows, dict(skipped))

    def _check_columns(self) -> None:
        for column, place in columns_used(self._mapping):
            if column not in self._columns:
                raise CatalogueError(
                    f"mapping {self._mapping.name}: {place}: column {column!r} is not in {self._path}; "
                    f"its columns: {', '.join(self._columns)}"
                )

    def _read_lookup(self, name: str) -> dict[str, Row]:
        lookup = self._mapping.lookups[name]
        path = self._path.parent / lookup.file
        columns, rows = open_csv(self._mapping.file, path)
        used = {rule.column for _, rules in self._rule_sets() for rule in rules if rule.lookup == name}
        for column in (lookup.key, *(column for column in used if column is not None)):
            if column not in columns:
                raise CatalogueError(
                    f"mapping {self._mapping.name}: lookups.{name}: column {column!r} is not in {path}; "
                    f"its columns: {', '.join(columns)}"
                )
        return {row[lookup.key].strip(): row for _, row in rows}

    def _rule_sets(self) -> Iterator[tuple[EventRule, Sequence[FieldRule]]]:
        for event in self._mapping.events:
            yield event, (*self._mapping.rules_of(event).values(), self._mapping.moment_rule(event))

    def _events_of(self, line: int, row: Row) -> list[MappedEvent]:
        made = []
        fingerprint = ""
        for index, (event, rules) in enumerate(self._rules):
            if not holds(event.when, row):
                continue
            if not event.event_id and not fingerprint:
                fingerprint = self._fingerprint(row)
            event_id = event.event_id.format_map(row) if event.event_id else f"{fingerprint}:{index}"
            made.append(self._event(line, row, event, rules, event_id))
        return made

    def _event(
        self, line: int, row: Row, event: EventRule, rules: Mapping[str, FieldRule], event_id: str
    ) -> MappedEvent:
        at_ms = int(self._value(line, row, "occurred_at", rules["occurred_at"]))
        body: dict[str, Any] = {"event_id": event_id, "event_type": event.event_type, "occurred_at": fixed_width(at_ms)}
        for name, rule in rules.items():
            value = None if name == "occurred_at" else self._value(line, row, name, rule)
            if value is not None:
                body[name] = fixed_width(value) if rule.type == "date" else value
        try:
            msgspec.convert(body, EVENT_CLASSES[event.event_type])
        except msgspec.ValidationError as error:
            raise DataFileError(f"{self._path}, line {line}: {event.event_type} would be refused: {error}") from None
        return MappedEvent(at_ms, LIFE_CYCLE[KIND[event.event_type]], event_id, body)

    def _value(self, line: int, row: Row, name: str, rule: FieldRule) -> Any:
        """The value of one field; None leaves it out."""
        if rule.value is not None:
            return rule.value
        column, text = self._text(line, row, rule)
        text = clean_text(text, rule.replace, rule.case)
        if text:
            try:
                return self._read(text, rule)
            except ValueError as error:
                raise self._wrong(line, column, text, str(error)) from None
        if rule.default is None and rule.required:
            raise self._wrong(line, column, "", f"a value, since {name} needs one")
        return rule.default

    def _text(self, line: int, row: Row, rule: FieldRule) -> tuple[str, str]:
        """The text of a field and the column it is from."""
        if rule.lookup is not None and rule.column is not None:
            return rule.column, self._joined(line, row, rule.lookup, rule.column)
        if rule.template is not None:
            return rule.template, rule.template.format_map(row)
        columns = rule.columns or ((rule.column,) if rule.column is not None else ())
        filled = ((column, row[column]) for column in columns if row[column].strip())
        return next(filled, (columns[0], ""))

    def _joined(self, line: int, row: Row, name: str, column: str) -> str:
        lookup = self._mapping.lookups[name]
        key = row[lookup.column].strip()
        found = self._lookups[name].get(key)
        if found is not None:
            return found[column]
        if lookup.missing == "empty" or not key:
            return ""
        raise self._wrong(line, lookup.column, key, f"a value of column {lookup.key} in {lookup.file}")

    def _read(self, text: str, rule: FieldRule) -> object:
        mapping, amounts = self._mapping, self._mapping.amounts
        match rule.type:
            case "date":
                formats = rule.formats or mapping.dates.formats
                return read_moment(text, formats, mapping.zone_of(rule), mapping.time_of(rule))
            case "amount":
                scale = amounts.scale if rule.scale is None else rule.scale
                return read_amount(text, scale, amounts.decimal, amounts.thousands)
            case "integer":
                return read_integer(text)
            case "number":
                return read_number(text, amounts.decimal, amounts.thousands)
            case "boolean":
                return read_boolean(text)
            case "text":
                return text

    def _fingerprint(self, row: Row) -> str:
        """An id of a row that is the same in every run: a hash of its cells, and which of equal rows it is."""
        digest = hashlib.sha256("\x1f".join(row.values()).encode()).hexdigest()[:24]
        self._seen[digest] += 1
        return f"{self._mapping.name}:{digest}:{self._seen[digest]}"

    def _why_skipped(self, row: Row) -> str:
        for skip in self._mapping.skips:
            if holds(skip.when, row):
                return skip.reason
        return "no event's condition holds: " + "; ".join(
            f"{event.event_type} needs {_first_unmet(event.when, row)}" for event in self._mapping.events
        )

    def _wrong(self, line: int, column: str, found: str, allowed: str) -> DataFileError:
        shown = repr(found) if found else "nothing"
        return DataFileError(f"{self._path}, line {line}, column {column}: found {shown}; allowed: {allowed}")


def holds(condition: Condition, row: Row) -> bool:
    """Whether a row meets every part of a condition; texts are compared without white space around them."""
    return all(_meets(allowed, row[column].strip()) for column, allowed in condition.items())


def _meets(allowed: str | tuple[str, ...], text: str) -> bool:
    if allowed == ANYTHING:
        return text != ""
    return text == allowed if isinstance(allowed, str) else text in allowed


def _first_unmet(condition: Condition, row: Row) -> str:
    column, allowed = next(part for part in condition.items() if not _meets(part[1], row[part[0]].strip()))
    words = allowed if isinstance(allowed, str) else " or ".join(allowed)
    return f"{column} {'not empty' if words == ANYTHING else f'= {words}' if words else 'empty'}"
