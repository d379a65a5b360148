"""What the scripts share: chance, the present moment, accounts, and how an event is put into words.

A script is a generator of moments `(wait, topic, event)`: after `wait` milliseconds of journey time the event
happens. A moment without topic is a wait only. Scripts read `World.now_ms` when they go on, so what they decide
after a wait is decided at that moment.
"""

import math
from collections.abc import Generator, Mapping
from typing import TypeAlias, TypeVar

from streams.simulator.cast import Rep, assemble
from streams.simulator.chance import chance_for
from streams.simulator.config import Channel, Currency, Product, SimulationConfig, Source

Event: TypeAlias = dict[str, object]
Moment: TypeAlias = tuple[float, str, Event]
Result = TypeVar("Result")
Part: TypeAlias = Generator[Moment, None, Result]
Script: TypeAlias = Generator[Moment, None, None]

SECOND_MS = 1_000.0
MINUTE_MS = 60_000.0
HOUR_MS = 3_600_000.0
DAY_MS = 86_400_000.0

_NOTHING: Event = {}


class Account:
    """A person or company, from the first visit to the last return."""

    __slots__ = (
        "account_id", "channel", "churned", "currency", "deals", "dimensions", "held", "last_ms", "lead_id",
        "number", "product", "rep", "source", "things",
    )  # fmt: skip

    def __init__(
        self, number: str, rep: Rep, source: Source, channel: Channel, product: Product, currency: Currency | None
    ) -> None:
        """An account that has not happened yet."""
        self.number = number
        self.account_id = f"a-{number}"
        self.lead_id: str | None = None
        self.rep, self.source, self.channel, self.product, self.currency = rep, source, channel, product, currency
        self.last_ms = -1
        self.deals = self.things = self.held = 0
        self.churned = False
        self.dimensions: Event = {}
        self.hand_to(rep)

    def hand_to(self, rep: Rep) -> None:
        """From now on this rep and team look after the account."""
        self.rep = rep
        self.dimensions = {
            "account_id": self.account_id,
            "rep_id": rep.rep_id,
            "team_id": rep.team_id,
            "region": rep.region,
            "source": self.source.name,
            "channel": self.channel.name,
        }

    def thing(self, prefix: str) -> str:
        """A new unique id of the account's: of a call, message, cart or invoice."""
        self.things += 1
        return f"{prefix}-{self.number}-{self.things}"


class World:
    """The state that the running scripts share."""

    def __init__(self, config: SimulationConfig, label: str, drop_from_ms: float) -> None:
        """An empty floor; `label` goes into the ids, the conversion drop (if any) begins at `drop_from_ms`."""
        self.config = config
        self.rng = chance_for("floor", config.seed)
        self.chance = self.rng.random
        self.cast = assemble(config, self.rng)
        self.label = f"{label}-" if label else ""
        self.now_ms = 0
        self.accounts = 0
        self.revenue = 0
        self.spawned: list[tuple[Script, Account]] = []
        self._drop_from_ms = drop_from_ms

    def new_account(self) -> Account:
        """The next account, with what chance gives it."""
        self.accounts += 1
        cast = self.cast
        number = f"{self.label}{self.accounts:06d}"
        return Account(number, cast.rep(), cast.source(), cast.channel(), cast.product(), cast.currency())

    def spawn(self, script: Script, account: Account) -> None:
        """Let a further script of the account run beside the others."""
        self.spawned.append((script, account))

    def after(self, mean_ms: float) -> float:
        """A waiting time: never nothing, mostly short, sometimes long."""
        return mean_ms * (0.15 - 0.85 * math.log(1.0 - self.chance()))

    def pause(self, mean_ms: float) -> Moment:
        """A wait in which nothing is told."""
        return (self.after(mean_ms), "", _NOTHING)

    def win_factor(self, source: str) -> float:
        """What the conversion drop, if it is on now, leaves of the chance to win."""
        drop = self.config.conversion_drop
        if drop is None or self.now_ms < self._drop_from_ms:
            return 1.0
        if drop.for_s is not None and self.now_ms >= self._drop_from_ms + drop.for_s * 1000:
            return 1.0
        return drop.factor if not drop.sources or source in drop.sources else 1.0

    def recall(self, account: Account, event_type: str, own: Mapping[str, object]) -> Event:
        """A lead or deal event after the first: a share of them leave out what the account told before."""
        if self.chance() < self.config.omit_share:
            return {
                "event_id": "", "event_type": event_type, "occurred_at": "", "account_id": account.account_id, **own,
            }  # fmt: skip
        return {"event_id": "", "event_type": event_type, "occurred_at": "", **account.dimensions, **own}


def tell(account: Account, event_type: str, own: Mapping[str, object]) -> Event:
    """An event that states every dimension; the engine fills in id and time."""
    return {"event_id": "", "event_type": event_type, "occurred_at": "", **account.dimensions, **own}
