"""Limits of settings that their types cannot say: least lengths of time, and what must fit another setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import asdict, fields

from schemas.durations import Least, duration_text
from schemas.sections import Settings

_TICKS: Final = 3
"""Once a tick the live view is kept alive; it must outlast one that comes late."""


class Broken(NamedTuple):
    """A limit that is not kept: the setting as a dotted key, what was found, and what is allowed."""

    key: str
    found: str
    allowed: str


def broken_limits(settings: Settings) -> Iterator[Broken]:
    """Yield what is outside of its limits; every setting has the right type already."""
    yield from _too_short(settings)
    ttl, least = settings.redis.ttl, _TICKS * settings.time.tick
    if ttl < least:
        allowed = f"{duration_text(least)} or more, which is {_TICKS} times time.tick"
        yield Broken("redis.ttl", duration_text(ttl), allowed)
    shares = settings.kpi.abc_shares
    if sum(shares) > 100:
        yield Broken("kpi.abc_shares", str(list(shares)), "what adds up to 100 at most")
    first: dict[str, str] = {}
    for key, topic in asdict(settings.topics).items():
        if first.setdefault(topic, key) != key:
            yield Broken(f"topics.{key}", f"{topic!r}, as topics.{first[topic]} is", "a topic of its own")


def _too_short(settings: Settings) -> Iterator[Broken]:
    for section in fields(Settings):
        table = getattr(settings, section.name)
        for field in fields(table):
            value = getattr(table, field.name)
            for mark in getattr(field.type, "__metadata__", ()):
                if isinstance(mark, Least) and value < mark.ms:
                    yield Broken(
                        f"{section.name}.{field.name}", duration_text(value), f"{duration_text(mark.ms)} or more"
                    )
