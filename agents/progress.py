"""How far a recovery has got, for the log and for `/readyz`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final

from agents.kafka import TopicPartition

_LOG: Final = logging.getLogger(__name__)
_SAY_EVERY_S: Final = 2.0


class RecoveryProgress:
    """Offsets of changelogs that are read, and how many there are; compaction leaves gaps, so these are no records."""

    def __init__(self) -> None:
        self._read: dict[TopicPartition, int] = {}
        self._total = 0
        self._said_s = 0.0

    def __str__(self) -> str:
        """Say it for people; empty when nothing is being recovered."""
        if not self._read:
            return ""
        read = sum(self._read.values())
        share = 100 * read // self._total if self._total else 100
        return f"recovering: {share} % of the changelogs read ({read:,} of {self._total:,} offsets)"

    def begin(self, counts: Mapping[TopicPartition, int]) -> None:
        """Begin with so many offsets of every partition before us."""
        self._read = dict.fromkeys(counts, 0)
        self._total = sum(counts.values())
        self._said_s = time.monotonic()

    def reached(self, partition: TopicPartition, count: int) -> None:
        """Note that so many offsets of a partition are behind us; the log hears of it every few seconds."""
        self._read[partition] = count
        if time.monotonic() >= self._said_s + _SAY_EVERY_S:
            self._said_s = time.monotonic()
            _LOG.info("%s", str(self))

    def end(self) -> None:
        """Nothing is being recovered any more."""
        self._read = {}
