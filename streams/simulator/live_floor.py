"""A floor that runs now: a short history first, then an even rate, with time compressed."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from streams.simulator import agenda
from streams.simulator.agenda import Entry, Outlook
from streams.simulator.config import LivePace, SimulationConfig
from streams.simulator.engine import SimulatedEvent
from streams.simulator.floor import drop_from_ms, in_order, most_leads_per_ms, own_rate, play
from streams.simulator.pacing import Span, even_spans, history_spans
from streams.simulator.pilot import Pilot, rehearse
from streams.simulator.world import World

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GOAL_MS = 3_600_000  # goals are within reach after an hour of the demo


class _Phases(NamedTuple):
    """The history `[begin_ms, switch_ms)` at the pace of real life, then the live rate.

    Arrivals are per ms of journey time, which the live rate makes run faster.
    """

    begin_ms: int
    switch_ms: int
    leads_per_ms: float
    live_leads_per_ms: float


def live(
    config: SimulationConfig, start_ms: int, pace: LivePace | None = None, end_ms: int | None = None
) -> Iterator[SimulatedEvent]:
    """The floor from some days before `start_ms` on; send each event at its `at_ms`, those before the start at once.

    The history has the rhythm and pace of real life, up to its last `warm_s` seconds, which run like what follows.
    Journeys begun in the history go on after it.

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
    phases = _phases(config, pilot, start_ms, pace)
    spans: Iterator[Span] = even_spans(phases.switch_ms, end_ms, own_rate(config))
    if phases.begin_ms < phases.switch_ms:
        past = history_spans(config.zone, phases.begin_ms, phases.switch_ms, pilot, 1.0, phases.leads_per_ms)
        spans = chain(past, spans)
    outlook = Outlook(
        pilot.revenue_per_lead,
        phases.leads_per_ms,
        phases.switch_ms,
        own_rate(config) / pilot.events_per_lead,
        start_ms + _GOAL_MS,
    )
    world = World(config, config.label or _base36(start_ms // 1000), drop_from_ms(config, start_ms))

    def gap_ms() -> float:
        return 1 / (phases.leads_per_ms if world.now_ms < phases.switch_ms else phases.live_leads_per_ms)

    return play(world, gap_ms, spans, _agenda(world, outlook, phases, pace, end_ms), phases.begin_ms)


def _phases(config: SimulationConfig, pilot: Pilot, start_ms: int, pace: LivePace) -> _Phases:
    """Where the history begins and ends, and how many leads come; half of its limit is for each of its parts."""
    rate_per_ms = own_rate(config)
    half = pace.backfill_limit / 2
    length_ms = pace.backfill_days * agenda.DAY_LENGTH_MS
    warm_ms = min(pace.warm_s * 1000, half / rate_per_ms, length_ms / 2)
    begin_ms, switch_ms = start_ms - int(length_ms), start_ms - int(warm_ms)
    leads_per_ms = min(rate_per_ms / pace.speed / pilot.events_per_lead, most_leads_per_ms(config, pilot))
    before_per_ms = leads_per_ms
    if begin_ms < switch_ms:
        before_per_ms = min(leads_per_ms, half / pilot.events_until(switch_ms - begin_ms))
    return _Phases(begin_ms, switch_ms, before_per_ms, leads_per_ms)


def _agenda(world: World, outlook: Outlook, phases: _Phases, pace: LivePace, end_ms: int | None) -> Iterator[Entry]:
    """Goals from just before the history on; spend by days in the history, by compressed days after it."""
    config = world.config
    rate_per_ms = own_rate(config)
    days = agenda.days(config, phases.begin_ms, phases.switch_ms, rate_per_ms / pace.speed)
    compressed = agenda.intervals(config, phases.switch_ms, pace.speed, rate_per_ms)
    return in_order(
        agenda.goals(config, world.label, outlook, phases.begin_ms - 1, end_ms),
        agenda.spend(config, outlook, chain(days, compressed)),
    )


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
