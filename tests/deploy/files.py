"""The files of ``deploy/`` as the tests read them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((DEPLOY / "prometheus/tests").glob("*.yml"))
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
ALERTMANAGER = DEPLOY / "alertmanager/alertmanager.yml"
PROMETHEUS = DEPLOY / "prometheus/prometheus.yml"


def read_yaml(path: Path) -> Any:
    """A YAML file as builtins; merge keys and anchors are followed."""
    return json.loads(json.dumps(YAML(typ="safe").load(path)))


def read_json(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text("utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every alerting rule."""
    return [rule for path in RULES for group in read_yaml(path)["groups"] for rule in group["rules"]]


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """Every panel of a dashboard, those inside rows too."""
    found = []
    for panel in read_json(dashboard)["panels"]:
        found += [panel, *panel.get("panels", [])]
    return found


def expressions(dashboard: Path) -> list[tuple[str, str]]:
    """(Title of the panel, PromQL) of every target."""
    return [(panel["title"], target["expr"]) for panel in panels(dashboard) for target in panel.get("targets", [])]


def variable_queries(dashboard: Path) -> list[tuple[str, str]]:
    """(Metric, label) of every variable that asks for values."""
    found = []
    for variable in read_json(dashboard)["templating"].get("list", []):
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert match is not None, variable
            found.append((match[1], match[2]))
    return found


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its output as text."""
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
