"""Alertmanager: who is told, and which alerts hold others back, asked of a real one."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import ChildProcess, free_port
from tests.deploy.files import ALERTMANAGER, rules, run
from tests.servers import program


@pytest.fixture
def amtool() -> str:
    return program("amtool", install="prometheus-alertmanager")


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """URL of an Alertmanager with the configuration of `deploy/`."""
    path = program("prometheus-alertmanager", "alertmanager", install="prometheus-alertmanager")
    url = f"http://127.0.0.1:{free_port()}"
    argv = [path, f"--config.file={ALERTMANAGER}", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    process = ChildProcess("Alertmanager", [*argv, f"--web.listen-address={url[7:]}"], tmp_path / "log")
    asyncio.run(process.start(lambda: _answers(url), deadline_s=20))
    yield url
    process.kill()


def test_amtool_accepts_it(amtool: str) -> None:
    checked = run(amtool, "check-config", ALERTMANAGER)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=ConversionDropped severity=critical scope=global", "sales-lead"),
        ("alertname=ConversionDropped severity=warning scope=slice source=web", "sales-floor"),
        ("alertname=ConversionLow severity=warning scope=global window=6h", "sales-floor"),
        ("alertname=KpiStale severity=critical", "on-call"),
        ("alertname=KpiAbsent severity=critical", "on-call"),
        ("alertname=TrafficDropped severity=critical", "on-call"),
        ("alertname=DeadLettersHigh severity=warning topic=sales.deals.v1", "sales-floor"),
        ("alertname=SeriesDropped severity=info", "nobody"),
    ],
)
def test_who_is_told(amtool: str, labels: str, receiver: str) -> None:
    routed = run(amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels.split())
    assert routed.stdout.split() == [receiver], routed.stderr


def test_old_values_hold_back_what_they_say_of_sales(alertmanager: str) -> None:
    everything = [{"alertname": rule["alert"], **rule["labels"]} for rule in rules()]
    post(alertmanager, [labels for labels in everything if labels["alertname"] != "KpiAbsent"])
    expected = {"ConversionDropped", "ConversionLow", "TrafficDropped", "WatermarkStalled", "CatchingUp"}
    silent = inhibited(alertmanager, len(everything) - 1, expected)
    assert {name for name, _ in silent} == expected
    assert ("ConversionDropped", "global") in silent


def test_the_global_alert_holds_back_its_slices_and_not_itself(alertmanager: str) -> None:
    alerts = [
        {"alertname": "ConversionDropped", "severity": "critical", "scope": "global"},
        {"alertname": "ConversionDropped", "severity": "warning", "scope": "slice", "source": "web"},
        {"alertname": "ConversionLow", "severity": "warning", "scope": "global", "window": "6h"},
        {"alertname": "DeadLettersHigh", "severity": "warning", "topic": "sales.deals.v1"},
    ]
    post(alertmanager, alerts)
    silent = inhibited(alertmanager, 4, {"ConversionDropped", "ConversionLow"})
    assert silent == {("ConversionDropped", "slice"), ("ConversionLow", "global")}


def test_a_slice_alone_is_told(alertmanager: str) -> None:
    post(alertmanager, [{"alertname": "ConversionDropped", "severity": "warning", "scope": "slice", "source": "web"}])
    assert inhibited(alertmanager, 1, set()) == set()


def post(url: str, alerts: list[dict[str, str]]) -> None:
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200


def inhibited(url: str, count: int, expected: set[str]) -> set[tuple[str, str]]:
    """(Name, scope) of alerts that are held back, once Alertmanager has judged all ``count`` of them as expected.

    One may be judged before the one that is to hold it back is there, so what is not as expected is asked for again.
    """
    until = time.monotonic() + 20
    while True:
        alerts = get(f"{url}/api/v2/alerts")
        is_judged = len(alerts) == count and all(alert["status"]["state"] != "unprocessed" for alert in alerts)
        silent = {
            (alert["labels"]["alertname"], alert["labels"].get("scope", ""))
            for alert in alerts
            if alert["status"]["inhibitedBy"]
        }
        is_over = time.monotonic() > until
        if is_judged and ({name for name, _ in silent} == expected or is_over):
            return silent
        assert not is_over, f"Alertmanager did not judge {count} alerts: {alerts}"


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)


def _answers(url: str) -> bool:
    try:
        get(f"{url}/api/v2/status")
    except OSError:
        return False
    return True
