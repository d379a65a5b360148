"""The cap on series: what a company of some size still sees, what it does not, and that the latter is counted."""

import asyncio
from collections import Counter
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from schemas.catalogue import KPIS
from schemas.kpi import KpiValue
from schemas.settings import settings_from
from schemas.windows import WINDOWS
from streams.metrics.exporter import Exporter
from streams.metrics.exposition import FIRST_WINDOWS
from tests.kpi_samples import DIMENSION_VALUES, every_series, publication, sample

SEED = 20_250_701
SIZES = {"rep": 30, "team": 5, "region": 4, "source": 8, "channel": 6, "product": 20, "stage": 5, "target": 12}
COMPANY = DIMENSION_VALUES | {name: tuple(f"{name}-{n}" for n in range(size)) for name, size in SIZES.items()}
BY_NAME = {kpi.name: kpi for kpi in KPIS}
UNLIMITED = 1_000_000

Keys = set[tuple[str, frozenset[tuple[str, str]]]]


def shown(values: list[KpiValue], max_series: int | None = None) -> tuple[Keys, float]:
    """KPI series of a scrape under a cap (None: the default one), and how many it says were dropped."""
    settings = settings_from({} if max_series is None else {"metrics": {"max_series": max_series}})
    exporter = Exporter(settings)
    asyncio.run(exporter.publish(publication(values)))
    samples = [sample for family in parse_text(exporter.render().decode()) for sample in family.samples]
    dropped = next(sample.value for sample in samples if sample.name == "salespulse_series_dropped_total")
    return {(s.name, frozenset(s.labels.items())) for s in samples if "window" in s.labels}, dropped


def window_of(key: tuple[str, frozenset[tuple[str, str]]]) -> str:
    return dict(key[1])["window"]


def is_part(name: str) -> bool:
    return "_numerator" in name or "_denominator" in name


def test_a_company_of_some_size_sees_what_dashboards_begin_with_and_the_rest_is_counted() -> None:
    print(f"seed {SEED}")
    values = every_series(Random(SEED), of=COMPANY)
    every, none_dropped = shown(values, UNLIMITED)
    seen, dropped = shown(values)
    assert none_dropped == 0
    assert len(every) > 80_000  # the whole catalogue is not what the cap is for
    assert dropped == len(every) - len(seen)
    assert len(seen) <= settings_from({}).metrics.max_series
    whole = {key for key in every if "_by_" not in key[0]}
    values_by = {key for key in every - whole if not is_part(key[0])}
    first = {key for key in values_by if window_of(key) in FIRST_WINDOWS and "_rep_stage" not in key[0]}
    pairs = {key for key in values_by if window_of(key) == FIRST_WINDOWS[0] and "_rep_stage" in key[0]}
    assert whole | first | pairs <= seen
    assert not {window_of(key) for key in seen - whole} - set(FIRST_WINDOWS)


def test_a_metric_of_a_window_is_shown_whole_or_not_at_all() -> None:
    every, _ = shown(every_series(Random(SEED), of=COMPANY), UNLIMITED)
    seen, _ = shown(every_series(Random(SEED), of=COMPANY))
    wanted = Counter((name, dict(labels)["window"]) for name, labels in every if "_by_" in name)
    found = Counter((name, dict(labels)["window"]) for name, labels in seen if "_by_" in name)
    assert {key: wanted[key] for key in found} == found


def test_global_series_stay_when_there_is_no_room_for_others() -> None:
    values = every_series(Random(SEED))
    whole = {key for key in shown(values, UNLIMITED)[0] if "_by_" not in key[0]}
    seen, dropped = shown(values, len(whole))
    assert seen == whole
    assert dropped > 0
    few, _ = shown(values, 100)
    assert len(few) == 100
    assert few <= whole


def test_what_is_dropped_is_counted_once_until_more_is() -> None:
    exporter = Exporter(settings_from({"metrics": {"max_series": 3}}))

    def dropped() -> float:
        families = parse_text(exporter.render().decode())
        return next(s.value for f in families for s in f.samples if s.name == "salespulse_series_dropped_total")

    def publish(window: str, reps: int) -> None:
        values = [sample(BY_NAME["calls"], window, {"rep": f"r-{n}"}, Random(n)) for n in range(reps)]
        asyncio.run(exporter.publish(publication(values)))

    publish("mtd", 3)
    assert dropped() == 0
    publish("5m", 4)
    assert [dropped(), dropped()] == [4, 4]
    publish("wtd", 2)
    assert dropped() == 6


@pytest.mark.parametrize("other", [window for window in WINDOWS if window not in FIRST_WINDOWS])
def test_the_windows_dashboards_begin_with_go_before_every_other_one(other: str) -> None:
    values = [sample(BY_NAME["calls"], window, {"rep": "r"}, Random(1)) for window in (other, *FIRST_WINDOWS)]
    seen, dropped = shown(values, 2)
    assert {window_of(key) for key in seen} == set(FIRST_WINDOWS)
    assert dropped == 1
