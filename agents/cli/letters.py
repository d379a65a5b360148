"""Dead letters as the command line works with them: read, chosen, judged anew, corrected."""

from __future__ import annotations

import json
from bisect import insort
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import orjson

from agents.letters import Numbered, read_letters
from schemas.errors import InvalidEvent, UsageError
from schemas.settings import Settings
from streams.clock import wall_ms
from streams.intake.deadletters import DeadLetter
from streams.intake.normalise import Normaliser


async def choose(settings: Settings, numbers: tuple[str, ...], topic: str | None, reason: str | None) -> list[Numbered]:
    """Read those of these numbers, this source topic and this reason; what is not given does not restrict.

    Returns:
        Them by when they failed, oldest first.

    Raises:
        UsageError: A number that is none.
        UnavailableError: Kafka does not answer.
    """
    known: set[str] = set()
    chosen: list[Numbered] = []

    def take(each: Numbered) -> None:
        if each.number in numbers:
            known.add(each.number)
        elif numbers:
            return
        if _is_meant(each.letter, topic, reason):
            chosen.append(each)

    await read_letters(settings, take)
    unknown = [number for number in numbers if number not in known]
    if unknown:
        raise UsageError(f"there is no dead letter {', '.join(unknown)}; `salespulse dlq list` shows their numbers")
    return sorted(chosen, key=lambda each: each.letter.failed_at_ms)


class Newest(NamedTuple):
    """The letters that failed last, oldest first, and how many there are by reason."""

    letters: list[Numbered]
    counts: Counter[str]


async def newest(settings: Settings, topic: str | None, reason: str | None, most: int, *, with_values: bool) -> Newest:
    """Read the letters that failed last; of others nothing stays in memory, however many and large they are.

    Args:
        settings: Where Kafka is.
        topic: Their source topic; None: any.
        reason: Their reason; None: any.
        most: How many are kept.
        with_values: Whether the values of these are.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    counts: Counter[str] = Counter()
    kept: list[tuple[int, int, Numbered]] = []

    def take(each: Numbered) -> None:
        if not _is_meant(each.letter, topic, reason):
            return
        counts[each.letter.reason] += 1
        shown = each if with_values else each._replace(letter=msgspec.structs.replace(each.letter, value=None))
        insort(kept, (each.letter.failed_at_ms, counts.total(), shown))
        del kept[:-most]

    await read_letters(settings, take)
    return Newest([each for *_, each in kept], counts)


def _is_meant(letter: DeadLetter, topic: str | None, reason: str | None) -> bool:
    return topic in (None, letter.topic) and reason in (None, letter.reason)


def why_not_counted(settings: Settings, letter: DeadLetter) -> InvalidEvent | None:
    """What is wrong with a letter's message by today's settings; None when it would be counted."""
    if letter.cut_from:
        return InvalidEvent("too_large", "", f"{letter.cut_from} bytes", "less; only its beginning was kept")
    try:
        now_ms = wall_ms()
        Normaliser(settings).take(letter.value, letter.headers, 0, 0, now_ms, settings.intake.max_event_bytes)
    except InvalidEvent as error:
        return error
    return None


def correct(each: Numbered, changes: Mapping[str, str]) -> bytes | None:
    """A letter's value with fields set: dotted names, values in JSON or else as text.

    Raises:
        UsageError: The value is no JSON object, or a field cannot be set in it.
    """
    if not changes:
        return each.letter.value
    try:
        body: Any = json.loads(each.letter.value or b"")  # reads what orjson refuses and a --set may mend: NaN
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UsageError(
            f"--set: dead letter {each.number} is no JSON object ({each.letter.reason}); nothing to set in it"
        )
    for name, text in changes.items():
        _set(body, name, text, each.number)
    return json.dumps(body).encode()


def _set(body: dict[str, Any], name: str, text: str, number: str) -> None:
    *path, last = name.split(".")
    place: Any = body
    for part in path:
        place = place[int(part)] if isinstance(place, list) and part.isdigit() else place.get(part, None)
        if not isinstance(place, dict | list):
            raise UsageError(f"--set: {name}: dead letter {number} has no object {part}")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    if isinstance(place, list):
        raise UsageError(f"--set: {name}: dead letter {number} has a list there; name one of its fields")
    place[last] = value
