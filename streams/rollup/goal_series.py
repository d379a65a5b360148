"""Series of goals: which of them were published, so that what is no goal any more is said to be unknown, once.

Also after a restart: a goal may have ended, or been withdrawn, while nobody was there to say so. What was published by
the last checkpoint is stored with it; what a former owner published after that, it published of goals whose definitions
come by again in the cells. What the last publication says to be unknown is stored as well, since it may not have been
sent: an owner that dies before it is has it said by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.kpi import Unit, dims_key, parse_dims
from schemas.windows import WINDOWS
from schemas.wire import body_of
from streams.publication import Published
from streams.rollup.content import Content, Stamp, kpi_value
from streams.rollup.goals import GROUPING, PREFIX, GoalKey, Goals, SeriesOf
from streams.rollup.series import Series
from streams.rollup.slices import Sums
from streams.rollup.timeline import Timeline
from streams.rollup.values import UNKNOWN

GOALS_KEY: Final = b"goals"
"""Key of the changelog record that says which series of goals were published."""

_json: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(dict[str, Unit])


class GoalSeries:
    """What was published of goals.

    Args:
        goals: All that hold.
        currency: The reporting currency.
        version_base: What the revisions of this generation of state begin above.
    """

    def __init__(self, goals: Goals, currency: str, version_base: int = 0) -> None:
        self._goals = goals
        self._currency = currency
        self._version_base = version_base
        self._due = False
        self._said: dict[str, tuple[Content | None, Unit]] = {}
        self._ending: dict[str, Unit] = {}
        """What the last publication said to be unknown; Kafka has it for certain when there is another one."""
        self._stored: dict[str, Unit] = {}
        self._since_ms: int | None = None
        self._passed_by: dict[tuple[str, str], None] = {}

    def restore(self, record: bytes | None, newest_ms: int | None) -> None:
        """Take over what a former owner had published when it made its last checkpoint.

        Args:
            record: Of :data:`GOALS_KEY`; None: nothing.
            newest_ms: Newest event time then.
        """
        self._stored = _decoder.decode(body_of(record)) if record is not None else {}
        self._said = {key: (None, unit) for key, unit in self._stored.items()}
        self._since_ms = newest_ms or 0

    def unsaved(self) -> dict[str, Unit] | None:
        """Return what the next checkpoint is to store; None where nothing changed."""
        told = self._ending | {key: unit for key, (_, unit) in self._said.items()} | dict(self._former(None))
        if told == self._stored:
            return None
        self._stored = told
        return told

    def pass_by(self, dims: str, delta: Sums) -> None:
        """Take note of definitions in what a cell grew by, before the first publication after a restart."""
        if self._since_ms is not None:
            names = (name for name, value in delta.items() if value > 0 and name.startswith(PREFIX))
            self._passed_by.update(dict.fromkeys((parse_dims(dims)[GROUPING], name) for name in names))

    def note(self, series: Series) -> None:
        """Take what a series of the grouping ``target`` says of its goal."""
        self._goals.note(series)

    def renew(self, *, everything: bool) -> None:
        """Have goals looked at again; and published again, changed or not, when ``everything`` is."""
        self._due = True
        if everything:
            said = self._ending | {key: unit for key, (_, unit) in self._said.items()}
            self._said = {key: (None, unit) for key, unit in said.items()}

    def values(self, series_of: SeriesOf, timeline: Timeline, now_ms: int, stamp: Stamp) -> Iterator[Published]:
        """Return what changed; what is no goal any more is unknown, once."""
        self._ending = {}
        if not self._due:
            return
        self._due = False
        for key, unit in self._former(now_ms):
            self._said.setdefault(key, (None, unit))
        self._since_ms, self._passed_by = None, {}
        whole = series_of("")
        revision = self._version_base + (whole.revision if whole is not None else 0)
        said: dict[str, tuple[Content | None, Unit]] = {}
        for kpi, window, dimensions, computed, unit in self._goals.values(series_of, timeline, now_ms):
            key = f"{kpi}|{WINDOWS[window]}|{dims_key(dimensions)}"
            content = Content(computed, None, timeline.windows[window].span)
            said[key] = (content, unit)
            if self._said.get(key) != said[key]:
                yield self._published(key, unit, content, revision, stamp)
        for key, (_, unit) in self._said.items():
            if key not in said:
                self._ending[key] = unit
                window = WINDOWS.index(key.split("|")[1])
                content = Content(UNKNOWN, None, timeline.windows[window].span)
                yield self._published(key, unit, content, revision, stamp)
        self._said = said

    def _former(self, now_ms: int | None) -> Iterator[tuple[str, Unit]]:
        """Return what a former owner may have published since its last checkpoint: series and their units."""
        if self._since_ms is not None:
            for kpi, window, dims, unit in self._goals.former(self._passed_by, self._since_ms, now_ms):
                yield f"{kpi}|{window}|{dims}", unit

    def _published(self, key: str, unit: Unit, content: Content, revision: int, stamp: Stamp) -> Published:
        kpi, window, dims = key.split("|")
        currency = self._currency if unit == "money" else None
        value = kpi_value(kpi, window, parse_dims(dims), unit, currency, content, revision, stamp)
        return Published(key, kpi, window, dims, value, _json.encode(value))


__all__ = ["GOALS_KEY", "GoalKey", "GoalSeries"]
