"""The last value of every series that this worker shows, as lines that wait for their number.

Values only replace each other until somebody asks: most are superseded before the next scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.alerts import AlertStatus
from schemas.catalogue import Kpi
from schemas.currencies import exponent
from schemas.errors import CatalogueError
from schemas.kpi import KpiValue, parse_dims
from schemas.measures import MEASURES, Measure
from schemas.metric_names import by, has_parts, metric_name, part_names, parts_in_money, previous_name, rank_name
from streams.metrics.exposition import (
    Family,
    Line,
    Number,
    drop,
    family,
    label_pair,
    label_pairs,
    place_of,
    put,
    render_families,
)
from streams.metrics.names import ALERT_METRICS, MetricFacts, kpi_facts
from streams.publication import Publication


class _Metrics(NamedTuple):
    """The metrics of one KPI under some dimensions: value, value before, numerator and denominator, rank.

    Args:
        in_money: Which of numerator and denominator are.
    """

    of_value: Family
    of_previous: Family | None
    of_parts: tuple[Family, ...]
    of_rank: Family | None
    in_money: tuple[bool, bool]


class SeriesStore:
    """KPI values and alert statistics by owner.

    Args:
        catalogue: All KPIs whose values may come.
        measures: Those of their formulas.
        currency: The reporting currency.
    """

    def __init__(self, catalogue: Iterable[Kpi], measures: Iterable[Measure] = MEASURES, currency: str = "USD") -> None:
        self._catalogue = {kpi.name: kpi for kpi in catalogue}
        self._measures = tuple(measures)
        self._currency = currency
        self._minor_per_major = 10 ** exponent(currency)
        self._families: dict[str, Family] = {}
        self._metrics: dict[tuple[str, ...], _Metrics] = {}
        self._unwritten: dict[int, dict[str, KpiValue]] = {}
        self._lines: dict[int, dict[str, tuple[Line, ...]]] = {}
        self._alert_lines: dict[int, dict[str, tuple[Line, ...]]] = {}

    def take(self, publication: Publication) -> None:
        """Take over the values of a publication; a complete one drops what it does not have.

        Raises:
            CatalogueError: A value of a KPI that is not in the catalogue.
        """
        unwritten = self._unwritten.setdefault(publication.owner, {})
        if publication.complete:
            known = self._lines.get(publication.owner, {})
            present = {published.key for published in publication.values}
            for key in [key for key in known if key not in present]:
                drop(known.pop(key))
            unwritten.clear()
        for published in publication.values:
            if published.kpi not in self._catalogue:
                raise CatalogueError(f"metrics: a value of {published.kpi}, which is not in the catalogue")
            unwritten[published.key] = published.value

    def take_status(self, owner: int, series: str, statuses: Sequence[AlertStatus]) -> None:
        """Take over what an alert knows of one series, one status a window."""
        known = self._alert_lines.setdefault(owner, {})
        if series not in known:
            known[series] = tuple(self._new_alert_lines(parse_dims(series), statuses))
        for line, number in zip(known[series], _alert_numbers(statuses), strict=True):
            put(line, number)

    def forget(self, owner: int) -> None:
        """Drop everything of an owner."""
        self._unwritten.pop(owner, None)
        for table in (self._lines, self._alert_lines):
            for lines in table.pop(owner, {}).values():
                drop(lines)

    def render(self, limit: int) -> tuple[str, int]:
        """Return at most ``limit`` samples as text, and how many were left out."""
        for owner, unwritten in self._unwritten.items():
            known = self._lines.setdefault(owner, {})
            for key, value in unwritten.items():
                self._write(known, key, value)
            unwritten.clear()
        return render_families(self._families.values(), limit)

    def _write(self, known: dict[str, tuple[Line, ...]], key: str, value: KpiValue) -> None:
        kpi = self._catalogue[value.kpi]
        lines = known.get(key)
        if lines is not None and not _has_labels(lines, kpi, value):
            drop(known.pop(key))
            lines = None
        if lines is None:
            lines = known[key] = tuple(self._new_lines(kpi, value))
        for line, number in zip(lines, self._numbers(kpi, value), strict=True):
            put(line, number)

    def _new_lines(self, kpi: Kpi, value: KpiValue) -> Iterator[Line]:
        """Make the lines of a series, in the order in which ``_numbers`` gives its numbers."""
        dimensions = tuple(value.dimensions)
        of_value, of_previous, of_parts, of_rank, in_money = self._metrics_of(kpi, dimensions)
        labels = {
            "window": value.window,
            **_own_labels(kpi, value),
            **{name: value.dimensions[name] for name in sorted(dimensions)},
        }
        shown = place_of(value.window, dimensions=len(dimensions), part=False)
        text = label_pairs(labels)
        yield of_value.line(text, shown)
        if of_previous is not None and _has_previous(value):
            yield of_previous.line(text, shown)
        if of_parts:
            place = place_of(value.window, dimensions=len(dimensions), part=True)
            currency = {"window": value.window, "currency": self._currency} if any(in_money) else {}
            text_of_parts = label_pairs({**currency, **labels})
            yield from (part.line(text_of_parts, place) for part in of_parts)
        if of_rank is not None:
            yield of_rank.line(text, shown)

    def _metrics_of(self, kpi: Kpi, dimensions: tuple[str, ...]) -> _Metrics:
        """Return the metrics of a KPI under these dimensions; looked up once, as there are thousands of series."""
        found = self._metrics.get((kpi.name, *dimensions))
        if found is None:
            facts = kpi_facts(kpi, dimensions, self._measures)
            found = self._metrics[kpi.name, *dimensions] = _Metrics(
                self._family(metric_name(kpi, dimensions), facts),
                self._family(previous_name(kpi), facts) if not dimensions else None,
                tuple(self._family(name, facts) for name in part_names(kpi, dimensions) if has_parts(kpi)),
                self._family(rank_name(kpi, dimensions), facts) if kpi.ranked else None,
                parts_in_money(kpi, dimensions, self._measures) if has_parts(kpi) else (False, False),
            )
        return found

    def _numbers(self, kpi: Kpi, value: KpiValue) -> Iterator[Number]:
        yield value.value
        if _has_previous(value):
            yield value.previous
        if has_parts(kpi):
            yield from self._parts(kpi, value)
        if kpi.ranked:
            yield value.rank if isinstance(value.rank, int) else None

    def _parts(self, kpi: Kpi, value: KpiValue) -> Iterator[Number]:
        """Numerator and denominator; money in major units, so that one over the other is the value beside them."""
        in_money = self._metrics_of(kpi, tuple(value.dimensions)).in_money
        in_no_currency = kpi.may_be_money and value.currency is None  # where a goal ends that is not in money
        for number, is_money in zip((value.numerator, value.denominator), in_money, strict=True):
            minor = is_money and number is not None and not in_no_currency
            yield number / self._minor_per_major if minor else number

    def _new_alert_lines(self, dimensions: Mapping[str, str], statuses: Sequence[AlertStatus]) -> Iterator[Line]:
        """Make the lines of a series' alert, in the order in which ``_alert_numbers`` gives its numbers."""
        ending = by(dimensions)
        place = place_of("", dimensions=len(dimensions), part=False)
        for metric, (text, label_names) in ALERT_METRICS.items():
            facts = {metric + ending: MetricFacts(text, "gauge", (*label_names, *dimensions))}
            for status in statuses if "window" in label_names else statuses[:1]:
                own = {"window": status.window} if "window" in label_names else {"alert": status.alert}
                yield self._family(metric + ending, facts).line(label_pairs({**own, **dimensions}), place)

    def _family(self, name: str, facts: Mapping[str, MetricFacts]) -> Family:
        if name not in self._families:
            self._families[name] = family(name, facts[name])
        return self._families[name]


def _has_previous(value: KpiValue) -> bool:
    return not value.dimensions and value.window != "all"


def _own_labels(kpi: Kpi, value: KpiValue) -> dict[str, str]:
    """Labels that say something of the value; those of a KPI are the same for all its values, if need be empty."""
    currency = {"currency": value.currency or ""} if kpi.may_be_money else {}
    return currency | ({"label": value.label or ""} if kpi.lowest else {})


def _has_labels(lines: Sequence[Line], kpi: Kpi, value: KpiValue) -> bool:
    """Whether a series' lines carry the labels that its value has now: the lowest and a goal may change theirs."""
    if not kpi.lowest and kpi.goal is None:
        return True
    return all(label_pair(name, text) in lines[0][1] for name, text in _own_labels(kpi, value).items())


def _alert_numbers(statuses: Sequence[AlertStatus]) -> Iterator[Number]:
    yield int(statuses[0].state == "firing")
    yield int(statuses[0].state == "no_data")
    for status in statuses:
        yield status.value
    for status in statuses:
        yield status.short_value
    for status in statuses:
        yield status.baseline
    for status in statuses:
        yield status.z
    for status in statuses:
        yield status.expected
