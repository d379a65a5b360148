"""Settings: ``salespulse.toml`` and, over it, environment variables ``SALESPULSE_SECTION__KEY``."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from schemas.catalogue.compose import catalogue_of
from schemas.durations import Duration, parse_duration
from schemas.errors import SettingsError
from schemas.limits import broken_limits
from schemas.playlist import playlist
from schemas.rows import EVENT_TYPES
from schemas.sections import (
    Alerts,
    App,
    Catalogue,
    Currency,
    Http,
    Intake,
    Kafka,
    KafkaSecurity,
    KpiSettings,
    Metrics,
    Money,
    Name,
    Pipeline,
    Positive,
    Redis,
    Settings,
    Time,
    Weekday,
)
from schemas.setting_checks import check_values
from schemas.setting_errors import Origins, bare, explain

__all__ = [
    "DEFAULT_FILE",
    "ENV_PREFIX",
    "Alerts",
    "App",
    "Catalogue",
    "Currency",
    "Duration",
    "Http",
    "Intake",
    "Kafka",
    "KafkaSecurity",
    "KpiSettings",
    "Metrics",
    "Money",
    "Name",
    "Pipeline",
    "Positive",
    "Redis",
    "Settings",
    "Time",
    "Weekday",
    "load_settings",
    "parse_duration",
    "setting_names",
    "settings_from",
]

ENV_PREFIX: Final = "SALESPULSE_"
DEFAULT_FILE: Final = "salespulse.toml"
_EVENT_TYPES: Final = {event_type.replace(".", "_"): event_type for event_type in EVENT_TYPES}


def load_settings(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file, lay the environment over it and check everything.

    Args:
        path: The file; None: ``salespulse.toml`` of the working directory where there is one.
        environment: Variables; None: those of the process.

    Raises:
        SettingsError: One line with file, key, what was found and what is allowed.
    """
    origin = path or Path(DEFAULT_FILE)
    if path is not None and not path.is_file():
        raise SettingsError(f"{path}: no such settings file; leave out --config to use the defaults")
    document = _read_toml(origin) if origin.is_file() else {}
    variables = os.environ if environment is None else environment
    _resolve_files(document, origin.parent)
    from_environment = _lay_over(document, variables)
    return settings_from(document, str(origin), from_environment)


def _resolve_files(document: Mapping[str, Any], directory: Path) -> None:
    """Files that a settings file names lie beside it."""
    table = document.get("catalogue")
    if isinstance(table, dict) and isinstance(table.get("files"), list):
        table["files"] = [str(directory / name) if isinstance(name, str) else name for name in table["files"]]


def settings_from(
    document: Mapping[str, Any], origin: str = DEFAULT_FILE, from_environment: Mapping[str, str] | None = None
) -> Settings:
    """Check a document of nested tables against :class:`Settings`; ``origin`` is named in errors."""
    origins = Origins(origin, from_environment or {})
    try:
        settings: Settings = _convert(document, Settings)
    except msgspec.ValidationError as error:
        text = explain(str(error), document, Settings, setting_names(), origins, _convert)
        raise SettingsError(text) from None
    for key, found, allowed in broken_limits(settings):
        raise SettingsError(f"{origins.of(key)}: {key}: found {found}; allowed is {allowed}")
    catalogue = catalogue_of(settings, origins)
    playlist(settings.wall, catalogue.kpis, origins.of("wall.pages"), catalogue.tiles)
    check_values(settings, origins)
    return settings


def _convert(value: object, kind: Any) -> Any:
    return msgspec.convert(value, kind, dec_hook=_decode_special)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _lay_over(document: dict[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """Put ``SALESPULSE_A__B`` into ``document["a"]["b"]``; returns dotted key -> variable name."""
    laid: dict[str, str] = {}
    meant = {ENV_PREFIX + name.replace(".", "_").upper(): name for name in setting_names()}
    for variable, text in sorted(variables.items()):
        if variable in meant and not text.startswith("tcp://"):  # what Kubernetes sets for a service of such a name
            right = ENV_PREFIX + meant[variable].replace(".", "__").upper()
            raise SettingsError(f"environment {variable}: no such setting; did you mean {right}?")
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        keys = _keys(variable.removeprefix(ENV_PREFIX).split("__"))
        table = document
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise SettingsError(f"environment {variable}: {key} is a value, not a table of settings")
        table[keys[-1]] = _from_text(keys, text)
        laid[".".join(keys)] = variable
    return laid


def _keys(names: Sequence[str]) -> list[str]:
    """Keys of a setting by the parts of a variable's name: currencies are in capitals, and a shell knows no dots."""
    keys = [name.lower() for name in names]
    match keys:
        case ["money", "rates", *_]:
            keys[2:] = names[2:]
        case ["kpi", "points", _, *_]:
            name = "_".join(keys[2:])
            keys[2:] = [_EVENT_TYPES.get(name, name)]
    return keys


def _from_text(keys: Sequence[str], text: str) -> object:
    """Read a variable as JSON where the setting is no text: numbers, booleans, lists; else as it is."""
    kind: Any = Settings
    for key in keys:
        if _is_struct(kind):
            kind = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}.get(key)
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
        kind = bare(kind)
    may_be_text = isinstance(kind, UnionType) and str in get_args(kind)  # exact: 0.1 is not quite a tenth as a number
    if kind in (None, str, Duration) or may_be_text or get_origin(kind) is Literal:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _decode_special(kind: type, value: object) -> object:
    if kind is Duration and isinstance(value, str):
        return parse_duration(value)
    raise ValueError("expected a duration as text, like 500ms, 10s, 5m, 1h or 90d")


def setting_names() -> tuple[str, ...]:
    """Every setting as a dotted key, such as ``kafka.bootstrap_servers``."""
    return tuple(_names(Settings, ""))


def _names(kind: Any, prefix: str) -> list[str]:
    names: list[str] = []
    for field in msgspec.structs.fields(kind):
        if _is_struct(field.type):
            names += _names(field.type, f"{prefix}{field.encode_name}.")
        else:
            names.append(prefix + field.encode_name)
    return names
