"""The ``/metrics`` of a worker: the series it owns, and how the pipeline fares. Here alone is prometheus_client known.

Counters are read from intake at the moment of the scrape. KPI series are gauges that say what they last were; one
without a value stays and reads NaN, because Grafana resolves alerts whose series vanish.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol, get_args

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from schemas.alerts import AlertStatus
from schemas.catalogue import KPIS, Kpi
from schemas.catalogue.compose import catalogue_of
from schemas.errors import DEAD_LETTER_REASONS
from schemas.kpi import Quality
from schemas.metric_names import PREFIX
from schemas.rows import EVENT_TYPES
from schemas.settings import Settings
from schemas.topics import Topics
from streams.metrics.names import OWN_METRICS
from streams.metrics.series import SeriesStore
from streams.publication import Publication

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LATENCIES_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0)
_WORST_FIRST: Final[tuple[Quality, ...]] = ("stale", "catching_up", "partial", "live")


class CounterSource(Protocol):
    """What intake counts; read at every scrape, so the mappings may go on changing."""

    @property
    def events(self) -> Mapping[tuple[str, str], int]:
        """Valid events by (topic, event type)."""

    @property
    def dead_letters(self) -> Mapping[tuple[str, str], int]:
        """Dead letters by (topic, reason)."""

    @property
    def lag(self) -> Mapping[tuple[str, int], int]:
        """Messages not taken in yet by (topic, partition), of the partitions this worker reads."""


class FoldSource(Protocol):
    """What the folds notice; read at every scrape."""

    @property
    def duplicates(self) -> int:
        """Events that were folded before."""

    @property
    def missing(self) -> Mapping[tuple[str, int], int]:
        """Messages that the log lacks, by source (topic, partition)."""


class Exporter:
    """A sink that keeps the last value of every series of the owners this worker has.

    Args:
        settings: ``metrics.max_series``, ``time.clock``, the currency, the user's own measures and the topics' names.
        counters: What intake counts; None in a process without intake, which says nothing of the pipeline.
        catalogue: All KPIs whose values may come.
        folds: What the folds notice; None in a process without.
    """

    def __init__(
        self,
        settings: Settings,
        counters: CounterSource | None = None,
        catalogue: Iterable[Kpi] = KPIS,
        folds: FoldSource | None = None,
    ) -> None:
        self._limit = settings.metrics.max_series
        self._series = SeriesStore(catalogue, catalogue_of(settings).measures, settings.money.currency)
        self._pipeline = _Pipeline(settings, counters, folds)
        self._left_out = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._pipeline)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    async def publish(self, publication: Publication) -> None:
        """Take over what one owner publishes. Never waits.

        Raises:
            CatalogueError: A value of a KPI that is not in the catalogue.
        """
        self._series.take(publication)
        self._pipeline.saw(publication)

    def set_alert_stats(self, owner: int, series: str, statuses: Sequence[AlertStatus]) -> None:
        """Show what an alert knows of one series: state and raw statistics, one status a window.

        Args:
            owner: Partition whose series it is; :meth:`forget` drops it along.
            series: Dimension part of the series key; empty for the global one.
            statuses: As ``ConversionMonitor.status`` returns them; the first one's state is the series' state.
        """
        self._series.take_status(owner, series, statuses)

    def forget(self, owner: int) -> None:
        """Drop everything of an owner that went to another worker."""
        self._series.forget(owner)
        self._pipeline.owners.pop(owner, None)

    def observe_latency(self, seconds: float) -> None:
        """Count one latency, event in to KPI out: to be called when the KPI topics have the values."""
        self._pipeline.observe(seconds)

    def render(self) -> bytes:
        """Return the text exposition format 0.0.4."""
        return self._kpi_text() + exposition.generate_latest(self._registry)

    def negotiate(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for an ``Accept`` header: OpenMetrics 1.0 where it is asked for, else text."""
        if "application/openmetrics-text" not in accept:
            return self.render(), TEXT
        pipeline: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]  # as it comes
        return self._kpi_text() + pipeline, OPEN_METRICS

    def _kpi_text(self) -> bytes:
        text, left_out = self._series.render(self._limit)
        self._pipeline.dropped += max(0, left_out - self._left_out)
        self._left_out = left_out
        return text.encode()


class _Pipeline(Collector):
    """Metrics about the pipeline itself, put together at every scrape."""

    def __init__(self, settings: Settings, counters: CounterSource | None, folds: FoldSource | None) -> None:
        self.owners: dict[int, Publication] = {}
        self.dropped = 0
        self._counters = counters
        self._folds = folds
        self._version = _version()
        self._event_clock = settings.time.clock == "event"
        self._zeros = _zeros(settings.topics)
        self._latencies = [0] * (len(_LATENCIES_S) + 1)
        self._latency_sum_s = 0.0

    def saw(self, publication: Publication) -> None:
        """Remember how fresh the owner is, without its values."""
        self.owners[publication.owner] = Publication(
            owner=publication.owner,
            position=publication.position,
            clock_ms=publication.clock_ms,
            watermark_ms=publication.watermark_ms,
            quality=publication.quality,
            emitted_at_ms=publication.emitted_at_ms,
            values=(),
        )

    def observe(self, seconds: float) -> None:
        """Count one latency."""
        self._latencies[bisect_left(_LATENCIES_S, seconds)] += 1
        self._latency_sum_s += max(0.0, seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; `prometheus_client` calls it at a scrape."""
        yield _gauge("build_info", {(self._version,): 1.0})
        yield _counter("series_dropped_total", {(): self.dropped})
        if self._counters is None:
            return
        events, dead_letters = self._zeros
        yield _counter("events_total", {**events, **self._counters.events})
        yield _counter("dead_letters_total", {**dead_letters, **self._counters.dead_letters})
        yield _gauge("consumer_lag", self._counters.lag)
        if self._folds is not None:
            yield _counter("duplicates_total", {(): self._folds.duplicates})
            yield _gauge("events_missing", self._folds.missing)
        yield _gauge("watermark_timestamp_seconds", {(): self._watermark_s()})
        yield _gauge("kpi_emitted_timestamp_seconds", {(): self._emitted_s()})
        yield _gauge("quality", {(state,): float(state == self._quality()) for state in get_args(Quality)})
        yield _gauge("event_clock", {(): float(self._event_clock)})
        yield self._latency()

    def _watermark_s(self) -> float:
        marks = [seen.watermark_ms for seen in self.owners.values()]
        complete = [mark for mark in marks if mark is not None]
        return min(complete) / 1000 if complete and len(complete) == len(marks) else float("nan")

    def _emitted_s(self) -> float:
        return max((seen.emitted_at_ms / 1000 for seen in self.owners.values()), default=float("nan"))

    def _quality(self) -> Quality | None:
        present = {seen.quality for seen in self.owners.values()}
        return next((quality for quality in _WORST_FIRST if quality in present), None)

    def _latency(self) -> HistogramMetricFamily:
        total, cumulated = 0, []
        for bound, count in zip((*_LATENCIES_S, float("inf")), self._latencies, strict=True):
            total += count
            cumulated.append(("+Inf" if bound == float("inf") else str(bound), total))
        name = f"{PREFIX}event_latency_seconds"
        return HistogramMetricFamily(name, OWN_METRICS[name].help, buckets=cumulated, sum_value=self._latency_sum_s)


def _counter(name: str, counts: Mapping[Any, int]) -> CounterMetricFamily:
    facts = OWN_METRICS[PREFIX + name]
    metric = CounterMetricFamily(PREFIX + name, facts.help, labels=facts.labels)
    for labels, count in list(counts.items()):
        metric.add_metric([str(label) for label in labels], count)
    return metric


def _gauge(name: str, values: Mapping[Any, float]) -> GaugeMetricFamily:
    facts = OWN_METRICS[PREFIX + name]
    metric = GaugeMetricFamily(PREFIX + name, facts.help, labels=facts.labels)
    for labels, value in list(values.items()):
        metric.add_metric([str(label) for label in labels], value)
    return metric


def _zeros(topics: Topics) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Counters that were never counted yet: a counter that appears with its first value hides that increase."""
    names = {key.removesuffix("s"): topic for key, topic in topics.sources().items()}
    events = {(names[_family_of(event_type)], event_type): 0 for event_type in EVENT_TYPES}
    return events, {(topic, reason): 0 for topic in topics.sources().values() for reason in DEAD_LETTER_REASONS}


def _family_of(event_type: str) -> str:
    return event_type.partition(".")[0]


def _version() -> str:
    try:
        return version("salespulse")
    except PackageNotFoundError:  # run from its source without being installed
        return "unknown"
