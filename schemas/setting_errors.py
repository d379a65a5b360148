"""What is wrong with a setting, in one line: where it is from, its key, what was found and what is allowed.

Secrets are not shown: passwords and tokens are masked, also those in URLs, and of tables only the key that is wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec

_PLACE: Final = re.compile(r" - at (?P<of_key>`key` in )?`\$\.?(?P<path>.*)`")
_STEP: Final = re.compile(r"\[\.\.\.\]|[^.\[\]]+")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")
_SECRET: Final = re.compile(r"password|token|secret|security$")
_CREDENTIALS: Final = re.compile(r"""(\w://)(?:.*@|[^/]*:(?!\d+(?:/|'|"|$))[^/'"]*)""")
"""In a URL what stands before the host; and what stands in place of a port, as a password whose @ was forgotten."""
_ANY_ENTRY: Final = "[...]"

Convert = Callable[[object, Any], object]
"""Converts a value to a type; raises ``ValidationError``."""


class Origins(NamedTuple):
    """Where settings are from.

    Args:
        file: The settings file.
        variables: Dotted key -> environment variable that sets it.
    """

    file: str
    variables: Mapping[str, str] = {}

    def of(self, key: str) -> str:
        """Return the file, or the variable that sets this key, a table around it, or something in it."""
        above = [name for name in self.variables if re.match(rf"{re.escape(name)}([.\[]|$)", key)]
        below = [name for name in self.variables if name.startswith(f"{key}.")]
        found = max(above, key=len, default=min(below, default=None))
        return self.file if found is None else f"environment {self.variables[found]}"

    def refuse(self, key: str, found: object, allowed: str) -> str:
        """Return the line about a value that is refused."""
        return f"{self.of(key)}: {key}: found {shown(key, found)}; {allowed}"


class _Place(NamedTuple):
    """A place in a document: its dotted key, what stands there and what type it should have."""

    key: str
    found: Any
    kind: Any


def shown(key: str, found: object) -> str:
    """Return a value as an error may show it."""
    if isinstance(found, Mapping):
        return "a table"
    if _SECRET.search(key.rpartition(".")[2]) and found:
        return "'***'"
    return _CREDENTIALS.sub(r"\1***@", repr(found))


def explain(
    message: str, document: Mapping[str, Any], root: type, names: Iterable[str], origins: Origins, convert: Convert
) -> str:
    """Turn msgspec's message about a document into one line.

    Args:
        message: What it says.
        document: Nested tables.
        root: The struct they should fit.
        names: Dotted keys of all settings.
        origins: Where they are from.
        convert: What was tried; tries single entries of tables, as the message does not say which is wrong.
    """
    match = _PLACE.search(message)
    text, path = _PLACE.sub("", message), match["path"] if match else ""
    unknown = _UNKNOWN.search(text)
    if unknown:
        key = f"{path}.{unknown[1]}".lstrip(".")
        close = difflib.get_close_matches(key, list(names), n=1)
        return f"{origins.of(key)}: {key}: no such setting" + (f"; did you mean {close[0]}?" if close else "")
    place = _Place("", document, root)
    for step in _STEP.findall(path):
        place = _culprit(place, convert, of_keys=False) if step == _ANY_ENTRY else _below(place, step)
    if match and match["of_key"]:
        place = _culprit(place, convert, of_keys=True)
        return origins.refuse(place.key, place.found, f"the key: {_allowed(place.kind, text)}")
    return origins.refuse(place.key, place.found, _allowed(place.kind, text))


def _below(place: _Place, step: str) -> _Place:
    """One step down: into a table by its key, or into a list by its index."""
    if isinstance(place.found, list | tuple):
        items = get_args(bare(place.kind))
        kind = items[0] if items[-1] is Ellipsis else items[int(step)]
        return _Place(f"{place.key}[{step}]", place.found[int(step)], kind)
    kinds = {field.encode_name: field.type for field in msgspec.structs.fields(place.kind)}
    return _Place(f"{place.key}.{step}".lstrip("."), place.found.get(step), kinds[step])


def bare(kind: Any) -> Any:
    """Return a type without what it is annotated with."""
    return kind.__origin__ if get_origin(kind) is Annotated else kind


def _culprit(table: _Place, convert: Convert, *, of_keys: bool) -> _Place:
    """The first entry, of a table with free keys, whose key or value is wrong."""
    kind = get_args(bare(table.kind))[0 if of_keys else 1]
    for key, value in table.found.items():
        if not _fits(key if of_keys else value, kind, convert):
            return _Place(f"{table.key}.{key}", value, kind)
    return table


def _fits(value: object, kind: Any, convert: Convert) -> bool:
    try:
        convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _allowed(kind: Any, text: str) -> str:
    """Say what is allowed; msgspec's text where it says it."""
    if get_origin(kind) is Literal:
        return "expected one of " + ", ".join(map(str, get_args(kind)))
    if kind is bool:
        return "expected true or false"
    if get_origin(kind) is Annotated and "regex" in text:
        described = [meta.description for meta in kind.__metadata__ if meta.description]
        text = f"expected {described[0]}" if described else text
    text = text.replace("Invalid RFC3339 encoded date", "expected a date like 2025-12-24")
    return f"{text[:1].lower()}{text[1:]}"
