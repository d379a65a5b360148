"""Every axis of growth measures something real: at sizes so small the figures mean nothing themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agents.brokers import Broker, RedisServer
from tests.benchmarks.growth import accounts, memory, plots, processes, recovery, reps, run, series
from tests.benchmarks.growth.axes import AXES
from tests.benchmarks.growth.table import WIDTH, Column, Row, Table, flat, met, render
from tests.benchmarks.rig import Servers


@pytest.fixture
def running(kafka: Broker, valkey: RedisServer, tmp_path: Path) -> Servers:
    return Servers(kafka, valkey, tmp_path)


def _shown(axis: str, rows: list[Row]) -> str:
    """The table, as it is after it was kept as JSON."""
    text = render(AXES[axis].table, json.loads(json.dumps(rows)))
    assert max(map(len, text.splitlines())) <= WIDTH
    return text


def test_folding_costs_about_the_same_whether_accounts_are_few_or_more() -> None:
    rows = accounts.measure(sizes=[200, 2_000], events=400, rounds=1, before=1_000)
    assert [row["accounts"] for row in rows] == [200, 2_000]
    assert all(1 < row[key] < 10_000 for row in rows for key in ("recent_us", "any_us"))
    assert "under way" in _shown("accounts", rows)


def test_more_reps_are_more_values_an_event() -> None:
    few, many = reps.measure(sizes=[2, 50], ticks=1, rounds=1, before=1_000)
    assert many["values"] > few["values"] > 1
    assert few["us"] == pytest.approx(few["fold_us"] + few["rollup_us"] + few["values_us"], abs=0.01)
    _shown("reps", [few, many])


def test_a_tick_sends_what_changed_or_moved_and_nothing_else() -> None:
    few, many = series.measure(sizes=[500, 3_000], rounds=1, reps=12, events=2_000)
    for row in (few, many):
        assert row["idle_values"] == 0
        assert row["all_values"] >= row["series"]
        assert 0 < row["changed_values"] < row["moved_values"] < row["series"] / 3
    assert many["series"] >= 3_000
    _shown("series", [few, many])


def test_memory_is_what_a_process_grows_by() -> None:
    account = memory.of_accounts([10_000, 60_000])  # fewer fit into memory that a process has anyway
    assert 200 < account["bytes"] < 20_000
    rows = [account, *memory.of_cells(events=[300, 1_200], reps=[2, 20], run=memory.here)]
    assert all(row["small"] < row["large"] for row in rows)
    _shown("memory", rows)


@pytest.mark.soak
@pytest.mark.asyncio
async def test_one_worker_and_two_count_all_that_was_sent(running: Servers) -> None:
    rows = await processes.workers(running, sizes=[1, 2], events=500, rounds=1, idle_s=0.2, partitions=2)
    assert [row["workers"] for row in rows] == [1, 2]
    assert all(row["worker_us"] > 0 and row["per_s"] > 1 for row in rows)
    _shown("workers", rows)


@pytest.mark.soak
@pytest.mark.asyncio
async def test_a_recovery_reads_every_account_that_was_written(running: Servers) -> None:
    rows = await recovery.measure(running, accounts=2_000, events=500, rounds=1, reps=4)
    folds, rollups = rows
    assert folds["records"] > 2_000
    assert rollups["records"] > 100
    _shown("recovery", rows)


def test_a_cost_is_flat_within_a_fifth() -> None:
    assert flat([10.0, 11.9, 12.1, 8.0]) == ["-", "+19%: met", "+21%: NOT MET", "-20%: met"]
    assert met(False, "idle") == "idle: NOT MET"


def test_a_table_says_of_every_row_whether_the_goal_is_met() -> None:
    table = Table("A title", (Column("size", "size"), Column("us", "CPU us", ".1f"), Column("rest", "rest")))
    rows: list[Row] = [{"size": 1_000, "us": 1.25, "rest": None, "goal": "-"}, {"size": 2, "us": 10, "goal": "met"}]
    lines = ["A title", " size  CPU us  rest  goal", "1,000     1.2     -  -", "    2    10.0     -  met"]
    assert render(table, rows).splitlines() == lines


def test_axes_are_kept_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RESULTS", tmp_path / "growth.json")
    about = {"cores": 2, "memory_gib": 1, "python": "3", "load_before": 0.5}
    for axis, figure in (("series", 1), ("accounts", 2), ("series", 3)):
        row = {"goal": "-"} | {column.key: figure for column in AXES[axis].table.columns}
        run.save({"machine": about, "quick": True, "axes": {axis: {"sizes": {}, "rows": [row]}}})
    kept = json.loads(run.RESULTS.read_text())
    assert list(kept) == ["accounts", "series"]
    assert kept["series"]["rows"][0]["series"] == 3
    assert kept["accounts"]["machine"] == about


def test_plots_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(plots.NoPlotsError, match=r"\[bench\]"):
        plots.draw()


def test_equal_results_are_equal_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra `bench`")
    drawn = [[file.read_bytes() for file in plots.draw(directory=tmp_path / name)] for name in ("first", "second")]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == sum(axis.table.plot is not None for axis in AXES.values())
