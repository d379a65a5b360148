"""The AsyncAPI 3 document: which topic carries which messages, for programs that send to SalesPulse or listen to it."""

from __future__ import annotations

from typing import Any, Final

from schemas.errors import UsageError
from schemas.events import EVENT_CLASSES
from schemas.json_schemas import Document, components, dead_letter_headers
from schemas.topics import SOURCES, Topics, TopicSpec, all_topics

CONTRACT_VERSION: Final = "1.0.0"
"""Raised by hand when a contract changes: the second number for additions, the first for everything else."""

_OUT: Final = {
    "updates": ("Every change of a KPI value, kept for seven days.", "KpiValue"),
    "latest": ("The last value of every series; compacted.", "KpiValue"),
    "alerts": ("Transitions of alerts: firing, resolved, no_data; compacted, so that the last of each stays.", "Alert"),
    "deadletter": (
        "Messages that could not be counted, byte for byte, with the reason in their headers.",
        "DeadLetter",
    ),
}
_CLOUD_EVENT: Final[Document] = {
    "description": "CloudEvents 1.0, binary mode.",
    "type": "object",
    "properties": {
        name: {"type": "string"}
        for name in ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type")
    },
}


def asyncapi(topics: Topics) -> Document:
    """Return the document for these topic names."""
    references, schemas = components("#/components/schemas/{name}")
    specs = {spec.name: spec for spec in all_topics(topics, "salespulse", 8, 8)}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:salespulse",
        "info": {
            "title": "SalesPulse",
            "version": CONTRACT_VERSION,
            "description": "Sales events in, KPI values and alerts out. Unknown fields are ignored; new ones may come.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {**_source_channels(topics, specs), **_out_channels(topics, specs)},
        "operations": _operations(topics),
        "components": {"messages": _messages(references), "schemas": dict(sorted(schemas.items()))},
    }


def source_of(event_type: str) -> str:
    """Key of the source topic of an event type: ``deal.won`` -> ``deals``.

    Raises:
        UsageError: There is no such event type.
    """
    area = event_type.partition(".")[0]
    found = [key for key in SOURCES if key in (area, f"{area}s")]
    if event_type not in EVENT_CLASSES or not found:
        raise UsageError(f"event_type: found {event_type!r}; allowed: {', '.join(EVENT_CLASSES)}")
    return found[0]


def _source_channels(topics: Topics, specs: dict[str, TopicSpec]) -> Document:
    return {
        key: {
            "address": name,
            "description": f"Events of {key}; any key, any partition count. CloudEvents 1.0 is accepted as well.",
            "messages": {
                kind: {"$ref": f"#/components/messages/{kind}"} for kind in EVENT_CLASSES if source_of(kind) == key
            },
            "bindings": _binding(specs[name]),
        }
        for key, name in topics.sources().items()
    }


def _out_channels(topics: Topics, specs: dict[str, TopicSpec]) -> Document:
    return {
        key: {
            "address": getattr(topics, key),
            "description": description,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "bindings": _binding(specs[getattr(topics, key)]),
        }
        for key, (description, message) in _OUT.items()
    }


def _operations(topics: Topics) -> Document:
    received = {
        f"receive_{key}": {"action": "receive", "channel": {"$ref": f"#/channels/{key}"}} for key in topics.sources()
    }
    sent = {f"send_{key}": {"action": "send", "channel": {"$ref": f"#/channels/{key}"}} for key in _OUT}
    return {**received, **sent}


def _messages(references: dict[str, Document]) -> Document:
    events = {
        kind: {"name": kind, "summary": _first_line(EVENT_CLASSES[kind].__doc__), "payload": references[kind]}
        for kind in EVENT_CLASSES
    }
    return {
        **events,
        "KpiValue": {
            "name": "KpiValue",
            "summary": "One value of one series; keep the highest (window_end, revision).",
            "headers": _CLOUD_EVENT,
            "payload": references["KpiValue"],
            "bindings": _keyed("The series: kpi|window|dim=value,... with the dimensions in alphabetical order."),
        },
        "Alert": {
            "name": "Alert",
            "summary": "One transition of one alert.",
            "payload": references["Alert"],
            "bindings": _keyed("The alert's fingerprint."),
        },
        "DeadLetter": {
            "name": "DeadLetter",
            "summary": "A message as it came, with where it came from and why it could not be counted.",
            "contentType": "application/octet-stream",
            "headers": dead_letter_headers(),
            "bindings": _keyed("The key of the original message."),
        },
    }


def _keyed(description: str) -> Document:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": "0.5.0"}}


def _binding(spec: TopicSpec) -> Document:
    config: dict[str, Any] = {}
    for name, value in spec.config.items():
        config[name] = (
            value.split(",") if name == "cleanup.policy" else int(value) if value.lstrip("-").isdigit() else value
        )
    return {"kafka": {"topicConfiguration": config, "bindingVersion": "0.5.0"}}


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if text else ""
