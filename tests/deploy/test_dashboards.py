"""The dashboards without Grafana: laid out well, generated, about every KPI and only about metrics that exist."""

import itertools
import re
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from agents.alerting import WATCHED
from deploy.grafana import generate
from deploy.grafana.boards import dashboard_of
from schemas.areas import AREAS, BOARDS, boards_of
from schemas.catalogue import KPIS, Kpi
from schemas.declare import ratio
from schemas.metric_names import metric_name
from schemas.windows import WINDOWS
from streams.alerting.monitor import KPI
from streams.metrics.exposition import FIRST_WINDOWS
from streams.metrics.names import PROCESS_METRICS, metric_facts, names_in
from tests.deploy.files import DASHBOARDS, DEPLOY, expressions, panels, read_json, read_yaml, variable_queries

each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)


def test_what_is_committed_is_what_the_catalogue_makes() -> None:
    assert generate.main(["--check"]) == 0


def test_a_difference_is_told_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "DASHBOARDS", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "sales-wall.json" in capsys.readouterr().err
    assert generate.main([]) == 0
    (tmp_path / "gone.json").write_text("{}")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert generate.main(["--wrong"]) == 2


def test_kpis_of_ones_own_get_panels_on_the_dashboard_of_their_area(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[[kpis]]\nname = "wins"\nformula = "deals_won"\narea = "service"\n')
    (tmp_path / "salespulse.toml").write_text('[catalogue]\nfiles = ["own.toml"]\n')
    out = tmp_path / "boards"
    assert generate.main(["--config", str(tmp_path / "salespulse.toml")]) == 2
    assert generate.main(["--config", str(tmp_path / "salespulse.toml"), "--out", str(out)]) == 0
    asked = {path.stem for path in out.glob("*.json") if "salespulse_wins{" in path.read_text()}
    assert asked == {"sales-service"}


def test_every_slice_that_is_watched_is_shown_and_told_of() -> None:
    watched = next(kpi for kpi in KPIS if kpi.name == KPI)
    assert set(WATCHED) <= set(watched.groupings)
    runbook = (DEPLOY / "runbook.md").read_text()
    for board in ("sales-wall", "system-health"):
        shown = {expression for _, expression in expressions(DEPLOY / f"grafana/dashboards/{board}.json")}
        for name in filter(None, WATCHED):
            assert f"max by ({name}) (salespulse_alert_firing_by_{name})" in shown
            assert name in runbook.split("## ConversionLow")[0]


@each_dashboard
def test_it_loads_in_grafana_11_6_and_refreshes_with_the_scrapes(path: Path) -> None:
    board = read_json(path)
    assert board["schemaVersion"] == 41
    assert board["refresh"] == "5s"
    assert board["uid"] == path.stem
    assert read_yaml(DEPLOY / "prometheus/prometheus.yml")["global"]["scrape_interval"] == "5s"


def test_there_is_one_for_each_audience_and_all_are_linked() -> None:
    boards = {read_json(path)["uid"]: read_json(path) for path in DASHBOARDS}
    assert set(boards) == {board.uid for board in BOARDS}
    assert len(boards) == len(DASHBOARDS) == 8
    for board in boards.values():
        assert board["tags"] == ["salespulse"]
        assert [(link["type"], link["tags"], link["includeVars"]) for link in board["links"]] == [
            ("dashboards", ["salespulse"], True)
        ]


def test_an_area_belongs_to_one_dashboard() -> None:
    owned = [area for board in BOARDS for area in board.areas]
    assert sorted(owned) == sorted(AREAS)


@each_dashboard
def test_panels_have_unique_ids_and_do_not_overlap(path: Path) -> None:
    every = panels(path)
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        at = panel["gridPos"]
        assert at["x"] >= 0
        assert at["x"] + at["w"] <= 24, panel["title"]
    for one, other in itertools.combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart or above, (one["title"], other["title"])


@each_dashboard
def test_every_metric_is_one_of_the_exporter_with_its_labels(path: Path) -> None:
    facts = metric_facts(KPIS)
    for title, expression in expressions(path):
        asked = names_in(expression)
        assert asked or re.search(r"\b(ALERTS|up|scrape_samples_scraped)\b", expression), title
        assert asked <= {*facts, *PROCESS_METRICS}, title
    for metric, label in variable_queries(path):
        assert label in facts[metric].labels


@each_dashboard
def test_every_panel_shows_something_and_says_when_it_cannot(path: Path) -> None:
    kinds = {panel["type"] for panel in panels(path)}
    assert "gauge" not in kinds
    for panel in panels(path):
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"] == "NO DATA"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        if panel["type"] in {"stat", "bargauge"}:
            assert panel["options"]["reduceOptions"]["calcs"], panel["title"]
            assert all(target["instant"] for target in panel["targets"])


@each_dashboard
def test_every_panel_asks_the_provisioned_datasource(path: Path) -> None:
    sources = read_yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    uid = next(source["uid"] for source in sources if source["type"] == "prometheus")
    for panel in panels(path):
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {uid} == {panel["datasource"]["uid"]}


@each_dashboard
def test_the_window_can_be_chosen(path: Path) -> None:
    variables = {variable["name"]: variable for variable in read_json(path)["templating"].get("list", [])}
    used = {name for _, expression in expressions(path) for name in re.findall(r"\$(\w+)", expression)}
    assert used == set(variables)
    if path.stem == "system-health":
        return
    assert variables["window"]["query"].split(",") == list(WINDOWS)
    assert variables["window"]["current"]["value"] in FIRST_WINDOWS
    repeated = [panel["repeat"] for panel in panels(path) if panel.get("repeat")]
    assert set(repeated) <= set(variables)
    assert len(repeated) <= 1


def test_the_wall_has_what_a_wall_needs() -> None:
    wall = next(path for path in DASHBOARDS if path.stem == "sales-wall")
    kinds = [panel["type"] for panel in panels(wall)]
    assert kinds[:8] == ["stat"] * 8
    assert {"timeseries", "bargauge", "table", "state-timeline"} <= set(kinds)
    assert any(panel.get("repeat") for panel in panels(wall))
    assert read_json(wall)["annotations"]["list"][0]["expr"].startswith("ALERTS")


def test_every_kpi_of_the_catalogue_is_on_a_dashboard() -> None:
    asked = {name for path in DASHBOARDS for _, expression in expressions(path) for name in names_in(expression)}
    for kpi in KPIS:
        assert {metric_name(kpi), *(metric_name(kpi, (each,)) for each in kpi.dimensions)} & asked, kpi.name
        if kpi.has_global:
            assert metric_name(kpi) in asked


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_kpi_is_on_the_dashboards_that_its_page_names(kpi: Kpi) -> None:
    values = {metric_name(kpi, grouping.split(",") if grouping else ()) for grouping in kpi.groupings}
    for board in boards_of(kpi.name, kpi.area):
        assert values & asked_by(board.uid), (kpi.name, board.uid)
    assert len([board for board in BOARDS if kpi.area in board.areas]) == 1


def test_a_kpi_that_is_new_has_its_panels_by_itself() -> None:
    new = ratio(
        "price_question_share",
        35,
        "Price questions",
        ("price_inquiries", "calls"),
        dimensions=("rep",),
        source="D",
        doc=".",
    )
    boards = {board: dashboard_of(board, (*KPIS, new)) for board in BOARDS}
    shown = [board.uid for board, built in boards.items() if metric_name(new) in JSONEncoder().encode(built)]
    assert shown == ["sales-manager"]  # that of the area it has if its declaration names none


def test_what_a_dashboard_lets_one_choose_narrows_what_is_by_that_dimension() -> None:
    for uid in ("sales-manager", "sales-funnel"):
        by_rep = [text for _, text in expressions(board_file(uid)) if "_by_rep{" in text and "rank" not in text]
        assert by_rep
        narrowed = [text for text in by_rep if 'rep=~"$rep"' in text]
        assert len(narrowed) > len(by_rep) / 2


def test_means_and_percentiles_are_in_one_panel_and_pairs_are_tables() -> None:
    by_title = {panel["title"]: panel for panel in panels(board_file("sales-funnel"))}
    assert [target["legendFormat"] for target in by_title["Time in stage"]["targets"]] == [
        "mean",
        "median",
        "90th percentile",
    ]
    pairs = [panel for panel in by_title.values() if panel["title"].endswith("by rep and stage")]
    assert {(panel["type"], panel["transformations"][0]["id"]) for panel in pairs} == {("table", "groupingToMatrix")}
    assert len(pairs) == 3
    targets = {panel["title"]: panel for panel in panels(board_file("sales-pipeline"))}["Targets"]
    assert len(targets["targets"]) == 3


def board_file(uid: str) -> Path:
    return next(path for path in DASHBOARDS if path.stem == uid)


def asked_by(uid: str) -> set[str]:
    return {name for _, expression in expressions(board_file(uid)) for name in names_in(expression)}
