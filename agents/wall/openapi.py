"""The OpenAPI 3.1 document of the HTTP API, generated from the same types and names that the handlers use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Final, get_args

import msgspec

from agents.wall.board import Board
from agents.wall.explain import LIMIT, MOST, WINDOW
from schemas.alerts import Alert
from schemas.declare import Kpi
from schemas.explanation import Explanation
from schemas.kpi import KpiValue, Quality, Unit
from schemas.windows import WINDOWS
from streams.history import HistoryStep

Document = dict[str, Any]
_REFERENCE: Final = "#/components/schemas/{name}"


def openapi(kpis: Mapping[str, Kpi], dimensions: Iterable[str], *, token: bool) -> Document:
    """Describe the API.

    Args:
        kpis: All, by name.
        dimensions: All of them.
        token: Whether requests need the token of the settings.
    """
    types = (KpiValue, Alert, Kpi, Board, Explanation)
    (value, alert, kpi, board, explanation), schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    names = list(dimensions)
    paths: Document = {
        "/api/v1/kpis": _values(kpis, names, value),
        "/api/v1/stream": _stream(kpis, names),
        "/api/v1/recent": _recent(kpis),
        "/api/v1/history": _history(kpis, names),
        "/api/v1/explain": _explain(kpis, names, explanation),
        "/api/v1/wall": {"get": _get("playlist", "What the wall page shows", board) | {"parameters": [_ONE_WINDOW]}},
        "/api/v1/catalogue": {"get": _get("catalogue", "Every KPI and what it is", _object(kpis=_array(kpi)))},
        "/api/v1/alerts": {"get": _get("alerts", "The last transition of every alert", _object(alerts=_array(alert)))},
        "/openapi.json": {"get": _open("openapi", "This document", "application/json")},
        "/healthz": {"get": _open("healthz", "Whether the server is alive", "application/json")},
        "/readyz": {"get": _ready()},
        "/metrics": {"get": _open("metrics", "KPI series and this process, for Prometheus", "text/plain")},
        "/": {"get": _open("wall", "The wall page", "text/html")},
        "/static/{path}": {"get": _open("static", "What the wall page is made of", "*/*") | {"parameters": [_PATH]}},
    }
    if token:
        for path, operations in paths.items():
            if path.startswith("/api/"):
                operations["get"]["security"] = [{"bearer": []}, {"query": []}]
                operations["get"]["responses"]["401"] = {"$ref": "#/components/responses/Problem"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SalesPulse",
            "version": _version(),
            "summary": "Live sales KPIs",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "responses": {"Problem": _content("application/problem+json", _to("Problem"), "What is wrong (RFC 9457)")},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }


def _values(kpis: Mapping[str, Kpi], dimensions: list[str], value: Document) -> Document:
    body = _object(**_ENVELOPE, series=_array(value))
    operation = _get("kpis", "Values of KPIs", body) | {"parameters": _selection(kpis, dimensions)}
    operation["responses"]["200"]["content"]["application/x-ndjson"] = {
        "schema": {"type": "string", "description": "One KpiValue a line"}
    }
    return {"get": operation}


def _stream(kpis: Mapping[str, Kpi], dimensions: list[str]) -> Document:
    description = (
        "Server-sent events: `snapshot` with all values asked for, then `delta` with those that changed, or with none "
        "when only their freshness did: at most twenty a second, of the playlist of the wall one. Data: as of "
        "/api/v1/kpis, and now_ms, the clock of the server. Keep the highest (window_end, revision) of a series. "
        "`moment` for a deal won, a rank gained or a goal reached within the last minute: id, kind (deal_won, "
        "rank_up, goal_reached), occurred_at, title, kpi, window, dimensions, value, unit, currency, rank, "
        "previous_rank; an id may come twice after a reconnection."
    )
    operation = _open("stream", "Values as they change", "text/event-stream")
    operation["description"] = description
    operation["parameters"] = [*_selection(kpis, dimensions), _WALL]
    operation["responses"]["400"] = {"$ref": "#/components/responses/Problem"}
    return {"get": operation}


def _recent(kpis: Mapping[str, Kpi]) -> Document:
    point = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": ["number", "null"]}], "minItems": 2}
    series = _object(kpi={"type": "string"}, window={"type": "string"}, points=_array(point))
    summary = "How global series have moved lately: [ms, value] of now and then, oldest first"
    operation = _get("recent", summary, _object(series=_array(series)))
    operation["parameters"] = [_list("kpi", "Names of KPIs.", list(kpis)) | {"required": True}, _WINDOW]
    return {"get": operation}


def _history(kpis: Mapping[str, Kpi], dimensions: list[str]) -> Document:
    integer: Document = {"type": ["integer", "null"]}
    start = {"type": "string", "format": "date-time", "description": "Start of the hour or local day."}
    point = _object(start=start, value={"type": ["number", "null"]}, numerator=integer, denominator=integer)
    text: Document = {"type": "string"}
    series = _object(
        kpi=text,
        dimensions={"type": "object", "additionalProperties": text},
        unit={"enum": list(get_args(Unit))},
        currency={"type": ["string", "null"]},
        points=_array(point),
    )
    steps = {"enum": list(get_args(HistoryStep))}
    body = _object(**_ENVELOPE, step=steps, series=_array(series))
    operation = _get("history", "What series were hour by hour or day by day, oldest first", body)
    operation["description"] = (
        "Kept of the series that trends and heats of the wall show: the last 8 days by the hour, the last 35 by the "
        "day. The last point is of the running hour or day."
    )
    operation["responses"]["404"] = {"$ref": "#/components/responses/Problem"}
    step = _PARAMETER | {"name": "step", "description": "Left out: 1d.", "schema": steps}
    wanted = _list("kpi", "Names of KPIs.", list(kpis)) | {"required": True}
    operation["parameters"] = [wanted, step, _where(dimensions)]
    return {"get": operation}


def _explain(kpis: Mapping[str, Kpi], dimensions: list[str], explanation: Document) -> Document:
    operation = _get("explain", "Why one value is what it is", explanation)
    operation["description"] = (
        "Its parts: measures, how they spread over the window, restatements, dead letters that it may miss; with "
        "events also the events that made it, read from the source topics, which takes a while. One explanation is "
        "made at a time. 503 when Kafka or Redis does not answer."
    )
    operation["responses"]["404"] = {"$ref": "#/components/responses/Problem"}
    one = {"name": "kpi", "description": "Name of a KPI.", "required": True, "schema": {"enum": list(kpis)}}
    window = {"name": "window", "description": f"Left out: {WINDOW}.", "schema": {"enum": list(WINDOWS)}}
    events = {"name": "events", "description": "Look for the events as well.", "schema": {"type": "boolean"}}
    at_most = {"type": "integer", "minimum": 0, "maximum": MOST}
    limit = {"name": "limit", "description": f"Most events to list. Left out: {LIMIT}.", "schema": at_most}
    series = _where(dimensions) | {"description": "Dimensions of the series; left out: the global one."}
    operation["parameters"] = [*(_PARAMETER | each for each in (one, window, events, limit)), series]
    return {"get": operation}


def _selection(kpis: Mapping[str, Kpi], dimensions: list[str]) -> list[Document]:
    names = _list("kpi", "Names of KPIs; `name@dimension` for one by a dimension. Left out: all.", None)
    names["example"] = list(kpis)[:2]
    return [
        names,
        _WINDOW,
        _list(
            "by", "Dimensions to break down by; several: pairs; `*`: all series; left out: global.", [*dimensions, "*"]
        ),
        _where(dimensions),
    ]


def _where(dimensions: list[str]) -> Document:
    pattern = f"^({'|'.join(dimensions)}):.+$"
    return _PARAMETER | {
        "name": "where",
        "description": "Only series with this value; may stand several times.",
        "schema": {"type": "array", "items": {"type": "string", "pattern": pattern}},
        "explode": True,
        "example": ["rep:r-7"],
    }


def _list(name: str, description: str, allowed: list[str] | None) -> Document:
    items: Document = {"type": "string"} if allowed is None else {"type": "string", "enum": allowed}
    return {
        "name": name,
        "in": "query",
        "description": f"{description} Separated by commas.",
        "schema": {"type": "array", "items": items},
        "style": "form",
        "explode": False,
    }


_PARAMETER: Final[Document] = {"in": "query"}
_WALL: Final[Document] = _PARAMETER | {
    "name": "wall",
    "description": "What the playlist of the wall shows, instead of kpi, by and where.",
    "schema": {"type": "boolean"},
}
_ONE_WINDOW: Final[Document] = _PARAMETER | {
    "name": "window",
    "description": "Every tile over this window; left out: each over its own.",
    "schema": {"enum": list(WINDOWS)},
}
_WINDOW: Final[Document] = _list("window", "Windows; left out: all.", list(WINDOWS))
_PATH: Final[Document] = {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}
_TIME: Final[Document] = {"type": ["string", "null"], "format": "date-time"}
_ENVELOPE: Final[Document] = {
    "as_of": _TIME | {"description": "When the values were last confirmed; null when there are none."},
    "watermark": _TIME | {"description": "Event time up to which they are complete."},
    "quality": {"enum": list(get_args(Quality))},
}
_PROBLEM: Final[Document] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "parameter": {"type": "string"},
        "did_you_mean": {"type": "string"},
    },
}


def _get(operation_id: str, summary: str, body: Document) -> Document:
    return {
        "operationId": operation_id,
        "summary": summary,
        "responses": {
            "200": _content("application/json", body, summary),
            "400": {"$ref": "#/components/responses/Problem"},
            "503": {"$ref": "#/components/responses/Problem"},
        },
    }


def _open(operation_id: str, summary: str, media_type: str) -> Document:
    responses = {"200": {"description": summary, "content": {media_type: {}}}}
    return {"operationId": operation_id, "summary": summary, "responses": responses}


def _ready() -> Document:
    body = _object(status={"type": "string"}, reasons=_array({"type": "string"}))
    operation = _get("readyz", "Whether values can be served and are fresh", body)
    operation["responses"] = {
        "200": operation["responses"]["200"],
        "503": _content("application/json", body, "Not ready, and why"),
    }
    return operation


def _content(media_type: str, schema: Document, description: str) -> Document:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Document) -> Document:
    return {"type": "array", "items": items}


def _to(name: str) -> Document:
    return {"$ref": _REFERENCE.format(name=name)}


def _version() -> str:
    try:
        return metadata.version("salespulse")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0"
