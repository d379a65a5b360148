"""Who works on the floor: teams with regions, and reps of differing skill."""

import random
from typing import NamedTuple

from streams.simulator.chance import Pick, chance_for
from streams.simulator.config import Channel, Currency, Product, SimulationConfig, Source

_TEAM_REGIONS = (
    ("north", "north"),
    ("south", "south"),
    ("east", "east"),
    ("west", "west"),
    ("central", "central"),
    ("key-accounts", "north"),
    ("partners", "west"),
)


class Rep(NamedTuple):
    """A sales rep. `skill` multiplies the odds of a win, `pace` the time taken, `weight` the share of leads."""

    rep_id: str
    team_id: str
    region: str
    skill: float
    pace: float
    weight: float


class Cast(NamedTuple):
    """Everyone and everything that is drawn from."""

    reps: tuple[Rep, ...]
    rep: Pick[Rep]
    source: Pick[Source]
    channel: Pick[Channel]
    product: Pick[Product]
    currency: Pick[Currency | None]


def hire(config: SimulationConfig) -> tuple[Rep, ...]:
    """The reps of a seed, spread over the teams in turn."""
    rng = chance_for("cast", config.seed)
    width = max(2, len(str(config.reps)))
    reps = []
    for number in range(config.reps):
        place = number % config.teams
        team, region = _TEAM_REGIONS[place] if place < len(_TEAM_REGIONS) else (f"{place + 1:02d}", f"{place + 1:02d}")
        skill = min(1.45, max(0.6, rng.gauss(1.0, 0.2)))
        pace, weight = rng.uniform(0.75, 1.3), rng.uniform(0.6, 1.4)
        reps.append(Rep(f"r-{number + 1:0{width}d}", f"t-{team}", region, skill, pace, weight))
    return tuple(reps)


def assemble(config: SimulationConfig, rng: random.Random) -> Cast:
    """The cast of a configuration; `rng` is what its choices are drawn with."""
    reps = hire(config)
    foreign = config.currencies
    home_share = max(0.0, 1.0 - sum(currency.share for currency in foreign))
    return Cast(
        reps=reps,
        rep=Pick(reps, [rep.weight for rep in reps], rng),
        source=Pick(config.sources, [source.weight for source in config.sources], rng),
        channel=Pick(config.channels, [channel.weight for channel in config.channels], rng),
        product=Pick(config.products, [product.weight for product in config.products], rng),
        currency=Pick((*foreign, None), [*(currency.share for currency in foreign), home_share], rng),
    )
