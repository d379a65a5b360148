"""What `/metrics` shows, and what it should by the names of interfaces.md."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from schemas.catalogue import KPIS
from tests.e2e.product import Process

_KPIS: Final = {kpi.name: kpi for kpi in KPIS}
_SAMPLE: Final = re.compile(r"^(salespulse_[a-z0-9_]+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_MINOR_PER_MAJOR: Final = 100
_CURRENCY: Final = "USD"
_OF_MONEY: Final = {"abc_average_ticket", "average_ticket", "cac", "ltv", "ltv_margin", "ltv_predicted"}
"""Ratios of money to something else."""
_OF_MONEY_TO_MONEY: Final = {
    "abc_share",
    "ltv_cac",
    "margin_ratio",
    "new_vs_returning_revenue_share",
    "non_payment_rate",
    "revenue_churn_rate",
    "revenue_growth",
    "revenue_retention_rate",
    "roi",
}
_OF_GOALS: Final = {"pipeline_coverage", "target_attainment", "target_pace"}
"""Of money to money where they are about sums of goals, which are of goals in money."""
_OF_ALERTS: Final = "salespulse_alert_"


async def from_metrics(workers: Iterable[Process]) -> tuple[dict[str, float], list[str]]:
    """Samples of all workers by name and labels, and which of them two workers have."""
    samples: dict[str, float] = {}
    twice: list[str] = []
    for worker in workers:
        text = (await worker.get("/metrics") or b"").decode()
        for name, labels, value in _SAMPLE.findall(text):
            if "window=" not in labels or name.startswith(_OF_ALERTS):
                continue
            sample = _sample(name, dict(_LABEL.findall(labels)))
            if sample in samples:
                twice.append(f"metrics: {sample}: shown twice")
            samples[sample] = float(value)
    return samples, twice


def wrong_samples(live: Mapping[str, bytes], samples: Mapping[str, float]) -> Iterator[str]:
    """Compare samples with KPI values (JSON): none may be missing, others (of series that are no more) are empty."""
    expected = {sample: number for payload in live.values() for sample, number in _expected(orjson.loads(payload))}
    for sample, number in expected.items():
        if sample not in samples:
            yield f"metrics: {sample}: missing, redis has {number}"
        elif samples[sample] != number and not (math.isnan(samples[sample]) and math.isnan(number)):
            yield f"metrics: {sample}: {samples[sample]}, but redis has {number}"
    for sample in samples.keys() - expected.keys():
        if samples[sample] and not math.isnan(samples[sample]):
            yield f"metrics: {sample}: {samples[sample]}, but redis has no such value"


def _expected(value: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The value; of the global series the previous one; of ratios the parts; of rankings the rank."""
    kpi, dimensions = _KPIS[value["kpi"]], value["dimensions"]
    suffix = {"ratio": "_ratio", "seconds": "_seconds"}.get(kpi.unit, "")
    name, by = f"salespulse_{kpi.name.removesuffix(suffix)}{suffix}", _by(value)
    own = {"currency": value["currency"]} if value["currency"] else {}
    own |= {"label": value["label"]} if value.get("label") else {}
    labels = {"window": value["window"], **own, **dimensions}
    yield _sample(f"{name}{by}", labels), _number(value["value"])
    if not dimensions and value["window"] != "all":
        yield _sample(f"{name}_previous", labels), _number(value["previous"])
    if kpi.is_ratio:
        yield from _expected_parts(kpi.name, value, labels)
    if kpi.ranked:
        yield _sample(f"salespulse_{kpi.name}_rank{by}", labels), _number(value["rank"])


def _expected_parts(kpi: str, value: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Numerator and denominator: money in major units with the label currency, as the value has it."""
    both = kpi in _OF_MONEY_TO_MONEY or (kpi in _OF_GOALS and "target" not in value["dimensions"])
    one = kpi in _OF_MONEY or (kpi == "target_projection" and value["currency"])
    labels = {"currency": _CURRENCY, **labels} if both or one else labels
    for part, is_money in (("numerator", both or one), ("denominator", both)):
        number = _number(value[part]) / (_MINOR_PER_MAJOR if is_money else 1)
        yield _sample(f"salespulse_{kpi}_{part}{_by(value)}", labels), number


def _by(value: Mapping[str, Any]) -> str:
    return "_by_" + "_".join(sorted(value["dimensions"])) if value["dimensions"] else ""


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _sample(name: str, labels: Mapping[str, str]) -> str:
    """A sample's name and labels as text; an empty label says as much to Prometheus as none."""
    return f"{name} {sorted((label, value) for label, value in labels.items() if value)}"
