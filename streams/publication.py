"""What one owner of series publishes at once: the values that changed, and how fresh all of its series are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from schemas.kpi import KpiValue, Quality


class Published(msgspec.Struct, frozen=True, gc=False):
    """One KPI value on its way out, with its JSON made once for every sink.

    Args:
        key: ``kpi|window|dims``, the key on the KPI topics.
        kpi: Name of the KPI.
        window: Name of the window.
        dims: Dimension part of the key; empty for the global series.
        value: The value.
        payload: The value as UTF-8 JSON.
    """

    key: str
    kpi: str
    window: str
    dims: str
    value: KpiValue
    payload: bytes


class Publication(msgspec.Struct, frozen=True):
    """Everything that one owner has to say at one moment.

    Args:
        owner: The partition of the cells topic whose series these are; it has one owner at a time.
        position: Offset up to which that partition was read. A state is a function of it, so of two publications of one
            owner the one with the higher ``(position, clock_ms)`` is the newer, whoever made it.
        clock_ms: End of the windows, before rounding; UTC milliseconds.
        watermark_ms: Event time up to which the values are complete; None while nothing is known.
        quality: Quality of all series of the owner.
        emitted_at_ms: Wall clock, UTC milliseconds.
        values: What changed since the last publication, or everything when ``complete``.
        complete: Whether ``values`` is every series of the owner (after a start, and to repair a view).
        produced_ms: Wall clock at which the newest event in it came in; None when no event caused it.
    """

    owner: int
    position: int
    clock_ms: int
    watermark_ms: int | None
    quality: Quality
    emitted_at_ms: int
    values: Sequence[Published]
    complete: bool = False
    produced_ms: int | None = None


class Sink(Protocol):
    """Where publications go. A sink that is away must not hold up the others: it coalesces and repairs itself."""

    async def publish(self, publication: Publication) -> None:
        """Take a publication; returns when it is handed over."""
