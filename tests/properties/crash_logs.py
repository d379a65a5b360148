"""Logs of one partition for the crash model, and what an uninterrupted fold and rollup make of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import orjson

from schemas.catalogue import KPIS
from schemas.decode import decode
from schemas.rows import Frame, Section
from schemas.settings import settings_from
from schemas.windows import DAY_MS, MINUTE_MS, RESOLUTIONS, RETENTION_MS
from schemas.wire import CellsMessage, body_of, fence_of
from streams.fold.cells import parse_place
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.intake.normalise import Normaliser
from streams.plan import Plan
from streams.rollup.owner import Rollup, RollupRules
from streams.time import Calendar

START_MS = 1_729_900_000_000  # the day before Berlin's clocks go back
_NAMES = {"revenue", "new_customers", "active_customers", "repeat_customer_share", "calls", "email_open_rate"}
PLAN = Plan([msgspec.structs.replace(kpi, dimensions=("rep",)) for kpi in KPIS if kpi.name in _NAMES])
CALENDAR = Calendar("Europe/Berlin")
_FOLD_RULES = FoldRules(dedupe_horizon_ms=2 * DAY_MS)
_RULES = RollupRules("USD", 1, "event", 10_000, 10_000)
_TYPES = (
    *("deal.created", "deal.won", "deal.won", "deal.lost", "deal.amended", "deal.returned"),
    *("lead.created", "call.completed", "email.sent", "email.opened", "web.visit"),
)

_encoder = msgspec.msgpack.Encoder()
_slices = msgspec.msgpack.Decoder(dict[int, dict[str, int]])

Record = tuple[bytes, bytes | None]
Cell = tuple[str, int, int]
"""Dimension key, index of the resolution, start of the slice."""


def new_fold() -> PartitionFold:
    return PartitionFold(0, PLAN, CALENDAR, _FOLD_RULES)


def new_rollup() -> Rollup:
    return Rollup(0, PLAN, CALENDAR, _RULES, has_global=True)


def cells_message(fold: PartitionFold) -> bytes:
    """Return what the fold has to say to the rollup."""
    return _encoder.encode([CellsMessage(0, fold.fence, fold.newest_ms, 0, 0, None, fold.take_changed())])


def latest(rollup: Rollup) -> dict[str, dict[str, Any]]:
    """Return every value of a rollup by its key, without what depends on when it was asked."""
    publication = rollup.publication(0, complete=True)
    values = publication.values if publication else ()
    return {value.key: {**value.value.to_dict(), "revision": 0} for value in values}


class Log:
    """A log, and the fold of each of its prefixes.

    Some frames overlap earlier ones, some follow a frame that was lost (and are refused), some are empty; half way
    there are days without events, so that cells expire and old statements are joined.
    """

    def __init__(self, seed: int) -> None:
        self.frames = _frames(random.Random(seed))
        self._states: dict[tuple[int, bytes], list[tuple[int, Any]]] = {}
        fold, rollup = new_fold(), new_rollup()
        was_refused = False
        for offset, frame in enumerate(self.frames):
            fold.fold(offset, msgspec.msgpack.decode(frame, type=Frame))
            was_refused |= bool(fold.missing)
            for table, records in enumerate(fold.checkpoint()[1:]):
                for key, value in records:
                    self._states.setdefault((table, key), []).append((offset, value))
        assert fold.newest_ms is not None
        assert fold.duplicates
        assert was_refused
        self.newest_ms = fold.newest_ms
        for message in msgspec.msgpack.decode(cells_message(fold), type=list[CellsMessage]):
            rollup.take(message, 0)
        self.values = latest(rollup)
        cells = {(dims, resolution, start): sums for dims, resolution, start, sums in fold.cells.cells()}
        self._cells = {cell: sums for cell, sums in cells.items() if self._is_kept(cell[1], cell[2])}
        self._judged: dict[tuple[int, bytes, bytes | None], bool] = {}
        self.final = {where: self.content(where, states[-1][1]) for where, states in self._states.items()}

    def at(self, where: tuple[int, bytes], fence: int) -> Any:
        """Return a record's content as the fold of the log up to a fence has it."""
        states = [value for offset, value in self._states.get(where, ()) if offset <= fence]
        return self.content(where, states[-1]) if states else None

    def content(self, where: tuple[int, bytes], value: bytes | None) -> Any:
        """Return a record's content; of blocks only the cells that are kept to the end."""
        if where[0] != 0:
            return None if value is None else bytes(body_of(value))
        resolution = parse_place(where[1])[1]
        slices = {} if value is None else _slices.decode(body_of(value))
        return {start: sums for start, sums in slices.items() if self._is_kept(resolution, start)}

    def differing(self, held: Mapping[Cell, dict[str, int]]) -> list[Cell]:
        """Return the cells that are not as an uninterrupted fold has them; those that are not kept may be anything."""
        found = {cell: sums for cell, sums in held.items() if self._is_kept(cell[1], cell[2])}
        return sorted(cell for cell in {*found, *self._cells} if found.get(cell) != self._cells.get(cell))

    def _is_kept(self, resolution: int, start_ms: int) -> bool:
        return start_ms + RETENTION_MS.get(RESOLUTIONS[resolution], 1 << 60) > self.newest_ms

    def is_right(self, table: int, key: bytes, value: bytes | None) -> bool:
        """Tell whether a changelog record is what the log up to its fence makes of it."""
        found = self._judged.get((table, key, value))
        if found is None:
            where = (table, key)
            right = self.at(where, fence_of(value)) if value is not None else self.final[where]
            found = bool(self.content(where, value) == (right or self.content(where, None)))
            self._judged[table, key, value] = found
        return found


@cache
def log_of(seed: int) -> Log:
    """Return a log; made once."""
    return Log(seed)


def _frames(rng: random.Random) -> list[bytes]:
    normaliser = Normaliser(settings_from({"money": {"currency": "USD"}}))
    sources: list[list[dict[str, Any]]] = [[], []]
    at_ms = START_MS
    for number in range(90):
        at_ms += 5 * DAY_MS if number == 40 else rng.randrange(3 * MINUTE_MS)
        source = sources[rng.randrange(2)]
        again = rng.random() < 0.06 and source
        source.append(rng.choice(source) if again else _event(rng, number, at_ms))
    reached = [0, 0]
    frames: list[bytes] = []
    while any(reached[s] < len(sources[s]) for s in (0, 1)):
        s, sort = rng.randrange(2), rng.random()
        shift = -rng.randrange(3) if sort < 0.15 else 2 if sort > 0.9 and reached[s] else 0
        start = max(0, min(reached[s] + shift, len(sources[s])))
        end = min(start + (0 if 0.15 <= sort < 0.2 else rng.randrange(1, 6)), len(sources[s]))
        rows = [normaliser.row(decode(orjson.dumps(sources[s][o])), 0, o, 1 << 52) for o in range(start, end)]
        frames.append(_encoder.encode(Frame((Section("events", s, 0, start, end, base=start == 0),), rows, 0, 0)))
        if start <= reached[s]:
            reached[s] = max(reached[s], end)
    return frames


def _event(rng: random.Random, number: int, at_ms: int) -> dict[str, Any]:
    late = rng.choice((*[0] * 9, 1_000, 20 * MINUTE_MS, 2 * 60 * MINUTE_MS))
    event: dict[str, Any] = {
        "event_id": f"e{number}",
        "event_type": rng.choice(_TYPES),
        "occurred_at": at_ms - rng.randrange(late + 1),
        "account_id": rng.choice("abcdef"),
    }
    if event["event_type"].startswith("deal."):
        event["deal_id"] = f"d{rng.randrange(3)}"
    if event["event_type"] in ("deal.won", "deal.amended", "deal.returned"):
        event["amount"] = rng.randrange(1000)
    if event["event_type"].startswith("email."):
        event["message_id"] = f"m{rng.randrange(3)}"
    if rng.random() < 0.4:
        event["rep_id"] = rng.choice(("r", "s"))
    return event
