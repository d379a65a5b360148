"""System health: whether the numbers can be trusted, and what the pipeline needs."""

from __future__ import annotations

from typing import Any, Final

from deploy.grafana.layout import Band
from deploy.grafana.panels import AMBER, BAD, GOOD, lines, number, states, steps, texts
from deploy.grafana.queries import query
from deploy.grafana.tables import Column, side_by_side
from streams.metrics.names import WORKER_JOB

_QUALITIES: Final = (("partial", 1), ("catching_up", 2), ("stale", 4))
_SLICES: Final = ("source", "channel", "region", "team")
_WORKERS: Final = f'{{job="{WORKER_JOB}"}}'


def health() -> list[Band]:
    """Return the bands of the dashboard: a row of answers, then each of them over time."""
    return [
        (4, [(4, data_age()), (4, quality()), (4, latency()), (4, waiting()), (4, dead()), (4, dropped())]),
        (5, [(12, qualities()), (12, alerts())]),
        (5, [(24, alert_states())]),
        (8, [(12, rates()), (12, latencies())]),
        (8, [(12, dead_letters()), (12, watermark())]),
        (8, [(12, lag()), (12, lag_of_partitions())]),
        (8, [(8, cpu()), (8, memory()), (8, series())]),
    ]


def data_age() -> Any:
    """How far the values lie behind the clock."""
    expression = "time() - min(salespulse_watermark_timestamp_seconds)"
    doc = "Age of the event time up to which all values are complete. History that is replayed is as old as it is."
    return number("Data age", doc, expression, "s", steps((None, GOOD), (30, AMBER), (120, BAD)))


def quality() -> Any:
    """Whether the values can be taken as they are."""
    weights = " + ".join(f'{weight} * max(salespulse_quality{{state="{state}"}})' for state, weight in _QUALITIES)
    words = {"0": ("live", GOOD), "1": ("partial", AMBER), "2": ("catching up", AMBER), "3": ("catching up", AMBER)}
    words |= {str(code): ("STALE", BAD) for code in range(4, 8)}
    doc = "live: complete up to the data age. catching up: events wait. stale: nothing comes in or out."
    return number("Quality", doc, weights, "none", steps((None, GOOD), (1, AMBER), (4, BAD)), [texts(words)])


def alert_states() -> Any:
    """When conversion was below what was to be expected, overall and by slice."""
    everywhere = query("max without (instance, job) (salespulse_alert_firing)", "A", "conversion")
    slices = [
        query(f"max by ({name}) (salespulse_alert_firing_by_{name})", letter, f"conversion, {name} {{{{{name}}}}}")
        for letter, name in zip("BCDE", _SLICES, strict=True)
    ]
    doc = "Conversion against the same window of the four weeks before; see the runbook."
    return states("Conversion alert", doc, [everywhere, *slices])


def latency() -> Any:
    """How long an event takes at worst, but for one in a hundred."""
    doc = "99th percentile of the last five minutes, event in to KPI out."
    return number("Latency, p99", doc, _latency(0.99), "s", steps((None, GOOD), (1, AMBER), (5, BAD)))


def waiting() -> Any:
    """How many messages wait."""
    doc = "Messages of all source topics that are not taken in yet."
    return number(
        "Waiting", doc, "sum(salespulse_consumer_lag)", "locale", steps((None, GOOD), (1000, AMBER), (10_000, BAD))
    )


def dead() -> Any:
    """How many messages could not be counted."""
    doc = "Messages of the last hour that could not be counted; `salespulse dlq list` shows them."
    expression = "sum(increase(salespulse_dead_letters_total[1h]))"
    return number("Dead letters", doc, expression, "locale", steps((None, GOOD), (1, AMBER), (100, BAD)))


def dropped() -> Any:
    """Whether this Prometheus sees every series."""
    doc = "Series above metrics.max_series: not shown here, but in Redis, on Kafka and by the API."
    return number(
        "Series dropped", doc, "sum(salespulse_series_dropped_total)", "locale", steps((None, GOOD), (1, AMBER))
    )


def qualities() -> Any:
    """What kept values from being live."""
    targets = [
        query(f'max(salespulse_quality{{state="{state}"}})', ref, state.replace("_", " "))
        for (state, _), ref in zip(_QUALITIES, "ABC", strict=True)
    ]
    return states("Quality", "When any worker's values were not live, and why.", targets, ("no", "yes"))


def alerts() -> Any:
    """Which alerts fired when."""
    target = query('max by (alertname) (ALERTS{alertstate="firing"})', legend="{{alertname}}")
    return states("Alerts", "Alerts of deploy/prometheus/rules; what to do is in the runbook.", [target])


def rates() -> Any:
    """What comes in."""
    expression = "topk(12, sum by (event_type) (rate(salespulse_events_total[1m])))"
    return lines(
        "Events a second", "Valid events, the twelve most frequent types.", "eps", {"{{event_type}}": expression}
    )


def latencies() -> Any:
    """Latency by quantile."""
    courses = {f"p{quantile * 100:g}": _latency(quantile) for quantile in (0.5, 0.9, 0.99)}
    return lines("Latency", "From an event coming in to its KPI values going out.", "s", courses)


def dead_letters() -> Any:
    """What could not be counted, and why."""
    expression = "topk(10, sum by (reason) (increase(salespulse_dead_letters_total[10m])))"
    return lines(
        "Dead letters by reason", "In ten minutes, the ten most frequent reasons.", "locale", {"{{reason}}": expression}
    )


def watermark() -> Any:
    """How far each worker lies behind the clock."""
    expression = "time() - max by (instance) (salespulse_watermark_timestamp_seconds)"
    return lines(
        "Watermark age", "Age of the event time up to which values are complete.", "s", {"{{instance}}": expression}
    )


def lag() -> Any:
    """What waits, by topic."""
    return lines(
        "Waiting by topic",
        "Messages not taken in yet.",
        "locale",
        {"{{topic}}": "sum by (topic) (salespulse_consumer_lag)"},
    )


def lag_of_partitions() -> Any:
    """What waits, by partition."""
    partition = 'label_join(salespulse_consumer_lag, "place", " / ", "topic", "partition")'
    doc = "Messages not taken in yet; one partition far above the others has a key that comes too often."
    return side_by_side("Waiting by partition", doc, "place", [Column("Waiting", "locale", partition)])


def cpu() -> Any:
    """Processor time of each worker."""
    return lines("CPU", "Cores in use.", "none", {"{{instance}}": f"rate(process_cpu_seconds_total{_WORKERS}[1m])"})


def memory() -> Any:
    """Memory of each worker."""
    return lines("Memory", "Resident memory.", "bytes", {"{{instance}}": f"process_resident_memory_bytes{_WORKERS}"})


def series() -> Any:
    """Series that each worker shows, and leaves out."""
    courses = {
        "shown to Prometheus, {{instance}}": f"scrape_samples_scraped{_WORKERS}",
        "dropped, {{instance}}": "salespulse_series_dropped_total",
    }
    return lines(
        "Series",
        "Broken-down series above metrics.max_series are dropped, see Prometheus in the README.",
        "locale",
        courses,
    )


def _latency(quantile: float) -> str:
    return f"histogram_quantile({quantile:g}, sum by (le) (rate(salespulse_event_latency_seconds_bucket[5m])))"
