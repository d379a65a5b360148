"""Reading a CSV file with the line numbers that errors need."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import SalesPulseError
from streams.mapping.rules import FileRule

Row = Mapping[str, str]
"""Column -> cell, as it stands."""


class DataFileError(SalesPulseError):
    """A data file that does not fit; the text names file, line, column, what was found and what is allowed."""


def open_csv(rule: FileRule, path: Path) -> tuple[tuple[str, ...], Iterator[tuple[int, Row]]]:
    """Read a file's header; the rows follow with their line numbers as they are asked for.

    Raises:
        DataFileError: There is no such file, or it is not text, or (while the rows are read) not CSV.
    """
    try:
        text = path.read_text(rule.encoding)
    except FileNotFoundError:
        raise DataFileError(f"{path}: no such file") from None
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, LookupError) as error:
        raise DataFileError(f"{path}: not {rule.encoding} text: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=rule.delimiter, quotechar=rule.quote, strict=True)
    header = tuple(column.strip() for column in next(reader, []))
    if not header:
        raise DataFileError(f"{path}: found nothing; allowed is a CSV file with a line of column names")
    return header, _rows(path, header, reader)


def _rows(path: Path, header: tuple[str, ...], reader: Any) -> Iterator[tuple[int, Row]]:
    try:
        for cells in reader:
            if not cells:
                continue  # an empty line, at the end of the file as a rule
            if len(cells) != len(header):
                raise DataFileError(
                    f"{path}, line {reader.line_num}: found {len(cells)} cells; "
                    f"allowed: {len(header)}, as in the header"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataFileError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
