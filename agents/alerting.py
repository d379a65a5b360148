"""The conversion alert of the series this worker owns: evaluated behind the watermark, transitions to every surface."""

from __future__ import annotations

from typing import Final

import msgspec

from agents.emission import wall_ms
from agents.kafka import AIOKafkaProducer, TopicPartition
from agents.patience import patiently
from agents.pipeline import Pipeline
from agents.reading import read_to_end
from schemas.alerts import Alert
from schemas.catalogue import KPIS
from schemas.formula import measures_of
from schemas.settings import Settings
from streams.alerting.monitor import KPI, ConversionMonitor
from streams.metrics.exporter import Exporter
from streams.redis_view import RedisSink
from streams.rollup.owner import Rollup

WATCHED: Final = ("", "source")
"""Groupings whose lead conversion is watched; the global one is ``""``."""

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
        self._last: dict[str, bytes] = {}
        self._known: dict[int, Rollup] = {}

    async def restore(self) -> None:
        """Read the last transition of every alert, so that a change of owners neither repeats nor forgets one."""
        topic = TopicPartition(self._settings.topics.alerts, 0)
        async for batch in read_to_end(self._settings, [topic]):
            for record in batch:
                self._last[record.key.decode()] = record.value
        for payload in self._last.values():
            self._monitor.restore(_decoder.decode(payload))

    async def evaluate(self) -> None:
        """Evaluate every watched series that is owned here."""
        now_ms = wall_ms()
        if self._known != self._pipeline.rollups:
            # Another worker may have watched these series until now.
            self._known = dict(self._pipeline.rollups)
            await patiently(self.restore)
        changed = False
        for owner, rollup in list(self._pipeline.rollups.items()):
            for series in [series for series in rollup.series.values() if series.grouping in WATCHED]:
                changed |= await self._evaluate(owner, rollup, series.dims, now_ms)
        if changed:
            await self._redis.publish_alerts(self._last)

    async def _evaluate(self, owner: int, rollup: Rollup, dims: str, now_ms: int) -> bool:
        def counts(start_ms: int, end_ms: int) -> tuple[int, int]:
            conversions, leads = rollup.counts(dims, _MEASURES, start_ms, end_ms)
            return conversions, leads

        quality = rollup.quality(now_ms)
        alerts = self._monitor.evaluate(dims, counts, rollup.watermark_ms(now_ms), quality)
        self._exporter.set_alert_stats(owner, dims, self._monitor.status(dims))
        for alert in alerts:
            payload = msgspec.json.encode(alert)
            self._last[alert.fingerprint] = payload
            topic = self._settings.topics.alerts
            await self._producer.send_and_wait(topic, payload, alert.fingerprint.encode())
        return bool(alerts)
