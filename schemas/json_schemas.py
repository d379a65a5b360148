"""JSON Schemas of events and outputs, from the types that decode and encode them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.alerts import Alert
from schemas.errors import DEAD_LETTER_REASONS
from schemas.events import EVENT_CLASSES, FREE_TEXTS
from schemas.kpi import KpiValue

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]

_MOMENT: Final[Document] = {
    "description": "Event time: RFC 3339 with an offset, or integer UTC milliseconds.",
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
}
_UTC: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
_CONTROLS: Final = r"[\u0000-\u001f\u007f]"
_CONTROLS_BUT_LINE_BREAKS: Final = r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]"


def components(template: str) -> tuple[dict[str, Document], dict[str, Document]]:
    """Schemas of all events and outputs with what they share.

    Args:
        template: How one schema refers to another, with ``{name}`` in it.

    Returns:
        Event type, ``KpiValue`` or ``Alert`` -> reference to its schema; and name -> schema of all referred to.
    """
    types: dict[str, type] = {**EVENT_CLASSES, "KpiValue": KpiValue, "Alert": Alert}
    references, shared = msgspec.json.schema_components(types.values(), ref_template=template)
    for name, schema in shared.items():
        _say_what_time_is(schema)
        _say_what_texts_are(schema, _CONTROLS)
        schema.setdefault("title", name)
    return dict(zip(types, references, strict=True)), shared


def json_schemas() -> dict[str, Document]:
    """File name -> JSON Schema, each complete in itself."""
    references, shared = components("#/$defs/{name}")
    names = {
        **{kind: f"events/{kind}.json" for kind in EVENT_CLASSES},
        "KpiValue": "kpi-value.json",
        "Alert": "alert.json",
    }
    schemas = {path: _complete(references[name], shared) for name, path in names.items()}
    return {**schemas, "dead-letter-headers.json": {"$schema": DIALECT, **dead_letter_headers()}}


def dead_letter_headers() -> Document:
    """Schema of a dead letter's headers; its key and value are the original ones, to the byte."""
    text = {"type": "string"}
    return {
        "title": "DeadLetterHeaders",
        "description": "Where a message that could not be counted came from, and why; all as UTF-8 text.",
        "type": "object",
        "properties": {
            "topic": text | {"description": "Topic it came from."},
            "partition": text | {"description": "Its partition, decimal.", "pattern": "^[0-9]+$"},
            "offset": text | {"description": "Its offset, decimal.", "pattern": "^[0-9]+$"},
            "reason": text | {"description": "Why it could not be counted.", "enum": list(DEAD_LETTER_REASONS)},
            "epoch": text | {"description": "How often that topic was made anew, decimal.", "pattern": "^[0-9]+$"},
            "field": text | {"description": "The JSON field at fault, dotted; empty when the whole message is."},
            "found": text | {"description": "What stood there, shortened."},
            "allowed": text | {"description": "What is allowed there."},
            "failed_at": text | {"description": "When, RFC 3339 in UTC.", "format": "date-time", "pattern": _UTC},
            "cut_from": text | {"description": "Length of a message that was cut to fit; else left out."},
        },
        "patternProperties": {"^original-": text | {"description": "A header of the original message."}},
        "required": ["topic", "partition", "offset", "epoch", "reason", "field", "found", "allowed", "failed_at"],
    }


def _complete(reference: Mapping[str, str], shared: Mapping[str, Document]) -> Document:
    """A schema with just those others that it refers to."""
    name = reference["$ref"].rpartition("/")[2]
    needed: dict[str, Document] = {}
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at not in needed:
            needed[at] = shared[at]
            waiting += _referred(shared[at])
    top = needed.pop(name)
    found = {"$schema": DIALECT, **top}
    return {**found, "$defs": dict(sorted(needed.items()))} if needed else found


def _referred(part: object) -> list[str]:
    if isinstance(part, Mapping):
        own = [str(part["$ref"]).rpartition("/")[2]] if "$ref" in part else []
        return own + [name for value in part.values() for name in _referred(value)]
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [name for value in part for name in _referred(value)]
    return []


def _say_what_time_is(schema: Document) -> None:
    """The types know a time as text or integer; what is allowed is checked when it is read."""
    properties = schema.get("properties", {})
    if "occurred_at" in properties:
        properties["occurred_at"] = _MOMENT


def _say_what_texts_are(part: object, refused: str) -> None:
    """The types know how long a text may be; which characters may be in it is checked when it is read."""
    if isinstance(part, dict):
        if part.get("type") == "string" and "maxLength" in part:
            part["not"] = {"pattern": refused}
        for name, inner in part.items():
            _say_what_texts_are(inner, _CONTROLS_BUT_LINE_BREAKS if name in FREE_TEXTS else refused)
    elif isinstance(part, list):
        for inner in part:
            _say_what_texts_are(inner, refused)
