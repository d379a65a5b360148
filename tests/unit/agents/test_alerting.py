"""What a worker shows of alerts, and for how long it judges a series: as long as the series is watched here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from agents.alerting import Alerting
from agents.recovery import owner_of
from schemas.alerts import Alert, AlertState, fingerprint
from schemas.kpi import parse_dims
from schemas.settings import settings_from

SETTINGS = settings_from({})
OWNER = owner_of("", SETTINGS.kafka.partitions)


def alert(dims: str, state: AlertState) -> Alert:
    return Alert(
        fingerprint=fingerprint("ConversionDropped", dims),
        alert="ConversionDropped",
        state=state,
        severity="warning" if dims else "critical",
        kpi="lead_conversion",
        dimensions=parse_dims(dims),
        window="1h",
        value=0.01,
        baseline=0.03,
        z=-5.0,
        numerator=10,
        denominator=1000,
        baseline_numerator=120,
        baseline_denominator=4000,
        started_at="2025-03-03T10:00:00Z",
        at="2025-03-03T10:00:00Z",
        runbook="",
        summary="",
    )


class Watched:
    """A rollup of the global series and that of one source."""

    def __init__(self, *dims: str) -> None:
        self.series = {one: SimpleNamespace(dims=one, grouping=one.partition("=")[0]) for one in dims}

    def quality(self, _now_ms: int) -> str:
        return "live"

    def watermark_ms(self, _now_ms: int) -> int:
        return 0


class Surfaces:
    """Everything around the alerting: the topic, the monitor, Redis and the exporter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topic: list[Alert] = []
        self.rollups: dict[int, Watched] = {}
        self.due: dict[str, Alert] = {}
        self.shown: list[Mapping[str, bytes]] = []
        self.judged: list[str] = []
        self.while_reading: dict[int, Watched] | None = None
        self.while_sending: dict[int, Watched] | None = None
        monkeypatch.setattr("agents.alerting.read_to_end", self._read_to_end)
        monkeypatch.setattr("agents.alerting.ConversionMonitor", lambda _settings: self)
        parts: Any = self
        self.alerting = Alerting(SETTINGS, parts, parts, parts, parts)

    async def _read_to_end(self, _settings: object, _topics: object) -> AsyncIterator[list[SimpleNamespace]]:
        for said in self.topic:
            yield [SimpleNamespace(key=said.fingerprint.encode(), value=said.to_json())]
        if self.while_reading is not None:
            self.rollups = self.while_reading

    async def send_and_wait(self, _topic: str, _payload: bytes, _key: bytes) -> None:
        if self.while_sending is not None:
            self.rollups = self.while_sending

    async def publish_alerts(self, alerts: Mapping[str, bytes]) -> None:
        self.shown.append(alerts)

    def set_alert_stats(self, _owner: int, dims: str, _stats: object) -> None:
        self.judged.append(dims)

    def evaluate(self, dims: str, *_of: object) -> list[Alert]:
        return [self.due.pop(dims)] if dims in self.due else []

    def status(self, _dims: str) -> tuple[()]:
        return ()

    def restore(self, _alert: Alert) -> None: ...


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surfaces:
    return Surfaces(monkeypatch)


def board(*alerts: Alert) -> dict[str, bytes]:
    return {each.fingerprint: each.to_json() for each in alerts}


@pytest.mark.asyncio
async def test_who_takes_over_shows_the_alerts_that_are_firing(around: Surfaces) -> None:
    firing = alert("", "firing"), alert("source=fair", "firing")
    around.topic = [alert("", "resolved"), *firing]
    around.rollups = {OWNER: Watched("", "source=fair")}
    await around.alerting.evaluate()
    assert around.shown[-1] == board(*firing)
    around.due = {"": alert("", "resolved")}
    await around.alerting.evaluate()
    assert around.shown[-1] == board(alert("", "resolved"), firing[1])


@pytest.mark.asyncio
async def test_who_watches_nothing_shows_nothing(around: Surfaces) -> None:
    around.topic = [alert("", "firing")]
    around.rollups = {(OWNER + 1) % SETTINGS.kafka.partitions: Watched("rep=r,team=t")}
    await around.alerting.evaluate()
    assert around.shown[-1] == {}


@pytest.mark.asyncio
async def test_who_loses_its_series_shows_nothing_of_them_even_before_it_has_read_the_topic(around: Surfaces) -> None:
    around.topic = [alert("", "firing")]
    around.rollups = {OWNER: Watched("")}
    await around.alerting.evaluate()
    around.rollups, told = {}, len(around.shown)
    await around.alerting.evaluate()
    assert around.shown[told:] == [{}, {}]


@pytest.mark.asyncio
async def test_series_lost_while_the_topic_is_read_are_not_shown(around: Surfaces) -> None:
    around.topic = [alert("", "firing")]
    around.rollups, around.while_reading = {OWNER: Watched("")}, {}
    await around.alerting.evaluate()
    assert around.shown[-1] == {}
    assert around.judged == []


@pytest.mark.asyncio
@pytest.mark.parametrize("becomes", ["nobody's", "another rollup"])
async def test_an_owner_lost_while_an_alert_is_sent_is_not_judged_on(around: Surfaces, becomes: str) -> None:
    around.rollups = {OWNER: Watched("", "source=fair", "source=web")}
    around.due = {"": alert("", "firing")}
    around.while_sending = {} if becomes == "nobody's" else {OWNER: Watched("", "source=fair")}
    await around.alerting.evaluate()
    assert around.judged == [""]
