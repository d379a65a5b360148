"""How events arrive: a little out of order, some of them late, some of them twice."""

import heapq
import random
from collections.abc import Iterable, Iterator

from streams.simulator.chance import chance_for
from streams.simulator.config import SimulationConfig
from streams.simulator.engine import SimulatedEvent

_SENT_AGAIN_MS = 30_000


def deliver(events: Iterable[SimulatedEvent], config: SimulationConfig) -> Iterator[SimulatedEvent]:
    """The events in the order in which they are sent; `at_ms` becomes the time of sending.

    Holds back as many events as happen within the longest delay of the settings.
    """
    if not (config.duplicate_share or config.disorder_s or config.late_share):
        yield from events
        return
    rng = chance_for("delivery", config.seed)
    waiting: list[tuple[int, int, SimulatedEvent]] = []
    number = 0
    for event in events:
        for send_ms in sendings(event.at_ms, config, rng):
            heapq.heappush(waiting, (send_ms, number, event))
            number += 1
        while waiting and waiting[0][0] <= event.at_ms:
            yield _pop(waiting)
    while waiting:
        yield _pop(waiting)


def sendings(at_ms: int, config: SimulationConfig, rng: random.Random) -> Iterator[int]:
    """When an event of `at_ms` is sent: once or twice, UTC epoch ms."""
    send_ms = at_ms + int(config.disorder_s * 1000 * rng.random())
    if rng.random() < config.late_share:
        send_ms += int(config.late_s * 1000 * rng.random())
    yield send_ms
    if rng.random() < config.duplicate_share:
        yield send_ms + int(_SENT_AGAIN_MS * rng.random())


def _pop(waiting: list[tuple[int, int, SimulatedEvent]]) -> SimulatedEvent:
    send_ms, _, event = heapq.heappop(waiting)
    return event._replace(at_ms=send_ms)
