"""The metrics there are: help, type and labels of each, by its name (``schemas/metric_names.py``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.catalogue import Kpi
from schemas.kpi import Unit
from schemas.measures import MEASURES, Measure
from schemas.metric_names import (
    PREFIX,
    by,
    has_parts,
    metric_name,
    part_names,
    parts_in_money,
    previous_name,
    rank_name,
)

_UNIT_WORDS: Final[dict[Unit, str]] = {
    "count": "A count.",
    "money": "Major units of the currency.",
    "score": "A score.",
    "ratio": "0 to 1.",
    "seconds": "Seconds.",
}
_NAME: Final = re.compile(rf"\b(?:{PREFIX}|process_)[a-z0-9_]+")
WORKER_JOB: Final = "salespulse-worker"
"""What `deploy/prometheus/prometheus.yml` calls the workers."""
PROCESS_METRICS: Final = frozenset({"process_cpu_seconds_total", "process_resident_memory_bytes"})
"""Those of `prometheus_client`'s process collector that dashboards ask for."""


class MetricFacts(msgspec.Struct, frozen=True):
    """What ``HELP`` and ``TYPE`` say of a metric, and the labels it carries."""

    help: str
    type: str
    labels: tuple[str, ...]


OWN_METRICS: Final[Mapping[str, MetricFacts]] = {
    f"{PREFIX}{name}": MetricFacts(text, sort, labels)
    for name, sort, labels, text in (
        ("events_total", "counter", ("topic", "event_type"), "Valid events taken in."),
        ("dead_letters_total", "counter", ("topic", "reason"), "Messages sent to the dead-letter topic."),
        ("duplicates_total", "counter", (), "Events that came again and were not counted again."),
        (
            "events_missing",
            "gauge",
            ("topic", "partition"),
            "Messages that should have come before what came last, which is refused until they do.",
        ),
        ("series_dropped_total", "counter", (), "Series left out because metrics.max_series was reached."),
        ("consumer_lag", "gauge", ("topic", "partition"), "Messages of a partition that are not taken in yet."),
        ("watermark_timestamp_seconds", "gauge", (), "Event time up to which the values are complete; unix time."),
        ("kpi_emitted_timestamp_seconds", "gauge", (), "When KPI values were last put out; unix time."),
        ("quality", "gauge", ("state",), "1 for the quality of the values of this worker, 0 for the others."),
        ("event_clock", "gauge", (), "1 when windows follow event time (replayed history), 0 for the wall clock."),
        ("event_latency_seconds", "histogram", (), "From an event coming in to its KPI values going out."),
        ("build_info", "gauge", ("version",), "1; which version runs."),
    )
}
"""Metrics about the pipeline itself."""

ALERT_METRICS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    f"{PREFIX}alert_{name}": (text, labels)
    for name, labels, text in (
        ("firing", ("alert",), "1 while the processor's alert fires."),
        ("no_data", ("alert",), "1 while there is too little traffic to judge."),
        ("conversion_ratio", ("window",), "Conversion the alert looks at, p."),
        ("conversion_short_ratio", ("window",), "Conversion of the short end of the window."),
        ("conversion_baseline_ratio", ("window",), "Pooled conversion of the same window in the weeks before, pb."),
        ("conversion_zscore", ("window",), "Standard deviations between p and pb, drift between weeks included."),
        ("conversion_expected", ("window",), "Conversions that pb makes expect in the window."),
    )
}
"""What the conversion alert knows: metric -> help, labels; a broken-down one ends in ``_by_<dimension>``."""


def metric_facts(kpis: Iterable[Kpi]) -> dict[str, MetricFacts]:
    """List every metric the exporter can write for this catalogue."""
    facts = dict(OWN_METRICS)
    for name, (text, labels) in ALERT_METRICS.items():
        facts[name] = MetricFacts(text, "gauge", labels)
    for kpi in kpis:
        for grouping in kpi.groupings:
            dimensions = tuple(grouping.split(",")) if grouping else ()
            facts.update(kpi_facts(kpi, dimensions))
            for name, (text, labels) in ALERT_METRICS.items():
                facts[name + by(dimensions)] = MetricFacts(text, "gauge", (*labels, *sorted(dimensions)))
    return facts


def kpi_facts(kpi: Kpi, dimensions: tuple[str, ...], measures: Iterable[Measure] = MEASURES) -> dict[str, MetricFacts]:
    """Return the metrics of one KPI under these dimensions: value, previous value (global only), parts, rank."""
    currency, label = ("currency",) if kpi.may_be_money else (), ("label",) if kpi.lowest else ()
    labels = ("window", *currency, *label, *sorted(dimensions))
    what = kpi.title + "".join(f", by {name.replace('_', ' ')}" for name in sorted(dimensions))
    facts = {metric_name(kpi, dimensions): MetricFacts(f"{what}: {kpi.doc} {_UNIT_WORDS[kpi.unit]}", "gauge", labels)}
    if not dimensions:
        facts[previous_name(kpi)] = MetricFacts(f"{what}: its value in the window before.", "gauge", labels)
    if has_parts(kpi):
        money = parts_in_money(kpi, dimensions, measures)
        # Both have the same labels, so that one can be divided by the other.
        labels_of_parts = ("window", "currency", *labels[1:]) if any(money) and not currency else labels
        for name, part, is_money in zip(part_names(kpi, dimensions), ("numerator", "denominator"), money, strict=True):
            of_goals = " Of money in minor units." if kpi.goal is not None and kpi.goal != "projection" else ""
            unit = " Major units of the currency." if is_money else of_goals
            facts[name] = MetricFacts(f"{what}: its {part}.{unit}", "gauge", labels_of_parts)
    if kpi.ranked:
        facts[rank_name(kpi, dimensions)] = MetricFacts(f"{what}: the rank; 1 is the highest.", "gauge", labels)
    return facts


def names_in(expression: str) -> set[str]:
    """Return the metrics of ours that a PromQL expression names (histogram endings taken off)."""
    return {
        re.sub(r"_(sum|count|bucket)$", "", name) if name.startswith(_HISTOGRAM) else name
        for name in _NAME.findall(expression)
    }


_HISTOGRAM: Final = f"{PREFIX}event_latency_seconds"
