"""What can be set of the simulated sales floor, with a mid-sized company as the default."""

import zoneinfo
from typing import Literal

import msgspec


class Source(msgspec.Struct, frozen=True):
    """Where leads come from.

    Attributes:
        name: Value of the dimension `source`.
        weight: Share of the leads, relative to the other sources.
        quality: Factor on the chance of going on from each funnel stage.
        win: Chance that a deal of a rep of average skill is won.
        ticket: Factor on the size of a sale.
        lead_cost: Marketing spend per lead, minor units of the reporting currency.
        online: Whether its people visit the web site before they become leads.
    """

    name: str
    weight: float
    quality: float
    win: float
    ticket: float
    lead_cost: int
    online: bool = False


class Channel(msgspec.Struct, frozen=True):
    """How a lead talks to us; `written` ones are contacted by message instead of by telephone."""

    name: str
    weight: float
    written: bool = False


class Product(msgspec.Struct, frozen=True):
    """A product with its list price and cost, minor units of the reporting currency."""

    name: str
    weight: float
    price: int
    cost: int


class Currency(msgspec.Struct, frozen=True):
    """A foreign currency that a share of the accounts buys in.

    Attributes:
        code: ISO 4217.
        share: Share of the accounts, 0 to 1.
        rate: Units of the reporting currency that one unit of this one is worth.
        digits: Decimal places of its minor unit (JPY: 0). The reporting currency is taken to have two.
    """

    code: str
    share: float
    rate: float
    digits: int = 2


class ConversionDrop(msgspec.Struct, frozen=True, kw_only=True):
    """From some moment on deals are won less often; what is not won is lost.

    Attributes:
        at_ms: When it begins, UTC epoch milliseconds; else `after_s` counts.
        after_s: Seconds after the start of the simulation (live: after the live part begins).
        for_s: How long it lasts, seconds; None: for good.
        factor: What the chance of winning is multiplied by.
        sources: Only leads of these sources; empty: all.
    """

    at_ms: int | None = None
    after_s: float = 0.0
    for_s: float | None = None
    factor: float = 0.5
    sources: tuple[str, ...] = ()


class LivePace(msgspec.Struct, frozen=True, kw_only=True):
    """How the live mode compresses time and what history it starts with.

    Attributes:
        speed: How much faster journeys run than in real life: 1440 makes a day a minute.
        backfill_days: Days of history before the start; 0: none.
        warm_s: The last seconds of the history already run at the live rate, so that short windows compare.
        backfill_limit: At most about this many events of history.
    """

    speed: float = 1440.0
    backfill_days: float = 14.0
    warm_s: float = 900.0
    backfill_limit: int = 100_000


DEFAULT_SOURCES = (
    Source("web", 0.34, 1.00, 0.50, 0.90, 2_400, online=True),
    Source("referral", 0.14, 1.22, 0.72, 1.25, 900),
    Source("ads", 0.28, 0.84, 0.40, 0.85, 5_200, online=True),
    Source("event", 0.10, 1.08, 0.56, 1.30, 9_500),
    Source("cold", 0.14, 0.70, 0.32, 1.05, 1_800),
)
DEFAULT_CHANNELS = (
    Channel("phone", 0.34),
    Channel("email", 0.24, written=True),
    Channel("web", 0.18),
    Channel("whatsapp", 0.14, written=True),
    Channel("instagram", 0.10, written=True),
)
DEFAULT_PRODUCTS = (
    Product("Starter", 0.30, 49_00, 15_00),
    Product("Team", 0.26, 249_00, 90_00),
    Product("Business", 0.18, 990_00, 410_00),
    Product("Enterprise", 0.07, 4_900_00, 2_300_00),
    Product("Onboarding", 0.11, 390_00, 260_00),
    Product("Support Plus", 0.08, 149_00, 62_00),
)
DEFAULT_STAGES = ("new", "contacted", "first_meeting", "proposal", "negotiation")


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole floor; equal settings give equal events.

    Attributes:
        seed: Decides everything that is left to chance.
        events_per_second: Messages per second, averaged over the rhythm of week and year.
        teams, reps: How many there are.
        stages: The funnel's stages in order, at least three.
        zone: Business time zone (IANA) of the rhythm, the months of goals and the days of spend.
        speed: Factor by which journeys run faster than in real life (histories).
        label: Put into every id, so that two runs into one system do not meet; empty: nothing (live: the start).
        omit_share: Share of lead and deal events that leave out dimensions already told.
        duplicate_share: Share of the events that are sent twice.
        disorder_s: Events arrive up to this many seconds after they happened.
        late_share: Share of the events that arrive later still, by up to `late_s` seconds.
        time_format: How `occurred_at` is written.
        max_open: About how many scripts run at a time; at high rates journeys get shorter to keep to it.
    """

    seed: int = 1
    events_per_second: float = 1.0
    teams: int = 4
    reps: int = 24
    sources: tuple[Source, ...] = DEFAULT_SOURCES
    channels: tuple[Channel, ...] = DEFAULT_CHANNELS
    products: tuple[Product, ...] = DEFAULT_PRODUCTS
    stages: tuple[str, ...] = DEFAULT_STAGES
    currencies: tuple[Currency, ...] = ()
    zone: str = "UTC"
    speed: float = 1.0
    label: str = ""
    omit_share: float = 0.3
    conversion_drop: ConversionDrop | None = None
    duplicate_share: float = 0.0
    disorder_s: float = 0.0
    late_share: float = 0.0
    late_s: float = 3600.0
    time_format: Literal["rfc3339", "ms", "mixed"] = "rfc3339"
    max_open: int = 50_000

    def __post_init__(self) -> None:
        """Refuse what no floor can be made of.

        Raises:
            ValueError: One line that names the field, what was found and what is allowed.
        """
        for name in ("events_per_second", "speed", "teams", "reps", "max_open"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("omit_share", "duplicate_share", "late_share"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        for name in ("sources", "channels", "products"):
            _require(len(getattr(self, name)) > 0, name, "none", "one or more")
        for name in ("disorder_s", "late_s"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(len(self.stages) > 2, "stages", self.stages, "three or more")
        foreign_share = sum(currency.share for currency in self.currencies)
        _require(foreign_share <= 1, "currencies", f"shares that add up to {foreign_share}", "at most 1")
        try:
            zoneinfo.ZoneInfo(self.zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            msg = f"simulator: zone: found {self.zone!r}, allowed: an IANA time zone such as Europe/Berlin"
            raise ValueError(msg) from error


def _require(holds: object, name: str, found: object, allowed: str) -> None:
    if not holds:
        msg = f"simulator: {name}: found {found}, allowed: {allowed}"
        raise ValueError(msg)
