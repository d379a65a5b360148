"""The conversion alert of the series this worker owns: evaluated behind the watermark, transitions to every surface."""

from __future__ import annotations

from typing import Final

import msgspec

from agents.kafka import AIOKafkaProducer, TopicPartition
from agents.patience import patiently
from agents.pipeline import Pipeline
from agents.reading import read_to_end
from agents.recovery import grouping_of, owner_of
from schemas.alerts import Alert
from schemas.catalogue import KPIS
from schemas.formula import measures_of
from schemas.kpi import dims_key
from schemas.settings import Settings
from streams.alerting.monitor import KPI, ConversionMonitor
from streams.clock import wall_ms
from streams.metrics.exporter import Exporter
from streams.redis_view import RedisSink
from streams.rollup.owner import Rollup

WATCHED: Final = ("", "source", "channel", "region", "team")
"""Groupings whose lead conversion is watched; the global one is ``""``.

Not by rep or product: these have many values, hardly any of which ever has the traffic to be judged, and each would
cost twenty-two series in Prometheus and some milliseconds a minute.
"""

_WATCHED_KPI: Final = next(kpi for kpi in KPIS if kpi.name == KPI)
_MEASURES: Final = (*measures_of(_WATCHED_KPI.numerator), *measures_of(_WATCHED_KPI.denominator))
"""What it is made of: conversions, and what they are of."""

_decoder: Final = msgspec.json.Decoder(Alert)


class Alerting:
    """Evaluates, remembers and hands on.

    Args:
        settings: Gate, drift and the alerts topic.
        pipeline: Its rollups know the counts.
        producer: For the alerts topic.
        redis: For the wall.
        exporter: For Prometheus.
    """

    def __init__(
        self, settings: Settings, pipeline: Pipeline, producer: AIOKafkaProducer, redis: RedisSink, exporter: Exporter
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._producer = producer
        self._redis = redis
        self._exporter = exporter
        self._monitor = ConversionMonitor(settings)
        self._last: dict[str, Alert] = {}
        self._known: dict[int, Rollup] = {}

    async def restore(self) -> None:
        """Read the last transition of every alert, so that a change of owners neither repeats nor forgets one."""
        topic = TopicPartition(self._settings.topics.alerts, 0)
        async for batch in read_to_end(self._settings, [topic]):
            for record in batch:
                self._last[record.key.decode()] = _decoder.decode(record.value)
        for alert in self._last.values():
            self._monitor.restore(alert)

    async def evaluate(self) -> None:
        """Evaluate every watched series that is owned here."""
        if self._known != self._pipeline.rollups:
            await self._take_over()
        now_ms = wall_ms()
        changed = False
        for owner, rollup in list(self._pipeline.rollups.items()):
            for series in [series for series in rollup.series.values() if series.grouping in WATCHED]:
                if self._pipeline.rollups.get(owner) is not rollup:
                    break  # lost while an alert was on its way: somebody else judges these series now
                changed |= await self._evaluate(owner, rollup, series.dims, now_ms)
        if changed:
            await self._show()

    async def _take_over(self) -> None:
        """Learn what was said of the series that are watched here now: another worker may have watched them so far."""
        self._known = dict(self._pipeline.rollups)
        await self._redis.publish_alerts({})  # what this worker knows may be outdated: not to be written meanwhile
        await patiently(self.restore)
        await self._show()

    async def _show(self) -> None:
        """Show the alerts of the groupings that are watched here; the others' owners show theirs."""
        owners, rollups = self._settings.kafka.partitions, self._pipeline.rollups
        here = {grouping for grouping in WATCHED if owner_of(grouping, owners) in rollups}
        shown = {
            name: alert.to_json()
            for name, alert in self._last.items()
            if grouping_of(dims_key(alert.dimensions)) in here
        }
        await self._redis.publish_alerts(shown)

    async def _evaluate(self, owner: int, rollup: Rollup, dims: str, now_ms: int) -> bool:
        def counts(start_ms: int, end_ms: int) -> tuple[int, int]:
            conversions, leads = rollup.counts(dims, _MEASURES, start_ms, end_ms)
            return conversions, leads

        quality = rollup.quality(now_ms)
        alerts = self._monitor.evaluate(dims, counts, rollup.watermark_ms(now_ms), quality)
        self._exporter.set_alert_stats(owner, dims, self._monitor.status(dims))
        for alert in alerts:
            self._last[alert.fingerprint] = alert
            topic = self._settings.topics.alerts
            await self._producer.send_and_wait(topic, alert.to_json(), alert.fingerprint.encode())
        return bool(alerts)
