"""The two entry points: a history at the pace of real life, and a floor that runs now with time compressed."""

import heapq
import math
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter

from streams.simulator import agenda
from streams.simulator.chance import chance_for
from streams.simulator.config import LivePace, SimulationConfig
from streams.simulator.delivery import deliver
from streams.simulator.engine import SimulatedEvent, arrivals, run
from streams.simulator.pacing import Span, endless_spans, even_spans, history_spans, instants
from streams.simulator.pilot import Pilot, rehearse
from streams.simulator.world import World

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_DEMO_MS = 3_600_000


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
    rate_per_ms = _own_rate(config)
    spans: Iterator[Span]
    if end_ms is None:
        leads_per_ms = rate_per_ms / config.speed / pilot.events_per_lead
        spans = endless_spans(config.zone, start_ms, pilot, config.speed, leads_per_ms)
        bound = _most_leads_per_ms(config, pilot, math.inf)
    else:
        length_ms = end_ms - start_ms
        leads_per_ms = rate_per_ms * length_ms / pilot.events_until(length_ms * config.speed)
        spans = history_spans(config.zone, start_ms, end_ms, pilot, config.speed, rate_per_ms * length_ms)
        bound = _most_leads_per_ms(config, pilot, length_ms * config.speed)
    outlook = agenda.Outlook(pilot.revenue_per_lead, rate_per_ms / pilot.events_per_lead)
    world = World(config, config.label, _drop_from_ms(config, start_ms))
    gap_ms = 1 / min(leads_per_ms, bound)
    entries = heapq.merge(
        agenda.goals(config, world.label, outlook, start_ms, end_ms),
        agenda.spend(config, outlook, agenda.days(config, start_ms, end_ms or math.inf, rate_per_ms)),
        key=attrgetter("at_ms"),
    )
    times = instants(spans, chance_for("instants", config.seed))
    return deliver(run(world, arrivals(world, lambda: gap_ms), times, entries, start_ms), config)


def live(
    config: SimulationConfig, start_ms: int, pace: LivePace | None = None, end_ms: int | None = None
) -> Iterator[SimulatedEvent]:
    """A floor that runs now: a short history until `start_ms`, then an even rate, with time compressed.

    The history has the rhythm and pace of real life, up to its last `warm_s` seconds, which run like what follows.
    Journeys begun in the history go on after it. Send each event at its `at_ms`; those before the start at once.

    Args:
        config: What kind of floor; `events_per_second` is the rate from `start_ms` on. `speed` is the pace's here.
        start_ms: Now, UTC epoch ms.
        pace: How time is compressed, and how much history there is.
        end_ms: UTC epoch ms, exclusive; None: for ever.

    Returns:
        Events in order of `occurred_at` (of sending, if the settings delay some).
    """
    pace = pace or LivePace()
    pilot = rehearse(config)
    rate_per_ms = _own_rate(config)
    begin_ms = start_ms - int(pace.backfill_days * agenda.DAY_LENGTH_MS)
    warm_ms = min(pace.warm_s * 1000, pace.backfill_limit / 2 / rate_per_ms, (start_ms - begin_ms) / 2)
    switch_ms = start_ms - int(warm_ms)
    most = _most_leads_per_ms(config, pilot, math.inf)
    live_leads_per_ms = min(rate_per_ms / pace.speed / pilot.events_per_lead, most)
    leads_per_ms = live_leads_per_ms
    spans: Iterator[Span] = even_spans(switch_ms, end_ms, rate_per_ms)
    if begin_ms < switch_ms:
        leads_per_ms = min(leads_per_ms, pace.backfill_limit / 2 / pilot.events_until(switch_ms - begin_ms))
        past = history_spans(config.zone, begin_ms, switch_ms, pilot, 1.0, None, leads_per_ms)
        spans = chain(past, spans)
    outlook = agenda.Outlook(
        pilot.revenue_per_lead,
        leads_per_ms,
        switch_ms,
        rate_per_ms / pilot.events_per_lead,
        start_ms + _DEMO_MS,
    )
    world = World(config, config.label or _base36(start_ms // 1000), _drop_from_ms(config, start_ms))
    entries = _live_agenda(world, outlook, begin_ms, switch_ms, end_ms, pace, rate_per_ms)

    def gap_ms() -> float:
        return 1 / (leads_per_ms if world.now_ms < switch_ms else live_leads_per_ms)

    times = instants(spans, chance_for("instants", config.seed))
    return deliver(run(world, arrivals(world, gap_ms), times, entries, begin_ms), config)


def _live_agenda(
    world: World,
    outlook: agenda.Outlook,
    begin_ms: int,
    switch_ms: int,
    end_ms: int | None,
    pace: LivePace,
    rate_per_ms: float,
) -> Iterator[agenda.Entry]:
    """Goals from just before the history on; spend by days in the history, by compressed days after it."""
    config = world.config
    spend = heapq.merge(
        agenda.spend(config, outlook, agenda.days(config, begin_ms, switch_ms, rate_per_ms / pace.speed)),
        agenda.spend(config, outlook, agenda.intervals(config, switch_ms, pace.speed, rate_per_ms)),
        key=attrgetter("at_ms"),
    )
    return heapq.merge(agenda.goals(config, world.label, outlook, begin_ms - 1, end_ms), spend, key=attrgetter("at_ms"))


def _own_rate(config: SimulationConfig) -> float:
    """Events per ms without the duplicates, which come on top."""
    return config.events_per_second / 1000 / (1 + config.duplicate_share)


def _most_leads_per_ms(config: SimulationConfig, pilot: Pilot, length_ms: float) -> float:
    """Arrivals per ms of journey time at which the open scripts stay within `max_open`."""
    return config.max_open / min(pilot.life_ms, length_ms)


def _drop_from_ms(config: SimulationConfig, start_ms: int) -> float:
    drop = config.conversion_drop
    if drop is None:
        return math.inf
    return start_ms + drop.after_s * 1000 if drop.at_ms is None else drop.at_ms


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
