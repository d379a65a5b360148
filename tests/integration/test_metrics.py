"""A real Prometheus scrapes a real ``/metrics``: every panel's and rule's expression answers."""

import asyncio
import itertools
import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, TypeVar

import pytest
from aiohttp import web

from agents.alerting import WATCHED
from agents.pages import worker_routes
from schemas.catalogue import KPIS
from schemas.metric_names import metric_name
from schemas.settings import settings_from
from schemas.windows import HOUR_MS, MINUTE_MS
from streams.alerting.monitor import ConversionMonitor
from streams.metrics.exporter import Exporter
from tests.deploy.files import DASHBOARDS, RULES, expressions, rules, variable_queries
from tests.kpi_samples import DIMENSION_VALUES, every_series, publication
from tests.servers import StartPrometheus

Answer = TypeVar("Answer")

SEED = 20_250_615
SETTINGS = settings_from({"metrics": {"max_series": 100_000}})
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [conversion.yml, freshness.yml, traffic.yml]
scrape_configs:
  - job_name: salespulse-worker
    static_configs: [{{targets: ["{target}"]}}]
"""


class Counters:
    """Counts as intake's that goes on: each scrape finds more events."""

    def __init__(self) -> None:
        self.dead_letters = {("sales.deals.v1", "bad_date"): 3}
        self.lag = {("sales.deals.v1", 0): 12}
        self._scrapes = 0

    @property
    def events(self) -> dict[tuple[str, str], int]:
        self._scrapes += 1
        return {("sales.deals.v1", "deal.won"): 4_238 + self._scrapes, ("sales.leads.v1", "lead.created"): 8_800}


class Working(Exporter):
    """An exporter of a worker that puts values out between scrapes."""

    def negotiate(self, accept: str) -> tuple[bytes, str]:
        self.observe_latency(0.2)
        return super().negotiate(accept)


class Ready:
    """A worker that is ready."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter

    def reasons_not_ready(self) -> list[str]:
        return []


def filled() -> Exporter:
    """An exporter that has every series of the catalogue, and an alert that fires overall but not for one slice."""
    exporter = Working(SETTINGS, Counters())
    now_ms = round(time.time() * 1000)
    print(f"seed {SEED}")
    values = every_series(Random(SEED))
    asyncio.run(
        exporter.publish(
            publication(values, watermark_ms=now_ms - 1_000, emitted_at_ms=now_ms, produced_ms=now_ms - 90)
        )
    )
    monitor = ConversionMonitor(SETTINGS)
    slices = [f"{grouping}=one" for grouping in WATCHED if grouping]

    def dropped(start_ms: int, end_ms: int) -> tuple[int, int]:
        hours = (end_ms - start_ms) / HOUR_MS
        return round(hours * (150 if end_ms > now_ms - HOUR_MS else 300)), round(hours * 10_000)

    def steady(start_ms: int, end_ms: int) -> tuple[int, int]:
        hours = (end_ms - start_ms) / HOUR_MS
        return round(hours * 300), round(hours * 10_000)

    for minute in range(-3, 1):
        monitor.evaluate("", dropped, now_ms + minute * MINUTE_MS, "live")
        for series in slices:
            monitor.evaluate(series, steady, now_ms + minute * MINUTE_MS, "live")
    for series in ("", *slices):
        exporter.set_alert_stats(0, series, monitor.status(series))
    return exporter


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """``host:port`` that serves the pages of a worker with every series, from a thread of its own."""
    with ServedPages(filled()) as address:
        yield address


class ServedPages:
    """The worker's pages behind aiohttp, while the test itself waits for Prometheus."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_routes(worker_routes(Ready(self._exporter)))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"


@pytest.fixture(scope="module")
def prometheus(target: str, prometheus_server: StartPrometheus) -> str:  # ends before what it scrapes
    """URL of a Prometheus with the rules of `deploy/` that has scraped the worker."""
    files = {path.name: path.read_text() for path in RULES}
    # How long it waits before it fires, promtool tests without waiting.
    files["conversion.yml"] = files["conversion.yml"].replace("\n        for: 1m", "\n        for: 1s")
    url = prometheus_server(CONFIG.format(target=target), files=files).url
    wait_for(lambda: bool(query(url, "salespulse_build_info") and query(url, 'up{job="salespulse-worker"} == 1')))
    return url


def test_every_panel_has_data(prometheus: str) -> None:
    wait_for(lambda: bool(query(prometheus, 'ALERTS{alertstate="firing"}')))
    wait_for(lambda: bool(query(prometheus, "rate(salespulse_event_latency_seconds_count[1m]) > 0")))
    chosen = {name: "|".join(DIMENSION_VALUES[name]) for name in ("rep", "team")}
    for path, window in itertools.product(DASHBOARDS, ("24h", "5m", "ytd")):
        for title, expression in expressions(path):
            asked = expression
            for name, value in {"window": window, **chosen}.items():
                asked = asked.replace(f"${name}", value)
            assert "$" not in asked, title
            result = wait_for(partial(query, prometheus, asked), f"{path.name}: {title}: data for {asked}")
            assert all(float(sample["value"][1]) == float(sample["value"][1]) for sample in result), f"{title}: NaN"
        for metric, label in variable_queries(path):
            found = get(prometheus, f"label/{label}/values", {"match[]": metric})
            assert found == sorted(DIMENSION_VALUES[label])


def test_values_arrive_exactly(prometheus: str) -> None:
    units = {kpi.name: kpi for kpi in KPIS}
    wanted = {}
    for value in every_series(Random(SEED)):
        kpi = units[value.kpi]
        if value.window == "mtd":
            own = {"currency": "USD"} if kpi.may_be_money else {"label": str(value.label)} if kpi.lowest else {}
            labels = {"window": "mtd", **value.dimensions, **own}
            wanted[metric_name(kpi, value.dimensions), frozenset(labels.items())] = float(value.value or 0)
    found = {}
    for sample in query(prometheus, '{__name__=~"salespulse_.+", window="mtd"}'):
        labels = {name: text for name, text in sample["metric"].items() if name not in {"instance", "job", "__name__"}}
        found[sample["metric"]["__name__"], frozenset(labels.items())] = float(sample["value"][1])
    assert {key: found.get(key) for key in wanted} == wanted


def test_it_takes_both_formats(target: str) -> None:
    for accept, expected in (
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("text/plain;version=0.0.4", "text/plain"),
    ):
        request = urllib.request.Request(f"http://{target}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=5) as response:
            assert response.headers["Content-Type"].startswith(expected)


def test_the_alert_fires_in_prometheus_and_nothing_else_does(prometheus: str) -> None:
    def firing() -> set[tuple[str, str]]:
        alerts = get(prometheus, "alerts")["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("scope", "")) for a in alerts if a["state"] == "firing"}

    wait_for(lambda: bool(firing()))
    assert firing() == {("ConversionDropped", "global")}


def test_every_rule_runs_without_error(prometheus: str) -> None:
    def judged() -> list[dict[str, Any]]:
        return [rule for group in get(prometheus, "rules")["groups"] for rule in group["rules"]]

    wait_for(lambda: all(rule["health"] != "unknown" for rule in judged()))
    assert {rule["name"]: rule.get("lastError", "") for rule in judged()} == {rule["alert"]: "" for rule in rules()}


def query(url: str, expression: str) -> list[dict[str, Any]]:
    """Answer of an instant query."""
    result: list[dict[str, Any]] = get(url, "query", {"query": expression})["result"]
    return result


def get(url: str, what: str, parameters: dict[str, str] | None = None) -> Any:
    with urllib.request.urlopen(
        f"{url}/api/v1/{what}?{urllib.parse.urlencode(parameters or {})}", timeout=10
    ) as answer:
        body = json.load(answer)
    assert body["status"] == "success", body
    return body["data"]


def wait_for(ask: Callable[[], Answer], what: str = "", deadline_s: float = 30.0) -> Answer:
    """Ask until there is an answer, and return it: a scrape that took too long leaves no data until the next."""
    until = time.monotonic() + deadline_s
    while not (answer := ask()):
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.1)
    return answer
