"""Prometheus's rules: valid, tested, explained, and about metrics that exist."""

import re
import shutil
from pathlib import Path

import pytest

from schemas.alerts import Alert
from schemas.catalogue import KPIS
from streams.alerting.monitor import ALERT, RUNBOOK
from streams.metrics.names import metric_facts, names_in
from tests.deploy.files import DEPLOY, PROMETHEUS, RULE_TESTS, RULES, read_yaml, rules, run
from tests.servers import program

ANY_METRIC = re.compile(r"=~\"(salespulse_[^\"]+)\"")


@pytest.fixture
def promtool() -> str:
    return program("promtool", install="prometheus")


def test_promtool_accepts_configuration_and_rules(promtool: str) -> None:
    checked = run(promtool, "check", "config", PROMETHEUS)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("rules found") >= len(RULES)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_fire_and_stay_silent(promtool: str, path: Path) -> None:
    tested = run(promtool, "test", "rules", path.name, cwd=path.parent)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_rule_that_is_broken_would_be_noticed(promtool: str, tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    rule_file = tmp_path / "prometheus/rules/conversion.yml"
    text = rule_file.read_text()
    rule_file.write_text(text.replace("zscore) < -3", "zscore) < -300"))
    assert rule_file.read_text() != text
    tested = run(promtool, "test", "rules", "conversion.test.yml", cwd=tmp_path / "prometheus/tests")
    assert tested.returncode != 0


def test_each_rule_is_tested_for_firing_and_for_silence() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in RULE_TESTS:
        for test in read_yaml(path)["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case["exp_alerts"] else silent).add(case["alertname"])
    names = {rule["alert"] for rule in rules()}
    assert fires == names
    assert silent == names


def test_each_rule_has_a_section_of_the_runbook_and_each_section_a_rule() -> None:
    runbook = (DEPLOY / "runbook.md").read_text()
    sections = set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE))
    for rule in rules():
        assert rule["annotations"]["runbook_url"] == f"deploy/runbook.md#{rule['alert'].lower()}"
        assert {"summary", "description"} <= set(rule["annotations"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert sections == {rule["alert"] for rule in rules()}
    assert f"deploy/runbook.md#{ALERT.lower()}" == RUNBOOK
    assert "runbook" in Alert.__struct_fields__


def test_rules_ask_for_metrics_of_the_exporter_only() -> None:
    facts = metric_facts(KPIS)
    for rule in rules():
        patterns = ANY_METRIC.findall(rule["expr"])
        for pattern in patterns:
            assert any(re.fullmatch(pattern, name) for name in facts), pattern
        asked = names_in(ANY_METRIC.sub("", rule["expr"]))
        assert asked <= set(facts), rule["alert"]
        assert asked or patterns or rule["expr"].startswith("up{"), rule["alert"]
        for label in re.findall(r"(\w+)=~?\"", rule["expr"]):
            assert label in {"alert", "state", "job", "__name__"}, label
