import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.brokers import RedisServer
from agents.cli.entry import run
from schemas.kpi import KpiValue
from schemas.settings import Settings, settings_from
from streams.publication import Publication
from streams.redis_view import RedisSink
from tests.publications import START_MS, kpi_value, publication

PROJECT = Path(__file__).parents[2]
VALUES = (
    kpi_value("win_rate", "30d", value=0.6315, numerator=4238, denominator=6711, previous=0.61),
    kpi_value("revenue", "30d", value=10_005_534.0, numerator=1_000_553_400, previous=9_000_000.0),
    kpi_value("revenue", "30d", {"team": "north"}, value=1234.5, numerator=123_450),
    kpi_value("revenue", "30d", {"team": "south|west"}, value=None),
    kpi_value("revenue", "today", value=1.0, numerator=100),
)


@pytest.fixture
def settings(valkey: RedisServer, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a prefix of their own in Redis, in a file in the working directory."""
    prefix = topic_prefix.rstrip(".")
    tmp_path.joinpath("salespulse.toml").write_text(f'[redis]\nurl = "{valkey.url}"\nprefix = "{prefix}"\n')
    monkeypatch.chdir(tmp_path)
    return settings_from({"redis": {"url": valkey.url, "prefix": prefix}})


def write(settings: Settings, *values: KpiValue, position: int = 1) -> None:
    async def flush(what: Publication) -> None:
        sink = RedisSink(settings)
        await sink.publish(what)
        assert await sink.flush(), sink.problem
        await sink.close()

    asyncio.run(flush(publication(values, position=position, complete=True)))


def test_values_are_shown_with_units_changes_and_how_fresh_they_are(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, *VALUES)
    assert run(["kpis"]) == 0
    table = capsys.readouterr().out
    assert "live" in table.splitlines()[0]
    assert [" ".join(line.split()) for line in table.splitlines()[2:]] == [
        "revenue 10,005,534.00 USD 9,000,000.00 USD ↑ +11.2 %",
        "win_rate 63.15 % 61.00 % ↑ +2.15 pt",
    ]


def test_series_are_chosen_by_name_window_and_dimension(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    write(settings, *VALUES)

    def chosen(*arguments: str) -> list[tuple[str, dict[str, str], float | None]]:
        assert run(["kpis", *arguments, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["quality"] == "live"
        return [(each["kpi"], each["dimensions"], each["value"]) for each in found["series"]]

    assert chosen("revenue", "--window", "today") == [("revenue", {}, 1.0)]
    assert chosen("--by", "team") == [("revenue", {"team": "north"}, 1234.5), ("revenue", {"team": "south|west"}, None)]
    assert chosen("--where", "team=south|west") == [("revenue", {"team": "south|west"}, None)]
    assert len(chosen("--by", "*")) == 4
    assert chosen("calls") == []


def test_values_are_the_bytes_of_redis_as_json(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    write(settings, *VALUES)
    assert run(["kpis", "win_rate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == [VALUES[0].to_dict()]


@pytest.mark.usefixtures("settings")
def test_no_values_at_all_is_a_failure_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kpis"]) == 1
    assert "no worker has written any lately. Is one running (`salespulse worker`" in capsys.readouterr().err


def test_a_watched_table_follows_the_values_until_ctrl_c(
    settings: Settings, watching: Callable[..., "subprocess.Popen[str]"]
) -> None:
    write(settings, *VALUES)
    watched = watching("kpis", "win_rate", "--watch")
    assert watched.stdout is not None
    lines = iter(watched.stdout.readline, "")
    assert any("63.15 %" in line for line in lines)
    newer = kpi_value("win_rate", "30d", value=0.75, numerator=3, denominator=4, revision=2, end_ms=START_MS + 60_000)
    write(settings, newer, position=2)
    assert any("75.00 %" in line for line in lines)
    watched.send_signal(signal.SIGINT)
    assert watched.wait(10) == 0


@pytest.fixture
def watching() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts commands in processes of their own and ends them."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", "from agents.cli import main; main()", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
