"""docker-compose.yml says what the code says: settings, commands, ports, paths, addresses."""

import re
import sys
import tomllib
from typing import Any

import click
import pytest

from agents.cli.entry import cli
from schemas.settings import ENV_PREFIX, Settings, load_settings, setting_names
from tests.deploy.files import ALERTMANAGER, DASHBOARDS, DEPLOY, PROMETHEUS, ROOT, read_yaml, run

COMPOSE = read_yaml(ROOT / "docker-compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("salespulse:")}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
SECRETS_OF_GRAFANA = {"GF_SECURITY_ADMIN_PASSWORD"}


def environment(service: str) -> dict[str, str]:
    """Variables of a service, with the defaults of what the caller may set."""
    variables: dict[str, str] = SERVICES[service].get("environment", {})
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in variables.items()}


def settings_of(service: str) -> Settings:
    return load_settings(None, environment(service))


def published(service: str) -> dict[int, int]:
    """Port of this machine -> port of the container; all on 127.0.0.1."""
    ports = {}
    for port in SERVICES[service].get("ports", []):
        address, outside, inside = port.split(":")
        assert address == "127.0.0.1", f"{service} is open to the network"
        ports[int(outside)] = int(inside)
    return ports


def mounts(service: str) -> dict[str, str]:
    """Path in the container -> path or volume it comes from."""
    return {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES[service].get("volumes", [])}


def test_it_is_valid_by_the_compose_specification() -> None:
    checked = run(
        sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_image_is_pinned() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
    assert {service["image"] for service in OURS.values()} == {f"salespulse:{version}"}
    for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.search(r":\d+\.\d+\.\d+-", base), base


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_variable_is_a_setting_that_is_accepted(service: str) -> None:
    names = {f"{ENV_PREFIX}{name.upper().replace('.', '__')}" for name in setting_names()}
    assert set(environment(service)) <= names
    settings_of(service)
    for variable in re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()):
        assert variable in names


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_command_is_one_of_the_command_line(service: str) -> None:
    program, *words = OURS[service]["command"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options
    command.make_context(service, list(words), resilient_parsing=True)


def test_the_services_of_the_product_are_all_there() -> None:
    commands = {tuple(service["command"][1:3]) for service in OURS.values()}
    assert {("worker",), ("wall",), ("topics", "create"), ("simulate", "--rate")} <= commands
    assert SERVICES["simulate"]["profiles"] == ["simulate"]
    started = {name for name, service in SERVICES.items() if not service.get("profiles")}
    wanted = {"kafka", "redis", "topics-create", "worker", "wall", "prometheus", "alertmanager", "grafana"}
    assert started == wanted


@pytest.mark.parametrize("service", sorted(OURS))
def test_addresses_are_those_of_the_services(service: str) -> None:
    settings = settings_of(service)
    kafka = environment("kafka")
    inside = dict(re.findall(r"(\w+)://([^,]+)", kafka["KAFKA_ADVERTISED_LISTENERS"]))
    assert settings.kafka.bootstrap_servers == inside["INTERNAL"]
    assert settings.kafka.bootstrap_servers.split(":")[0] in SERVICES
    assert re.fullmatch(r"redis://redis:6379/\d+", settings.redis.url)
    assert "redis" in SERVICES
    assert settings.http.host == "0.0.0.0"


def test_kafka_is_one_node_that_keeps_its_data_and_makes_no_topics_by_itself() -> None:
    kafka = environment("kafka")
    listeners = dict(re.findall(r"(\w+)://([^,]*)", kafka["KAFKA_LISTENERS"]))
    advertised = dict(re.findall(r"(\w+)://([^,]+)", kafka["KAFKA_ADVERTISED_LISTENERS"]))
    assert set(listeners) == {"INTERNAL", "CONTROLLER", "HOST"}
    for name, address in advertised.items():
        assert address.split(":")[1] == listeners[name].split(":")[1]
    assert published("kafka") == {29092: int(listeners["HOST"].removeprefix(":"))}
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@kafka{listeners['CONTROLLER']}"
    assert kafka["KAFKA_LOG_DIRS"] in mounts("kafka")
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len(kafka["CLUSTER_ID"]) == 22
    for service in OURS:
        assert settings_of(service).kafka.replication_factor == 1


def test_everything_waits_for_what_it_needs_and_can_be_asked_how_it_is() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            once = SERVICES[needed].get("restart") == "no"
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert how["condition"] == wanted, (name, needed)
        if name not in {"topics-create", "simulate"}:
            assert service["healthcheck"]["test"][0] == "CMD", name
    assert {"kafka", "redis", "topics-create"} <= set(SERVICES["worker"]["depends_on"])


def test_health_checks_ask_the_port_that_is_served() -> None:
    for service in ("worker", "wall"):
        port = settings_of(service).http.port
        assert f"http://127.0.0.1:{port}/healthz" in SERVICES[service]["healthcheck"]["test"][-1]
    assert published("wall") == {8080: settings_of("wall").http.port}
    for service in ("prometheus", "alertmanager", "grafana"):
        inside = next(iter(published(service).values()))
        assert f":{inside}/" in SERVICES[service]["healthcheck"]["test"][-1]


def test_prometheus_scrapes_worker_and_wall_and_tells_alertmanager() -> None:
    config = read_yaml(PROMETHEUS)
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    [found] = jobs["salespulse-worker"]["dns_sd_configs"]
    assert (found["names"], found["port"]) == (["worker"], settings_of("worker").http.port)
    wall_job = jobs["salespulse-wall"]
    [wall] = wall_job["static_configs"]
    assert wall["targets"] == [f"wall:{settings_of('wall').http.port}"]
    assert wall_job["params"] == {"collect[]": ["process"]}, "it has the workers' series too; they would come twice"
    assert all("metrics_path" not in job for job in jobs.values()), "the default is the path that is served"
    [alertmanagers] = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"][0]["targets"] == [f"alertmanager:{next(iter(published('alertmanager')))}"]


def test_grafana_reads_from_prometheus_and_finds_its_dashboards() -> None:
    sources = read_yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {source["type"]: source["url"] for source in sources} == {
        "prometheus": f"http://prometheus:{next(iter(published('prometheus')))}",
        "alertmanager": f"http://alertmanager:{next(iter(published('alertmanager')))}",
    }
    scrape_interval = read_yaml(PROMETHEUS)["global"]["scrape_interval"]
    prometheus = next(source for source in sources if source["type"] == "prometheus")
    assert prometheus["jsonData"]["timeInterval"] == scrape_interval
    assert f":v{prometheus['jsonData']['prometheusVersion']}" in SERVICES["prometheus"]["image"]
    [provider] = read_yaml(DEPLOY / "grafana/provisioning/dashboards/salespulse.yml")["providers"]
    inside = provider["options"]["path"]
    assert mounts("grafana")[inside] == "./deploy/grafana/dashboards"
    home = environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{inside}/") in {path.name for path in DASHBOARDS}
    assert not SECRETS_OF_GRAFANA & set(environment("grafana"))


def test_every_path_that_is_mounted_exists_and_every_volume_is_declared() -> None:
    for name in SERVICES:
        for inside, outside in mounts(name).items():
            if outside.startswith("."):
                assert (ROOT / outside).exists(), outside
            else:
                assert outside in COMPOSE["volumes"], (name, inside)
    configs = {"prometheus": PROMETHEUS, "alertmanager": ALERTMANAGER}
    for name, path in configs.items():
        [flag] = [word for word in SERVICES[name]["command"] if word.startswith("--config.file=")]
        assert (ROOT / mounts(name)[flag.partition("=")[2]]).resolve() == path
    for pattern in read_yaml(PROMETHEUS)["rule_files"]:
        folder = f"/etc/prometheus/{pattern.split('/')[0]}"
        assert list((ROOT / mounts("prometheus")[folder]).glob(pattern.split("/")[1]))
    assert set(COMPOSE["volumes"]) == {
        source for name in SERVICES for source in mounts(name).values() if not source.startswith(".")
    }


def test_the_image_has_what_it_copies_and_does_not_run_as_root() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert {"schemas", "streams", "agents"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert "--constraint tests/constraints.txt" in DOCKERFILE
    assert set(read_yaml(ROOT / "docker-compose.yml")["services"]["worker"]["build"].values()) == {
        ".",
        str((DEPLOY / "Dockerfile").relative_to(ROOT)),
    }


def test_what_may_be_written_is_mounted_because_the_rest_is_read_only() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True
        writable = [place.split(":")[0] for place in service["tmpfs"]] + list(mounts(name))
        assert settings_of(name).app.data_dir in writable
        assert "/tmp" in writable
