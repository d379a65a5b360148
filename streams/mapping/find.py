"""CSV mappings, found and read: by the name of one that comes with the product, or by the path of a TOML file."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import CatalogueError
from streams.mapping.check import check_mapping, columns_used
from streams.mapping.csv_file import open_csv
from streams.mapping.rules import CsvMapping


def builtin_mappings() -> tuple[str, ...]:
    """Names of the mappings that come with the product."""
    found = (entry.name for entry in files("schemas").joinpath("mappings").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def fitting_mapping(path: Path) -> CsvMapping | None:
    """Return the built-in mapping whose columns a CSV file has all of, so that nobody has to name it; None: none fits.

    Raises:
        DataFileError: There is no such file, or it is no text.
    """
    for name in builtin_mappings():
        mapping = load_mapping(name)
        columns, _ = open_csv(mapping.file, path)
        if {column for column, _ in columns_used(mapping)} <= set(columns):
            return mapping
    return None


def load_mapping(name: str) -> CsvMapping:
    """Read and check a mapping.

    Args:
        name: One of :func:`builtin_mappings`, or the path of a TOML file.

    Raises:
        CatalogueError: There is none of that name, or it makes no sense: file, key, found, allowed.
    """
    path = Path(name)
    if name in builtin_mappings():
        text = files("schemas").joinpath("mappings", f"{name}.toml").read_text("utf-8")
    elif path.is_file():
        text = path.read_text("utf-8", errors="replace")
    else:
        raise CatalogueError(
            f"{name}: no such mapping file; built in: {', '.join(builtin_mappings())}; or give the path of a TOML file"
        )
    return parse_mapping(text, name)


def parse_mapping(text: str, origin: str) -> CsvMapping:
    """Check the text of a mapping file; ``origin`` is named in errors."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{origin}: not valid TOML: {error}") from None
    try:
        mapping = msgspec.convert({"name": Path(origin).stem} | document, CsvMapping)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        key = place.rstrip("`").lstrip(".") or "the file"
        raise CatalogueError(f"{origin}: {key}: {what[:1].lower()}{what[1:]}") from None
    check_mapping(mapping, origin)
    return mapping
