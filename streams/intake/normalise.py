"""Events to rows: one currency, one scale, one sort of time, and a place for everything."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Final

from schemas.catalogue.compose import catalogue_of
from schemas.decode import MAX_EVENT_BYTES, Headers, decode, instant_ms
from schemas.diagnose import excerpt
from schemas.errors import InvalidEvent
from schemas.events import (
    EVENT_CLASSES,
    BaseEvent,
    Item,
    LeadEvent,
    ServiceSatisfaction,
    SpendRecorded,
    TargetSet,
    WebVisit,
)
from schemas.own_fields import OwnFields
from schemas.rows import COLUMNS, KIND, Row
from schemas.rows import Item as RowItem
from schemas.settings import Settings
from schemas.windows import EVENT_DIMENSIONS
from streams.intake.money import Factors, convert, factor_of, factors
from streams.intake.targets import target_fields

SPEND_ACCOUNTS: Final = 16
"""Spend has no account; it is spread over so many, always the same for one event_id, so that duplicates meet."""

_OWN: Final = ("ref", "amount", "cost", "label", "label2", "label3", "number", "items")
_ACCOUNTLESS: Final = ("spend.recorded", "target.set")
_FIELDS: Final = {"rep": "rep_id", "team": "team_id"}
_HASH: Final = blake2b(digest_size=8)
_INT64: Final = struct.Struct("<q")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_parse: Final = datetime.fromisoformat


def _getter(event_type: str) -> Callable[[BaseEvent], tuple[Any, ...]]:
    """Read all columns of a row from an event in one call; what the type does not have reads as None."""
    account = "event_id" if event_type in _ACCOUNTLESS else "account_id"
    dimensions = (_FIELDS.get(name, name) for name in EVENT_DIMENSIONS)
    own = (COLUMNS[event_type].get(column, "nothing") for column in _OWN)
    return operator.attrgetter("event_id", "occurred_at", account, *dimensions, "currency", *own)


_SPECIAL: Final = frozenset(
    {
        "spend.recorded",
        "target.set",
        "service.satisfaction",
        "web.visit",
        *(name for name in KIND if name[:5] == "lead."),
    }
)
_PLANS: Final = {kind: (KIND[name], name in _SPECIAL, _getter(name)) for name, kind in EVENT_CLASSES.items()}
"""Struct -> kind, whether its columns do not say everything, and what reads them."""


def event_hash(event_id: str) -> int:
    """Return the 8-byte BLAKE2b hash of an event_id as a signed integer."""
    digest = _HASH.copy()
    digest.update(event_id.encode())
    hashed: int = _INT64.unpack(digest.digest())[0]
    return hashed


class Normaliser:
    """Turns events into rows as the settings say.

    Args:
        settings: Reporting currency and rates, scale of scores, how far in the future an event may lie.
    """

    def __init__(self, settings: Settings) -> None:
        self._currency = settings.money.currency
        self._factors: Factors = factors(settings.money)
        self._skew_ms = int(settings.time.future_skew)
        self._scale = settings.kpi.satisfaction_scale
        catalogue = catalogue_of(settings)
        own = OwnFields(catalogue.dimensions, catalogue.measures)
        self._own_fields = own if own else None

    def take(
        self,
        raw: bytes | None,
        headers: Headers,
        section: int,
        offset: int,
        now_ms: int,
        max_bytes: int = MAX_EVENT_BYTES,
    ) -> Row:
        """Return the row of a message, with the fields of the user's own that the catalogue asks for.

        Args:
            raw: Its value.
            headers: Its headers.
            section: As of :meth:`row`.
            offset: As of :meth:`row`.
            now_ms: As of :meth:`row`.
            max_bytes: Longer messages are refused unread.

        Raises:
            InvalidEvent: It is no event, or cannot be counted.
        """
        row = self.row(decode(raw, headers, max_bytes), section, offset, now_ms)
        if self._own_fields is not None and raw is not None:
            row.fields = self._own_fields.read(row.kind, raw)
        return row

    def row(self, event: BaseEvent, section: int, offset: int, now_ms: int) -> Row:
        """Return the row of an event.

        Args:
            event: A decoded event.
            section: Index of its section in the frame.
            offset: Its offset in the source partition.
            now_ms: Wall clock, UTC milliseconds; an event further ahead of it than the allowed skew is refused.

        Raises:
            InvalidEvent: It cannot be counted: a bad date, the future, an unknown currency, a blank identifier.
        """
        kind, special, get = _PLANS[type(event)]
        (
            event_id,
            occurred_at,
            account,
            rep,
            team,
            region,
            source,
            channel,
            product,
            currency,
            ref,
            amount,
            cost,
            label,
            label2,
            label3,
            number,
            items,
        ) = get(event)
        if event_id < "!" or account < "!" or (ref and ref < "!"):  # they may be nothing but spaces
            _refuse_blank_ids(event)
        # What instant_ms and event_hash do, once more in place: a call each is a twentieth of what intake spends.
        try:
            at_ms = (_parse(occurred_at) - _EPOCH) // _MILLISECOND
        except (TypeError, ValueError, OverflowError):
            at_ms = instant_ms(occurred_at)
        if at_ms < 0:
            instant_ms(occurred_at)  # says what is wrong
        digest = _HASH.copy()
        digest.update(event_id.encode())
        if at_ms > now_ms + self._skew_ms:
            raise InvalidEvent("future", "occurred_at", str(occurred_at), f"at most {self._skew_ms} ms ahead of now")
        if currency and currency != self._currency and _has_money(amount, cost, items):
            factor = factor_of(currency, self._factors)
            amount, cost = convert(amount, factor, "amount"), convert(cost, factor, "cost")
            items = _items(items, factor)
        elif items:
            items = tuple([(item.product or None, item.quantity, item.amount, item.cost) for item in items])
        row = Row(
            section,
            offset,
            kind,
            at_ms,
            _INT64.unpack(digest.digest())[0],
            event_id,
            account,
            rep or None,
            team or None,
            region or None,
            source or None,
            channel or None,
            product or None,
            ref or None,
            amount,
            cost,
            label or None,
            label2 or None,
            label3 or None,
            number,
            items or None,
        )
        if special:
            self._complete(row, event)
        return row

    def _complete(self, row: Row, event: BaseEvent) -> None:
        """What the columns alone do not say."""
        if isinstance(event, LeadEvent):
            row.ref = row.ref or row.account
        elif isinstance(event, WebVisit):
            row.number = None if event.advertisement is None else int(event.advertisement)
        elif isinstance(event, SpendRecorded):
            row.account = f"\0spend{row.event_hash % SPEND_ACCOUNTS}"
        elif isinstance(event, TargetSet):
            row.account = f"\0target{event.target_id}"
            row.extra = target_fields(event, self._currency, self._factors)
        elif isinstance(event, ServiceSatisfaction):
            row.number = self._thousandths(event)

    def _thousandths(self, event: ServiceSatisfaction) -> int:
        scale = self._scale if event.scale is None else event.scale
        if scale == 0:
            raise InvalidEvent("wrong_value", "scale", "0", "a number above 0")
        if event.score > scale:
            raise InvalidEvent("out_of_range", "score", str(event.score), f"a number from 0 to its scale, {scale}")
        exact = Fraction(str(event.score)) / Fraction(str(scale)) * self._scale * 1000
        return int((2 * exact + 1) // 2)


def _refuse_blank_ids(event: BaseEvent) -> None:
    for field in ("event_id", "account_id", "deal_id", "message_id", "target_id"):
        text = getattr(event, field, "-")
        if text.isspace():
            raise InvalidEvent("empty_id", field, excerpt(text), "an identifier that is not empty")


def _has_money(amount: int | None, cost: int | None, items: tuple[Item, ...] | None) -> bool:
    """Tell whether there is anything to convert: a visit may well name a currency that nobody has a rate for."""
    parts = [(amount, cost), *((item.amount, item.cost) for item in items or ())]
    return any(part != (None, None) for part in parts)


def _items(items: tuple[Item, ...] | None, factor: tuple[int, int]) -> tuple[RowItem, ...] | None:
    if not items:
        return None
    return tuple(
        (
            item.product or None,
            item.quantity,
            convert(item.amount, factor, f"items[{index}].amount"),
            convert(item.cost, factor, f"items[{index}].cost"),
        )
        for index, item in enumerate(items)
    )
