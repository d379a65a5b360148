"""What a process works out from its settings alone, or from them and the time: made once, for tens of thousands."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final

import pytest

from schemas.catalogue.compose import catalogue_of
from schemas.settings import Settings
from streams.fold.rules import fold_rules
from streams.intake.normalise import Normaliser
from streams.rollup.timeline import window_covers
from streams.rollup.upstream import rollup_rules
from streams.rollup.values import compile_kpis
from streams.time import Calendar, difference
from streams.worktime import work_time

_MANY: Final = 1 << 14


class MadeOnce:
    """Hands out the same every time.

    Args:
        settings: Of all processes.
    """

    def __init__(self, settings: Settings) -> None:
        self.calendar = Calendar(settings.time.zone, settings.time.week_start)
        normaliser, catalogue = Normaliser(settings), catalogue_of(settings)
        worktime, folds, rollups = work_time(settings, self.calendar), fold_rules(settings), rollup_rules(settings)
        self._instead: dict[str, Callable[..., Any]] = {
            "streams.intake.reader.Normaliser": lambda _settings: normaliser,
            "agents.recovery.Calendar": lambda _zone, _week_start: self.calendar,
            "agents.recovery.catalogue_of": lambda _settings: catalogue,
            "agents.recovery.playlist": lambda *_pages, **_catalogue: (),  # nobody looks at trends
            "agents.recovery.work_time": lambda _settings, _calendar: worktime,
            "agents.recovery.fold_rules": lambda _settings: folds,
            "agents.recovery.rollup_rules": lambda _settings: rollups,
            "streams.rollup.owner.compile_kpis": cache(compile_kpis),
            "streams.rollup.timeline.window_covers": lru_cache(_MANY)(window_covers),
            "streams.rollup.timeline.difference": lru_cache(_MANY)(difference),
        }

    def hand_out(self, patch: pytest.MonkeyPatch) -> None:
        """Do so in place of what makes it."""
        for place, make in self._instead.items():
            patch.setattr(place, make)
