"""Runs the scripts of all accounts side by side and gives every event its instant, time and id."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from streams.simulator.agenda import DAY_LENGTH_MS, Entry
from streams.simulator.cast import Rep
from streams.simulator.config import DEFAULT_CHANNELS, DEFAULT_PRODUCTS, DEFAULT_SOURCES
from streams.simulator.diary import Diary
from streams.simulator.journey import journey
from streams.simulator.world import Account, Event, Script, World

Happening: TypeAlias = tuple[Account, str, Event]

_LAST = Entry(1 << 62, "", "", {})
_NOBODY: Happening = (
    Account("", Rep("", "", "", 1.0, 1.0, 1.0), DEFAULT_SOURCES[0], DEFAULT_CHANNELS[0], DEFAULT_PRODUCTS[0], None),
    "",
    {},
)


class SimulatedEvent(NamedTuple):
    """One message of the floor.

    Attributes:
        topic: Name of the topic in the settings: leads, calls, emails, deals, web, spend, service or targets.
        key: Message key: the account, or of spend the category, of targets the goal.
        event: The JSON object. Duplicates share it; it is not to be changed.
        at_ms: When it is to be sent, UTC epoch ms: when it happened, unless the settings make it arrive later.
    """

    topic: str
    key: str
    event: Event
    at_ms: int


def arrivals(world: World, gap_ms: Callable[[], float]) -> Script:
    """New accounts for ever, `gap_ms` of journey time apart on average."""
    while True:
        account = world.new_account()
        world.spawn(journey(world, account), account)
        yield (-gap_ms() * math.log(1.0 - world.chance()), "", {})


def happenings(world: World, opening: Script) -> Iterator[Happening]:
    """What happens, in order of journey time: the moments of all running scripts, one after the other."""
    diary = Diary()
    diary.add((0.0, 0, opening, _NOBODY[0], "", {}))
    spawned = world.spawned
    number = 1
    while (due := diary.take()) is not None:
        due_ms, _, script, account, topic, event = due
        if topic:
            yield account, topic, event
        moment = next(script, None)
        if moment is not None:
            diary.add((due_ms + moment[0], number, script, account, moment[1], moment[2]))
            number += 1
        while spawned:
            further, owner = spawned.pop()
            moment = next(further, None)
            if moment is not None:
                diary.add((due_ms + moment[0], number, further, owner, moment[1], moment[2]))
                number += 1


def run(
    world: World, opening: Script, instants: Iterator[int], agenda: Iterator[Entry], opens_ms: int
) -> Iterator[SimulatedEvent]:
    """Give the happenings their instants, one each.

    What the agenda has due takes its own time; from `opens_ms` on it counts too, and costs the next instant.
    """
    stamp = stamper(world)
    happening = spaced(happenings(world, opening))
    next(happening)
    entry = next(agenda, _LAST)
    owed = 0
    for now_ms in instants:
        while entry.at_ms <= now_ms:
            yield SimulatedEvent(entry.topic, entry.key, stamp(entry.event, entry.at_ms), entry.at_ms)
            owed += entry.at_ms >= opens_ms
            entry = next(agenda, _LAST)
        if owed:
            owed -= 1
            continue
        world.now_ms = now_ms
        account, topic, event = happening.send(now_ms)
        yield SimulatedEvent(topic, account.account_id, stamp(event, now_ms), now_ms)


def spaced(happening: Iterator[Happening]) -> Generator[Happening, int, None]:
    """The happening for each time sent in (not descending), no two of one account in the same millisecond.

    One that would be is held until the millisecond is over, and with it what the account does after it.
    """
    held: deque[Happening] = deque()
    now_ms = yield _NOBODY
    while True:
        if held and held[0][0].last_ms < now_ms:
            found = held.popleft()
            found[0].held -= 1
        else:
            found = next(happening)
            while found[0].held or found[0].last_ms >= now_ms:
                found[0].held += 1
                held.append(found)
                found = next(happening)
        found[0].last_ms = now_ms
        now_ms = yield found


def stamper(world: World) -> Callable[[Event, int], Event]:
    """A function that fills in the id and the time of an event, in place, and returns it."""
    prefix = f"e-{world.config.seed}-{world.label}"
    style = world.config.time_format
    number = 0
    this_day = this_ms = -1
    date = text = ""

    def stamp(event: Event, at_ms: int) -> Event:
        nonlocal number, this_day, this_ms, date, text
        number += 1
        event["event_id"] = f"{prefix}{number}"
        if style == "ms" or (style == "mixed" and number % 3 == 0):
            event["occurred_at"] = at_ms
            return event
        if at_ms != this_ms:
            this_ms = at_ms
            day, ms = divmod(at_ms, DAY_LENGTH_MS)
            if day != this_day:
                this_day = day
                date = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
            minute, ms = divmod(ms, 60_000)
            text = f"{date}T{minute // 60:02d}:{minute % 60:02d}:{ms // 1000:02d}.{ms % 1000:03d}Z"
        event["occurred_at"] = text
        return event

    return stamp
