"""Whether a CSV mapping that has the right shape also makes sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from string import Formatter

import msgspec

from schemas.errors import CatalogueError
from schemas.events import EVENT_CLASSES
from schemas.rows import EVENT_TYPES
from streams.mapping.rules import CsvMapping, FieldRule
from streams.mapping.values import read_time_of_day, read_zone


def template_columns(template: str) -> tuple[str, ...]:
    """The columns a template such as ``crm:{opportunity_id}:won`` names; raises ValueError for a broken one."""
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def columns_used(mapping: CsvMapping) -> Iterator[tuple[str, str]]:
    """Every column of the data file that a mapping needs, with the place that names it."""
    for lookup_name, lookup in mapping.lookups.items():
        yield lookup.column, f"lookups.{lookup_name}.column"
    for index, event in enumerate(mapping.events):
        place = f"events[{index}] ({event.event_type})"
        yield from ((column, f"{place}.when") for column in event.when)
        yield from ((column, f"{place}.event_id") for column in template_columns(event.event_id))
        rules = {**mapping.rules_of(event), "occurred_at": mapping.moment_rule(event)}
        for name, rule in rules.items():
            yield from ((column, f"{place}.{name}") for column in _columns_of(rule))
    for index, skip in enumerate(mapping.skips):
        yield from ((column, f"skips[{index}].when") for column in skip.when)


def _columns_of(rule: FieldRule) -> tuple[str, ...]:
    if rule.lookup is not None:
        return ()
    if rule.template is not None:
        return template_columns(rule.template)
    return rule.columns or ((rule.column,) if rule.column is not None else ())


def check_mapping(mapping: CsvMapping, origin: str) -> None:
    """Refuse what cannot be meant; raises CatalogueError with file, key, what was found and what is allowed."""
    if not mapping.events:
        raise CatalogueError(f"{origin}: events: found none; allowed is at least one [[events]] table")
    _check_value(origin, "dates.zone", mapping.dates.zone, read_zone)
    _check_value(origin, "dates.time", mapping.dates.time, read_time_of_day)
    for index, event in enumerate(mapping.events):
        place = f"events[{index}]"
        if event.event_type not in EVENT_TYPES:
            raise CatalogueError(
                f"{origin}: {place}.event_type: found {event.event_type!r}; allowed: {', '.join(EVENT_TYPES)}"
            )
        _check_value(origin, f"{place}.event_id", event.event_id, template_columns)
        known = _fields_of(event.event_type)
        for name, rule in {**mapping.rules_of(event), "occurred_at": mapping.moment_rule(event)}.items():
            if name not in known:
                raise CatalogueError(
                    f"{origin}: {place}: {event.event_type} has no field {name!r}; allowed: {', '.join(known)}"
                )
            _check_rule(mapping, origin, f"{place}.{name}", rule)


def _fields_of(event_type: str) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(EVENT_CLASSES[event_type]))


def _check_rule(mapping: CsvMapping, origin: str, place: str, rule: FieldRule) -> None:
    given = [name for name in ("column", "columns", "value", "template") if getattr(rule, name) not in (None, ())]
    if len(given) != 1:
        raise CatalogueError(
            f"{origin}: {place}: found {', '.join(given) or 'nothing'}; "
            "allowed is one of column, columns, value, template"
        )
    if rule.lookup is not None and (rule.lookup not in mapping.lookups or rule.column is None):
        known = ", ".join(mapping.lookups) or "none is declared"
        raise CatalogueError(
            f"{origin}: {place}.lookup: found {rule.lookup!r}; "
            f"allowed: a lookup ({known}) together with a column of its file"
        )
    if rule.template is not None:
        _check_value(origin, f"{place}.template", rule.template, template_columns)
    if rule.zone is not None:
        _check_value(origin, f"{place}.zone", rule.zone, read_zone)
    if rule.time is not None:
        _check_value(origin, f"{place}.time", rule.time, read_time_of_day)


def _check_value(origin: str, place: str, found: str, read: Callable[[str], object]) -> None:
    try:
        read(found)
    except ValueError as error:
        raise CatalogueError(f"{origin}: {place}: found {found!r}; allowed: {error}") from None
