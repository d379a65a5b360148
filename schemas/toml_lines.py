"""At which line of a TOML file something stands, which the standard library's reader does not tell."""

from __future__ import annotations

import re


class TomlLines:
    """Finds the lines of tables and keys, where they are written one below the other.

    Args:
        text: The file.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of(self, table: str, number: int, key: str) -> int | None:
        """Return the line of a key of the ``number``-th table (from 1) of an array of tables.

        Returns:
            The key's line, counted from 1; the table's where the key is not to be found; None without such a table.
        """
        heading = re.compile(rf"\s*\[\[\s*{re.escape(table)}\s*\]\]")
        array = re.compile(r"\s*\[\[")
        starts = [at for at, line in enumerate(self._lines) if heading.match(line)]
        if len(starts) < number:
            return None
        start = starts[number - 1]
        for at in range(start + 1, len(self._lines)):
            line = self._lines[at]
            if array.match(line):
                break
            if re.match(rf'\s*("?){re.escape(key)}\1\s*[=.]', line) or re.match(
                rf"\s*\[\s*{re.escape(table)}\.{re.escape(key)}\b", line
            ):
                return at + 1
        return start + 1
