"""Short ways to write rows, plans and what accounts add down."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import count
from typing import Any, Literal

import msgspec
import orjson

from schemas.catalogue import KPIS, Kpi
from schemas.decode import decode
from schemas.rows import Frame, Row, Section
from schemas.settings import settings_from
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator
from streams.fold.gathering import flat
from streams.fold.rules import FoldRules
from streams.intake.normalise import Normaliser
from streams.plan import Plan
from streams.rollup.upstream import RollupRules
from streams.time import Calendar

CALENDAR = Calendar("Europe/Berlin")
PLAN = Plan()
RULES = FoldRules()
_normaliser = Normaliser(settings_from({"time": {"zone": "Europe/Berlin"}}))
_ids = count(1)


def at(text: str) -> int:
    """UTC ms of a local time in Berlin."""
    return CALENDAR.instant(datetime.fromisoformat(text))


def row(event_type: str, when: str | int, account_id: str = "a", offset: int = 0, **fields: Any) -> Row:
    """A row as intake makes it; a deal event is of deal "d" if it does not say."""
    if event_type.startswith("deal."):
        fields.setdefault("deal_id", "d")
    if event_type.startswith("email."):
        fields.setdefault("message_id", "m")
    event = {
        "event_id": f"e{next(_ids):06}",
        "event_type": event_type,
        "occurred_at": at(when) if isinstance(when, str) else when,
        "account_id": account_id,
        **fields,
    }
    return _normaliser.row(decode(orjson.dumps(event)), 0, offset, 1 << 52)


def frame(rows: Iterable[Row], start: int, end: int, *, partition: int = 0, base: bool = False) -> Frame:
    """A frame of one section; rows get the offsets from its start on."""
    numbered = [msgspec.structs.replace(found, offset=start + place) for place, found in enumerate(rows)]
    return Frame((Section("events", partition, 0, start, end, base),), numbered, 0, 0)


def rollup_rules(currency: str = "USD", partitions: int = 1, clock: Literal["wall", "event"] = "wall") -> RollupRules:
    """What a rollup needs of the settings."""
    return RollupRules(currency, partitions, clock, 10_000, 10_000)


def plan_of(*names: str, dimensions: tuple[str, ...] | None = None) -> Plan:
    """A plan of a few KPIs of the catalogue."""
    kpis: list[Kpi] = [kpi for kpi in KPIS if kpi.name in names]
    if dimensions is not None:
        kpis = [msgspec.structs.replace(kpi, dimensions=dimensions) for kpi in kpis]
    return Plan(kpis)


def drained(out: Accumulator) -> dict[tuple[str, int], dict[str, int]]:
    """What has been gathered: ``(dimension key, start of the 10 s slice) -> measure -> integer``."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    for dims, start_ms, sums in flat(out.drain()):
        found.setdefault((dims, start_ms), {}).update(sums)
    return found


class Book:
    """One account, and what it has added so far: ``(dimension key, measure) -> integer``."""

    def __init__(self, plan: Plan = PLAN, rules: FoldRules = RULES) -> None:
        self.out = Accumulator(plan, CALENDAR, rules)
        self.account = Account(AccountRecord([], {}), self.out)
        self._sums: dict[tuple[str, str, int], int] = {}

    def take(self, *rows: Row, horizon_ms: int = -(1 << 60)) -> Book:
        for found in rows:
            self.account.fold(msgspec.structs.replace(found), horizon_ms)
        for dims, start_ms, sums in flat(self.out.drain()):
            for measure, delta in sums.items():
                key = (dims, measure, start_ms)
                self._sums[key] = self._sums.get(key, 0) + delta
        return self

    def slices(self, measure: str, dims: str = "") -> dict[int, int]:
        """10 s slices of a measure that are not 0."""
        return {start: n for (d, m, start), n in self._sums.items() if (d, m) == (dims, measure) and n}

    def sum(self, measure: str, dims: str = "") -> int:
        return sum(self.slices(measure, dims).values())

    def everything(self) -> dict[tuple[str, str, int], int]:
        return {key: value for key, value in self._sums.items() if value}
