"""The text of ``/metrics``: names, labels, unknown values, ownership, the cap, and speed."""

import asyncio
import math
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from schemas.catalogue import KPIS
from schemas.catalogue.compose import catalogue_of
from schemas.errors import CatalogueError
from schemas.kpi import KpiValue
from schemas.metric_names import metric_name
from schemas.settings import settings_from
from schemas.windows import WINDOWS
from streams.metrics.exporter import OPEN_METRICS, TEXT, Exporter
from streams.metrics.names import metric_facts, names_in
from tests.kpi_samples import NOW_MS, every_series, publication, sample

BY_NAME = {kpi.name: kpi for kpi in KPIS}
DEFAULTS = settings_from({})

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Counters:
    """What intake would count."""

    def __init__(self) -> None:
        self.events = {("sales.deals.v1", "deal.won"): 7}
        self.dead_letters = {("sales.deals.v1", "bad_date"): 2}
        self.lag = {("sales.deals.v1", 3): 11}


class Folds:
    """What folds would notice."""

    duplicates = 5
    missing: Mapping[tuple[str, int], int] = {("sales.calls.v1", 1): 3}


def exporter(max_series: int = 1_000_000, counters: Counters | None = None) -> Exporter:
    settings = settings_from({"metrics": {"max_series": max_series}})
    return Exporter(settings, counters or Counters(), folds=Folds())


def publish(to: Exporter, values: list[KpiValue], owner: int = 0, *, complete: bool = False) -> None:
    asyncio.run(to.publish(publication(values, owner, complete=complete)))


def read(text: bytes) -> Series:
    families = parse_text(text.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def at(series: Series, name: str, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


def test_a_unit_is_in_the_name_once() -> None:
    names = {kpi.name: metric_name(kpi) for kpi in KPIS}
    assert names["win_rate"] == "salespulse_win_rate_ratio"
    assert names["margin_ratio"] == "salespulse_margin_ratio"
    assert names["talk_time"] == "salespulse_talk_time_seconds"
    assert names["sales_cycle_p90"] == "salespulse_sales_cycle_p90_seconds"
    assert names["revenue"] == "salespulse_revenue"
    assert metric_name(BY_NAME["win_rate"], ("rep",)) == "salespulse_win_rate_ratio_by_rep"


def test_no_two_metrics_share_a_name() -> None:
    count = sum(kpi.has_global + len(kpi.groupings) * (1 + 2 * int(kpi.is_ratio) + int(kpi.ranked)) for kpi in KPIS)
    of_kpis = [name for name in metric_facts(KPIS) if name not in metric_facts(())]
    of_alerts = [name for name in of_kpis if name.startswith("salespulse_alert_")]
    assert len(of_kpis) - len(of_alerts) == count


def test_a_value_its_previous_one_and_its_parts() -> None:
    out = exporter()
    value = sample(BY_NAME["win_rate"], "24h", {}, Random(1))
    publish(out, [value])
    series = read(out.render())
    assert at(series, "salespulse_win_rate_ratio", window="24h") == value.value
    assert at(series, "salespulse_win_rate_ratio_previous", window="24h") == value.previous
    assert at(series, "salespulse_win_rate_numerator", window="24h") == value.numerator
    assert at(series, "salespulse_win_rate_denominator", window="24h") == value.denominator


def test_money_is_in_major_units_with_its_currency() -> None:
    out = exporter()
    value = sample(BY_NAME["revenue"], "ytd", {"rep": "r-7"}, Random(1))
    publish(out, [value])
    name, labels = "salespulse_revenue_by_rep", {"window": "ytd", "currency": "USD", "rep": "r-7"}
    assert at(read(out.render()), name, **labels) == (value.numerator or 0) / 100


def in_minor(name: str, window: str, dimensions: dict[str, str], numerator: int, denominator: int) -> KpiValue:
    """A value whose parts are as the rollup has them."""
    kpi = BY_NAME[name]
    value = numerator / denominator / (100 if kpi.unit == "money" else 1)
    told = sample(kpi, window, dimensions, Random(1))
    return msgspec.structs.replace(told, value=value, numerator=numerator, denominator=denominator)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("average_ticket", (1_234.56, 7)),
        ("ltv", (1_234.56, 7)),
        ("cac", (1_234.56, 7)),
        ("margin_ratio", (1_234.56, 0.07)),
        ("ltv_cac", (1_234.56, 0.07)),
        ("non_payment_rate", (1_234.56, 0.07)),
        ("revenue_growth", (1_234.56, 0.07)),
        ("target_attainment", (1_234.56, 0.07)),
    ],
)
def test_parts_in_money_are_in_major_units_with_their_currency(name: str, parts: tuple[float, float]) -> None:
    out = exporter()
    value = in_minor(name, "mtd", {}, 123_456, 7)
    publish(out, [value])
    series = read(out.render())
    labels = {"window": "mtd", "currency": "USD"}
    shown = [at(series, f"salespulse_{name}_{part}", **labels) for part in ("numerator", "denominator")]
    assert shown == list(parts)
    assert shown[0] / shown[1] == pytest.approx(value.value)


def test_parts_are_in_the_unit_of_the_currency_and_counts_have_none() -> None:
    out = Exporter(settings_from({"money": {"currency": "KWD"}}))
    publish(out, [in_minor(name, "mtd", {}, 123_456, 7) for name in ("margin_ratio", "win_rate")])
    series = read(out.render())
    assert at(series, "salespulse_margin_ratio_numerator", window="mtd", currency="KWD") == 123.456
    assert at(series, "salespulse_win_rate_numerator", window="mtd") == 123_456


def test_a_goal_of_its_own_is_in_whatever_it_is_in() -> None:
    out = exporter()
    goal = in_minor("target_attainment", "mtd", {"target": "g"}, 123_456, 7)
    ends = msgspec.structs.replace(goal, kpi="target_projection", unit="money", currency="USD")
    publish(out, [goal, ends])
    series = read(out.render())
    assert at(series, "salespulse_target_attainment_numerator_by_target", window="mtd", target="g") == 123_456
    name, labels = "salespulse_target_projection_numerator_by_target", {"window": "mtd", "target": "g"}
    assert at(series, name, **labels, currency="USD") == 1_234.56
    publish(out, [msgspec.structs.replace(ends, unit="count", currency=None)])
    assert at(read(out.render()), name, **labels, currency="") == 123_456


def test_parts_of_amounts_of_ones_own_are_money(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[measures]]\nname = "big"\ncounts = "deal.won"\nadds = "amount"\n'
        '[[kpis]]\nname = "big_share"\ntitle = "Big"\nformula = "big / big"\nunit = "ratio"\n'
    )
    settings = settings_from({"catalogue": {"files": [str(file)]}})
    kpis = catalogue_of(settings).kpis
    out = Exporter(settings, catalogue=kpis)
    own = next(kpi for kpi in kpis if kpi.name == "big_share")
    publish(out, [msgspec.structs.replace(sample(own, "mtd", {}, Random(1)), numerator=123_456)])
    assert at(read(out.render()), "salespulse_big_share_numerator", window="mtd", currency="USD") == 1_234.56


def test_unknown_is_nan_and_the_series_stays() -> None:
    out = exporter()
    known = sample(BY_NAME["win_rate"], "5m", {}, Random(1))
    publish(out, [known])
    publish(out, [msgspec.structs.replace(known, value=None, denominator=0)])
    series = read(out.render())
    assert math.isnan(at(series, "salespulse_win_rate_ratio", window="5m"))
    assert at(series, "salespulse_win_rate_denominator", window="5m") == 0


def test_a_pair_of_dimensions_has_a_metric_and_labels_of_its_own() -> None:
    out = exporter()
    value = sample(BY_NAME["stuck_leads"], "24h", {"rep": "r-7", "stage": "proposal"}, Random(1))
    publish(out, [value])
    series = read(out.render())
    assert at(series, "salespulse_stuck_leads_by_rep_stage", window="24h", rep="r-7", stage="proposal") == value.value


def test_a_ranking_has_its_rank_beside_the_value() -> None:
    out = exporter()
    value = sample(BY_NAME["points_per_rep"], "today", {"rep": "r-7"}, Random(1))
    publish(out, [value])
    assert at(read(out.render()), "salespulse_points_per_rep_rank_by_rep", window="today", rep="r-7") == value.rank


def test_when_the_lowest_is_another_one_the_series_of_the_old_one_is_gone() -> None:
    out = exporter()
    value = sample(BY_NAME["weakest_stage"], "today", {}, Random(1))
    for label in ("proposal", "negotiation"):
        publish(out, [msgspec.structs.replace(value, label=label)])
    labels = {dict(key)["label"] for name, key in read(out.render()) if name.startswith("salespulse_weakest_stage")}
    assert labels == {"negotiation"}


def test_where_a_goal_ends_has_a_currency_when_the_goal_is_in_money() -> None:
    out = exporter()
    money = sample(BY_NAME["target_projection"], "mtd", {"target": "g"}, Random(1))
    publish(out, [money])
    name = "salespulse_target_projection_by_target"
    assert at(read(out.render()), name, window="mtd", target="g", currency="USD") == money.value
    publish(out, [msgspec.structs.replace(money, unit="count", currency=None)])
    labels = [dict(key) for found, key in read(out.render()) if found == name]
    assert labels == [{"window": "mtd", "target": "g", "currency": ""}], "and none when it is in deals"


def test_any_text_may_be_a_label() -> None:
    out = exporter()
    nasty = 'a\\b"c"\nd,{}= é'
    publish(out, [sample(BY_NAME["deals_won"], "1h", {"product": nasty}, Random(1))])
    for body in (out.render().decode(), out.negotiate("application/openmetrics-text")[0].decode()):
        labels = [
            s.labels for f in parse_text(body.replace("# EOF\n", "")) for s in f.samples if "by_product" in s.name
        ]
        assert labels == [{"window": "1h", "product": nasty}]


def test_every_series_of_the_catalogue_is_there_and_nothing_else() -> None:
    out = exporter()
    values = every_series(Random(2))
    publish(out, values)
    series = read(out.render())
    facts = metric_facts(KPIS)
    for value in values:
        kpi = BY_NAME[value.kpi]
        own = {"currency": "USD"} if kpi.may_be_money else {"label": str(value.label)} if kpi.lowest else {}
        labels = {"window": value.window, **own, **value.dimensions}
        assert at(series, metric_name(kpi, value.dimensions), **labels) == value.value
    written = {names_in(name).pop() for name, _ in series if name.startswith("salespulse_")}
    assert written <= set(facts)
    shown = {name for name in facts if not name.startswith("salespulse_alert_")}
    assert shown <= written
    for name, labels_ in series:
        if name in facts:
            assert {label for label, _ in labels_} == set(facts[name].labels), name


def test_both_formats_say_the_same() -> None:
    out = exporter()
    publish(out, every_series(Random(3), windows=("24h",)))
    body, content_type = out.negotiate("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type == OPEN_METRICS
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # the library has no types there
    from_openmetrics = {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}
    text, content_type = out.negotiate("*/*")
    assert content_type == TEXT
    ours = {key: value for key, value in read(text).items() if key[0].startswith("salespulse_")}
    assert ours == {key: value for key, value in from_openmetrics.items() if key[0].startswith("salespulse_")}


def test_each_family_is_written_once_and_in_one_piece() -> None:
    out = exporter()
    publish(out, every_series(Random(4)), owner=0)
    publish(out, every_series(Random(5)), owner=1)
    seen: list[str] = []
    for line in out.render().decode().splitlines():
        name = line.split()[2] if line.startswith("#") else line.split("{")[0].split(" ")[0]
        if not seen or seen[-1] != name:
            seen.append(name)
    gauges = [name for name in seen if not name.startswith("salespulse_event_latency")]
    assert len(gauges) == len(set(gauges))


def test_forgetting_an_owner_drops_its_series_and_no_others() -> None:
    out = exporter()
    publish(out, [sample(BY_NAME["calls"], "1h", {"rep": "mine"}, Random(1))], owner=1)
    publish(out, [sample(BY_NAME["calls"], "1h", {"rep": "theirs"}, Random(1))], owner=2)
    out.forget(2)
    text = out.render().decode()
    assert "mine" in text
    assert "theirs" not in text


def test_a_complete_publication_replaces_what_was_there() -> None:
    out = exporter()
    publish(out, [sample(BY_NAME["calls"], "1h", {"rep": name}, Random(1)) for name in ("stays", "goes")])
    publish(out, [sample(BY_NAME["calls"], "1h", {"rep": "stays"}, Random(1))], complete=True)
    text = out.render().decode()
    assert "stays" in text
    assert "goes" not in text


def test_a_kpi_that_is_not_in_the_catalogue_is_refused() -> None:
    out = Exporter(DEFAULTS, catalogue=[BY_NAME["revenue"]])
    with pytest.raises(CatalogueError, match="win_rate"):
        publish(out, [sample(BY_NAME["win_rate"], "5m", {}, Random(1))])


def test_counters_are_read_at_the_scrape_and_begin_at_zero() -> None:
    counters = Counters()
    out = exporter(counters=counters)
    series = read(out.render())
    assert at(series, "salespulse_events_total", topic="sales.deals.v1", event_type="deal.won") == 7
    assert at(series, "salespulse_events_total", topic="sales.leads.v1", event_type="lead.created") == 0
    assert at(series, "salespulse_dead_letters_total", topic="sales.calls.v1", reason="negative") == 0
    assert at(series, "salespulse_consumer_lag", topic="sales.deals.v1", partition="3") == 11
    counters.events["sales.deals.v1", "deal.won"] = 8
    series = read(out.render())
    assert at(series, "salespulse_events_total", topic="sales.deals.v1", event_type="deal.won") == 8


def test_the_worst_quality_and_the_earliest_watermark_of_all_owners_count() -> None:
    out = exporter()
    asyncio.run(out.publish(publication([], 0, quality="live", watermark_ms=5_000)))
    asyncio.run(out.publish(publication([], 1, quality="catching_up", watermark_ms=3_000)))
    series = read(out.render())
    qualities = {state: at(series, "salespulse_quality", state=state) for state in ("live", "catching_up", "stale")}
    assert qualities == {"live": 0, "catching_up": 1, "stale": 0}
    assert at(series, "salespulse_watermark_timestamp_seconds") == 3
    assert at(series, "salespulse_kpi_emitted_timestamp_seconds") == NOW_MS / 1000
    asyncio.run(out.publish(publication([], 1, watermark_ms=None)))
    assert math.isnan(at(read(out.render()), "salespulse_watermark_timestamp_seconds"))


def test_latencies_are_a_histogram() -> None:
    out = exporter()
    out.observe_latency(0.22)
    out.observe_latency(100)
    series = read(out.render())
    counts = {le: at(series, "salespulse_event_latency_seconds_bucket", le=le) for le in ("0.2", "0.3", "60.0", "+Inf")}
    assert counts == {"0.2": 0, "0.3": 1, "60.0": 1, "+Inf": 2}
    assert at(series, "salespulse_event_latency_seconds_sum") == pytest.approx(100.22)


def test_a_process_without_intake_says_nothing_of_the_pipeline() -> None:
    names = {name for name, _ in read(Exporter(DEFAULTS).render())}
    assert "salespulse_build_info" in names
    assert "salespulse_quality" not in names
    assert "process_resident_memory_bytes" in names


def test_ten_thousand_series_render_fast() -> None:
    out = exporter()
    reps = [
        sample(BY_NAME["deals_won"], window, {"rep": f"rep-{number}"}, Random(number))
        for number in range(910)
        for window in WINDOWS
    ]
    publish(out, reps)
    took_s = min(_seconds(out) for _ in range(3))
    assert out.render().count(b"\n") > 10_000
    print(f"10,010 series in {took_s * 1000:.1f} ms")
    assert took_s < 0.1  # measured: 6 ms; a client library's own labels take 180 ms and more


def _seconds(out: Exporter) -> float:
    start = time.perf_counter()
    out.render()
    return time.perf_counter() - start
