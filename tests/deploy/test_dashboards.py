"""The dashboards without Grafana: laid out well, generated, about every KPI and only about metrics that exist."""

import itertools
from pathlib import Path

import pytest

from deploy.grafana import generate
from schemas.catalogue import KPIS
from schemas.metric_names import metric_name
from schemas.windows import WINDOWS
from streams.metrics.names import metric_facts, names_in
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


@each_dashboard
def test_it_loads_in_grafana_11_6_and_refreshes_with_the_scrapes(path: Path) -> None:
    board = read_json(path)
    assert board["schemaVersion"] == 41
    assert board["refresh"] == "5s"
    assert board["uid"] == path.stem
    assert read_yaml(DEPLOY / "prometheus/prometheus.yml")["global"]["scrape_interval"] == "5s"


def test_uids_are_unique() -> None:
    uids = [read_json(path)["uid"] for path in DASHBOARDS]
    assert len(uids) == len(set(uids)) == 2


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
        assert asked, title
        assert asked <= set(facts), title
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
    variables = {variable["name"]: variable for variable in read_json(path)["templating"]["list"]}
    assert variables["window"]["query"].split(",") == list(WINDOWS)
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
