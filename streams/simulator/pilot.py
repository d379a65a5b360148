"""A rehearsal: many journeys played through, to know what one lead brings on average."""

import functools
from bisect import bisect_left
from itertools import accumulate

import msgspec

from streams.simulator.config import SimulationConfig
from streams.simulator.journey import journey
from streams.simulator.world import Account, Script, World

_JOURNEYS = 1500
_AT_LEAST = 1e-6  # events per lead from its first moment: the count of no time is never quite nothing


class Pilot(msgspec.Struct, frozen=True):
    """Averages of one account from its first moment on.

    Attributes:
        events_per_lead: Events of all of its scripts.
        revenue_per_lead: Net revenue, minor units of the reporting currency.
        life_ms: Journey time of all of its scripts, added up: by Little's law the scripts open per rate of arrival.
        offsets_ms: When the events happened, ascending, of all rehearsed journeys.
        offset_sums_ms: Sum of the first n offsets.
    """

    events_per_lead: float
    revenue_per_lead: float
    life_ms: float
    offsets_ms: tuple[float, ...]
    offset_sums_ms: tuple[float, ...]

    def events_until(self, journey_ms: float) -> float:
        """Events expected by `journey_ms` of a floor that opened at 0, per arrival rate of one per ms."""
        known = bisect_left(self.offsets_ms, journey_ms)
        counted = (known * journey_ms - self.offset_sums_ms[known]) / _JOURNEYS
        return counted + _AT_LEAST * journey_ms


def rehearse(config: SimulationConfig) -> Pilot:
    """The averages of a configuration; what does not matter to them is left out, so that they are found once."""
    return _rehearse(
        msgspec.structs.replace(
            config,
            seed=0,
            events_per_second=1.0,
            zone="UTC",
            speed=1.0,
            label="",
            conversion_drop=None,
            duplicate_share=0.0,
            disorder_s=0.0,
            late_share=0.0,
            time_format="rfc3339",
            max_open=1,
        )
    )


@functools.lru_cache(maxsize=32)
def _rehearse(config: SimulationConfig) -> Pilot:
    world = World(config, "", 0)
    offsets_ms: list[float] = []
    life_ms = 0.0
    for _ in range(_JOURNEYS):
        account = world.new_account()
        running: list[tuple[Script, Account, float]] = [(journey(world, account), account, 0.0)]
        while running:
            script, _, begun_ms = running.pop()
            at_ms = begun_ms
            for wait_ms, topic, _event in script:
                at_ms += wait_ms
                if topic:
                    offsets_ms.append(at_ms)
                running.extend((further, other, at_ms) for further, other in world.spawned)
                world.spawned.clear()
            running.extend((further, other, at_ms) for further, other in world.spawned)
            world.spawned.clear()
            life_ms += at_ms - begun_ms
    offsets_ms.sort()
    return Pilot(
        events_per_lead=len(offsets_ms) / _JOURNEYS,
        revenue_per_lead=world.revenue / _JOURNEYS,
        life_ms=life_ms / _JOURNEYS,
        offsets_ms=tuple(offsets_ms),
        offset_sums_ms=(0.0, *accumulate(offsets_ms)),
    )
