"""What a process works out from its settings alone, made once: here processes begin by the ten thousand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from schemas.catalogue.compose import catalogue_of
from schemas.settings import Settings
from streams.intake.normalise import Normaliser
from streams.plan import Plan
from streams.rollup.upstream import RollupRules
from streams.rollup.values import KpisOfWindows, compile_kpis


class MadeOnce:
    """Hands out the same every time.

    Args:
        settings: Of all processes.
        plan: Of all processes.
    """

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self._plan = plan
        self._normaliser = Normaliser(settings)
        self._catalogue = catalogue_of(settings)
        self._kpis: dict[RollupRules, Mapping[str, KpisOfWindows]] = {}

    def hand_out(self, patch: pytest.MonkeyPatch) -> None:
        """Do so in place of what makes it."""
        patch.setattr("streams.intake.reader.Normaliser", lambda _settings: self._normaliser)
        patch.setattr("agents.recovery.catalogue_of", lambda _settings: self._catalogue)
        patch.setattr("agents.recovery.playlist", lambda *_pages, **_catalogue: ())  # nobody looks at trends
        patch.setattr("streams.rollup.owner.compile_kpis", self._compiled)

    def _compiled(self, plan: Plan, rules: RollupRules) -> Mapping[str, KpisOfWindows]:
        assert plan is self._plan
        if rules not in self._kpis:
            self._kpis[rules] = compile_kpis(plan, rules)
        return self._kpis[rules]
