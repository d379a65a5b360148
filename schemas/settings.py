"""Settings: ``salespulse.toml`` and, over it, environment variables ``SALESPULSE_SECTION__KEY``."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from schemas.catalogue.compose import catalogue_of
from schemas.durations import Duration, parse_duration
from schemas.errors import SettingsError
from schemas.limits import broken_limits
from schemas.playlist import playlist
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
from schemas.working_time import check_region, parse_hours

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
    try:
        settings = msgspec.convert(document, Settings, dec_hook=_decode_special)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), document, origin, from_environment or {})) from None
    for key, found, allowed in broken_limits(settings):
        place = _origin_of(key, origin, from_environment or {})
        raise SettingsError(f"{place}: {key}: found {found}; allowed is {allowed}")
    _check_values(settings, origin)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _lay_over(document: dict[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """Put ``SALESPULSE_A__B`` into ``document["a"]["b"]``; returns dotted key -> variable name."""
    laid: dict[str, str] = {}
    for variable, text in sorted(variables.items()):
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        keys = variable.removeprefix(ENV_PREFIX).split("__")
        keys = [key if keys[:2] == ["MONEY", "RATES"] and index == 2 else key.lower() for index, key in enumerate(keys)]
        table = document
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise SettingsError(f"environment {variable}: {key} is a value, not a table of settings")
        table[keys[-1]] = _from_text(keys, text)
        laid[".".join(keys)] = variable
    return laid


def _from_text(keys: list[str], text: str) -> object:
    """Read a variable as JSON where the setting is no text: numbers, booleans, lists; else as it is."""
    kind: Any = Settings
    for key in keys:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)} if _is_struct(kind) else {}
        kind = fields.get(key)
    if kind is None or getattr(kind, "__origin__", kind) in (str, Duration, Literal):  # what is annotated has its type
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


def _explain(message: str, document: Mapping[str, Any], origin: str, from_environment: Mapping[str, str]) -> str:
    """Turn msgspec's message into ``file: key: what was found; what is allowed``."""
    text, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".").replace("[...]", "")
    unknown = re.search(r"unknown field `([^`]+)`", text)
    if unknown:
        key = f"{key}.{unknown[1]}".lstrip(".")
        return f"{_origin_of(key, origin, from_environment)}: {key}: no such setting{_did_you_mean(key)}"
    found = _value_at(document, key)
    text = text.replace("Invalid RFC3339 encoded date", "expected a date like 2025-12-24")
    return f"{_origin_of(key, origin, from_environment)}: {key}: found {found!r}; {text[:1].lower()}{text[1:]}"


def _origin_of(key: str, origin: str, from_environment: Mapping[str, str]) -> str:
    variable = from_environment.get(key.partition("[")[0])  # a list comes as a whole
    return f"environment {variable}" if variable else origin


def _value_at(document: Mapping[str, Any], key: str) -> object:
    value: Any = document
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(value, list | tuple):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, Mapping) else value
    return value


def _did_you_mean(key: str) -> str:
    known = setting_names()
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


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


def _check_working_time(settings: Settings, origin: str) -> None:
    hours, region = settings.kpi.working_hours, settings.kpi.holidays
    try:
        parse_hours(hours)
    except ValueError as error:
        raise SettingsError(f"{origin}: kpi.working_hours: found {list(hours)}; {error}") from None
    try:
        check_region(region)
    except ValueError as error:
        raise SettingsError(f"{origin}: kpi.holidays: found {region!r}; {error}") from None


def _check_values(settings: Settings, origin: str) -> None:
    catalogue = catalogue_of(settings, origin)
    playlist(settings.wall, catalogue.kpis, origin, catalogue.tiles)
    try:
        zoneinfo.ZoneInfo(settings.time.zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"{origin}: time.zone: found {settings.time.zone!r}; allowed is an IANA zone like Europe/Berlin"
        ) from None
    _check_working_time(settings, origin)
    for code, rate in settings.money.rates.items():
        try:
            valid = Decimal(str(rate)) > 0
        except InvalidOperation:
            valid = False
        if not valid:
            raise SettingsError(f"{origin}: money.rates.{code}: found {rate!r}; allowed is a number above 0")
