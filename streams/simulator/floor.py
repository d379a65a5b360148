"""A history at the pace of real life, and what the live floor has in common with it."""

import heapq
import math
from collections.abc import Callable, Iterator
from operator import attrgetter

from streams.simulator import agenda
from streams.simulator.agenda import Entry, Outlook
from streams.simulator.chance import chance_for
from streams.simulator.config import SimulationConfig
from streams.simulator.delivery import deliver
from streams.simulator.engine import SimulatedEvent, arrivals, run
from streams.simulator.pacing import Span, endless_spans, history_spans, instants
from streams.simulator.pilot import Pilot, rehearse
from streams.simulator.world import DAY_MS, World


def simulate(config: SimulationConfig, start_ms: int, end_ms: int | None = None) -> Iterator[SimulatedEvent]:
    """A history of the floor, from its opening at `start_ms`.

    Args:
        config: What kind of floor; `events_per_second` is the average over the whole history and met exactly.
        start_ms: UTC epoch ms, inclusive.
        end_ms: UTC epoch ms, exclusive; None: for ever, growing to the average rate as customers come back.

    Returns:
        Events in order of `occurred_at` (of sending, if the settings delay some).

    Raises:
        ValueError: The end is not after the start.
    """
    if end_ms is not None and end_ms <= start_ms:
        msg = f"simulator: end_ms: found {end_ms}, allowed: later than start_ms, {start_ms}"
        raise ValueError(msg)
    pilot = rehearse(config)
    rate_per_ms = own_rate(config)
    leads_per_ms, spans = _arrivals_and_spans(config, pilot, start_ms, end_ms)
    outlook = Outlook(pilot.revenue_per_lead, rate_per_ms / pilot.events_per_lead)
    world = World(config, config.label, drop_from_ms(config, start_ms))
    days = agenda.days(config, start_ms, end_ms or math.inf, rate_per_ms)
    entries = in_order(
        agenda.goals(config, world.label, outlook, start_ms, end_ms), agenda.spend(config, outlook, days)
    )
    return play(world, lambda: 1 / leads_per_ms, spans, entries, start_ms)


def _arrivals_and_spans(
    config: SimulationConfig, pilot: Pilot, start_ms: int, end_ms: int | None
) -> tuple[float, Iterator[Span]]:
    """Leads per ms of journey time, and the spans that say when their events happen."""
    rate_per_ms = own_rate(config)
    if end_ms is None:
        leads_per_ms = rate_per_ms / config.speed / pilot.events_per_lead
        spans = endless_spans(config.zone, start_ms, pilot, config.speed, leads_per_ms)
        return min(leads_per_ms, most_leads_per_ms(config, pilot)), spans
    length_ms = end_ms - start_ms
    journey_ms = length_ms * config.speed
    leads_per_ms = rate_per_ms * length_ms / pilot.events_until(journey_ms)
    spans = history_spans(config.zone, start_ms, end_ms, pilot, config.speed, leads_per_ms)
    return min(leads_per_ms, most_leads_per_ms(config, pilot, journey_ms)), spans


def play(
    world: World, gap_ms: Callable[[], float], spans: Iterator[Span], entries: Iterator[Entry], opens_ms: int
) -> Iterator[SimulatedEvent]:
    """Let the floor run: leads `gap_ms` of journey time apart, at the instants of the spans."""
    times = instants(spans, chance_for("instants", world.config.seed))
    return deliver(run(world, arrivals(world, gap_ms), times, entries, opens_ms), world.config)


def in_order(*entries: Iterator[Entry]) -> Iterator[Entry]:
    """Several agendas as one, by time."""
    return heapq.merge(*entries, key=attrgetter("at_ms"))


def own_rate(config: SimulationConfig) -> float:
    """Events per ms without the duplicates, which come on top."""
    return config.events_per_second / 1000 / (1 + config.duplicate_share)


def most_leads_per_ms(config: SimulationConfig, pilot: Pilot, length_ms: float = math.inf) -> float:
    """Arrivals per ms of journey time at which the open scripts of a day or more stay within `max_open`."""
    return config.max_open / min(pilot.life_ms, max(length_ms, DAY_MS))


def drop_from_ms(config: SimulationConfig, start_ms: int) -> float:
    """When the conversion drop begins, UTC epoch ms; never, if there is none."""
    drop = config.conversion_drop
    if drop is None:
        return math.inf
    return start_ms + drop.after_s * 1000 if drop.at_ms is None else drop.at_ms
