"""Tables of a settings file, read key by key: what is wrong is one line that says what would be right.

Every method that reads raises ``SettingsError`` with file, key, place, what was found and what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from schemas.errors import SettingsError
from schemas.toml_lines import TomlLines


class Table:
    """A table that is being read.

    Args:
        fields: Key -> value.
        prefix: Dotted name of the table, as in ``wall.pages.tiles``.
        place: Which of several it is, for people; may be empty.
        origin: The file, for errors.
        lines: Tells at which of its lines something stands, where that is known.
        number: Which of an array of tables it is, from 1; 0 for none of one.
    """

    def __init__(
        self,
        fields: Mapping[str, object],
        prefix: str,
        place: str,
        origin: str,
        lines: TomlLines | None = None,
        number: int = 0,
    ) -> None:
        self._fields = fields
        self._prefix = prefix
        self._place = place
        self._origin = origin
        self._lines = lines
        self._number = number

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def refuse_others(self, allowed: Iterable[str], what: str) -> None:
        """Refuse keys that are none of these; ``what`` is what the table describes."""
        names = list(allowed)
        for key in self._fields:
            if key not in names:
                raise self.refuse(key, f"{what} has no such key; {did_you_mean(key, names)}allowed: {', '.join(names)}")

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text that is not empty; without a default it must be there."""
        value = self._fields.get(key, default)
        if isinstance(value, str) and value:
            return value
        raise self.wrong(key, "allowed is a text")

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a text or a list of texts; nothing where it is left out."""
        value = self._fields.get(key, ())
        if isinstance(value, str) and value:
            return (value,)
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        raise self.wrong(key, "allowed is a text or a list of texts")

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None, *, listed_by: str = "") -> str:
        """Read one of several names; where they are too many for a line, `listed_by` says what they are instead."""
        return self._one_of(key, self._fields.get(key, default), list(allowed), listed_by)

    def choices(self, key: str, allowed: Iterable[str], *, listed_by: str = "") -> tuple[str, ...]:
        """Read a list of names, each one of several."""
        return tuple(self._one_of(key, name, list(allowed), listed_by) for name in self.texts(key))

    def number(self, key: str, allowed: Iterable[int], default: int) -> int:
        """Read one of several integers."""
        numbers = list(allowed)
        value = self._fields.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value in numbers:
            return value
        raise self.wrong(key, f"allowed: {', '.join(map(str, numbers))}")

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._fields.get(key, default)
        if isinstance(value, bool):
            return value
        raise self.wrong(key, "allowed: true, false")

    def mapping(self, key: str) -> Mapping[str, object]:
        """Read a table whose keys are free; empty where it is left out."""
        value = self._fields.get(key, {})
        if isinstance(value, Mapping):
            return value
        raise self.wrong(key, "allowed is a table, { name = value }")

    def tables(self, key: str, what: str, *, optional: bool = False) -> list[Table]:
        """Read a list of tables, each called by `what` and its number; unless `optional` it is not empty."""
        prefix = f"{self._prefix}.{key}".lstrip(".")
        value = self._fields.get(key, ())
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, Mapping) for item in value):
            raise self.wrong(key, f"allowed is a list of tables, [[{prefix}]]")
        if not value and not optional:
            raise self.wrong(key, f"allowed is a list of tables, [[{prefix}]], and at least one")
        above = f"{self._place}, " if self._place else ""
        numbered = enumerate(value, 1)
        return [Table(item, prefix, f"{above}{what} {at}", self._origin, self._lines, at) for at, item in numbered]

    def wrong(self, key: str, allowed: str) -> SettingsError:
        """Return the error about the value of a key, with what was found."""
        found = f"found {self._fields[key]!r}" if key in self._fields else "is missing"
        return self.refuse(key, f"{found}; {allowed}")

    def refuse(self, key: str, text: str) -> SettingsError:
        """Return the error about a key."""
        place = f" ({self._place})" if self._place else ""
        name = f"{self._prefix}.{key}".lstrip(".")
        line = self._lines.of(self._prefix, self._number, key) if self._lines is not None and self._number else None
        origin = f"{self._origin}:{line}" if line is not None else self._origin
        return SettingsError(f"{origin}: {name}{place}: {text}")

    def _one_of(self, key: str, value: object, names: list[str], listed_by: str) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise self.wrong(key, f"{did_you_mean(value, names)}allowed: {listed_by or ', '.join(names)}")


def did_you_mean(found: object, names: Iterable[str]) -> str:
    """Return the question whether one of these names was meant; nothing where none is like it."""
    close = difflib.get_close_matches(found, list(names), n=1, cutoff=0.65) if isinstance(found, str) else []
    return f"did you mean {close[0]}? " if close else ""
