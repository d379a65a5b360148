"""What is said of a wrong setting, and what variables of the environment can set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import Settings, load_settings

SECRETS = """
[kafka.security]
sasl_password = "hunter2"
[http]
token = "hunter2"
[redis]
url = "redis://:hunter2@host:6379/0"
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", **environment: str) -> Settings:
    Path("salespulse.toml").write_text(text)
    return load_settings(None, {f"SALESPULSE_{name}": value for name, value in environment.items()})


def refused(text: str = "", environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as raised:
        loaded(text, **(environment or {}))
    said = str(raised.value)
    assert "hunter2" not in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[time]\nweek_start = "funday"', "time.week_start: found 'funday'; expected one of monday, tuesday, "),
        ('[kafka.security]\nprotocol = "TLS"', "kafka.security.protocol: found 'TLS'; expected one of PLAINTEXT, SSL"),
        ('[kpi]\nworking_days = ["monday", "mon"]', "kpi.working_days[1]: found 'mon'; expected one of monday, "),
        ('[kafka]\nidempotence = "yes"', "kafka.idempotence: found 'yes'; expected true or false"),
        ('[http]\nport = "x"', "http.port: found 'x'; expected `int`, got `str`"),
        ("[http]\nprt = 1", "http.prt: no such setting; did you mean http.port?"),
        ("[kpi]\nabc_shares = [80, 30]", "kpi.abc_shares: found [80, 30]; allowed is what adds up to 100 at most"),
        ('[kpi]\nabc_shares = [80, "a"]', "kpi.abc_shares[1]: found 'a'; expected `int`, got `str`"),
        ('[app]\nid = "a b"', "app.id: found 'a b'; expected letters, digits, dots, dashes and underscores"),
        ('[money]\ncurrency = "usd"', "money.currency: found 'usd'; expected three capital letters, like EUR"),
        ("[money.rates]\neur = 1.08", "money.rates.eur: found 1.08; the key: expected three capital letters, like EUR"),
        ("[money.rates]\nGBP = 1\nEUR = [1]", "money.rates.EUR: found [1]; expected `int | float | str`, got `array`"),
        ("[money.rates]\nEUR = inf", "money.rates.EUR: found inf; allowed is a number above 0"),
        ("[money.rates]\nEUR = nan", "money.rates.EUR: found nan; allowed is a number above 0"),
        ("[money.rates]\nEUR = 0", "money.rates.EUR: found 0; allowed is a number above 0"),
        ('[money.rates]\nEUR = "-1"', "money.rates.EUR: found '-1'; allowed is a number above 0"),
        ('[kpi]\nstages = ["a", "b", "a"]', "kpi.stages: found ['a', 'b', 'a']; 'a' is there twice; allowed is each"),
        ('[kpi.stage_limits]\npropsal = "2d"', "kpi.stage_limits.propsal: found 'propsal'; did you mean proposal?"),
        ("[kpi.stage_limits]\nnew = 2", "kpi.stage_limits.new: found 2; expected a duration as text"),
        ('[redis]\nurl = "http://x"', "redis.url: found 'http://x'; allowed is a URL like redis://host:6379/0"),
        (
            '[redis]\nurl = "http://x:63/0"',
            "redis.url: found 'http://x:63/0'; allowed is a URL like redis://host:6379/0",
        ),
        ('[catalogue]\nfiles = ["none.toml"]', "catalogue.files: found 'none.toml'; No such file or directory"),
        ('[catalogue]\ninclude = ["revenu"]', "catalogue.include: found 'revenu'; no such KPI; did you mean revenue?"),
        ("kafka = 1", "kafka: found 1; expected `object`, got `int`"),
    ],
)
def test_a_wrong_setting_is_a_line_with_file_key_found_and_allowed(text: str, said: str) -> None:
    assert refused(text).startswith(f"salespulse.toml: {said}")


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRETS}[money.rates]\neur = 1.08",
        f"{SECRETS}[money.rates]\nEUR = [1]",
        SECRETS.replace('"hunter2"\n[redis]', '["hunter2"]\n[redis]'),
        SECRETS.replace('sasl_password = "hunter2"', 'sasl_password = ["hunter2"]'),
        SECRETS.replace("[kafka.security]\nsasl_password =", "[kafka]\nsecurity ="),
        SECRETS.replace("redis://:", "rediss//:x://:"),
        SECRETS.replace("hunter2@host:6379/0", "hunter2"),
        SECRETS.replace("hunter2@host:6379/0", "hunter2/0"),
        SECRETS.replace("redis://:hunter2@host:6379", "http://me:hunter2@host:6379"),
        SECRETS.replace("[kafka.security]", '[kafka.security]\nsasl_passwort = "hunter2"'),
        f"time = {{ password = 'hunter2', zone = {{ token = 'hunter2' }} }}\n{SECRETS}",
        f"{SECRETS}[kafka]\nbootstrap_servers = {{ password = 'hunter2' }}",
    ],
)
def test_no_secret_is_ever_shown(text: str) -> None:
    assert refused(text).startswith("salespulse.toml: ")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TIME__ZONE", "Mars/X", "time.zone: found 'Mars/X'; allowed is an IANA zone"),
        ("HTTP__PORT", "abc", "http.port: found 'abc'; expected `int`"),
        ("REDIS__URL", "rddis://:hunter2@host", "redis.url: found 'rddis://***@host'; allowed is a URL like redis://"),
        ("KAFKA__SECURITY__PROTOCOL", "TLS", "kafka.security.protocol: found 'TLS'; expected one of PLAINTEXT"),
        ("CATALOGUE__FILES", '["none.toml"]', "catalogue.files: found 'none.toml'; No such file"),
        ("CATALOGUE__INCLUDE", '["revenu"]', "catalogue.include: found 'revenu'; no such KPI"),
        ("MONEY__RATES__EUR", "nan", "money.rates.EUR: found 'nan'; allowed is a number above 0"),
        ("MONEY__RATES__eur", "1", "money.rates.eur: found '1'; the key: expected three capital letters"),
        ("KPI__ABC_SHARES", '[80, "a"]', "kpi.abc_shares[1]: found 'a'; expected `int`"),
        ("KPI__POINTS", '{"call.completed": "x"}', "kpi.points.call.completed: found 'x'; expected `int`"),
        ("KPI__POINTS__CALL_COMPLETED", "x", "kpi.points.call.completed: found 'x'; expected `int`"),
        ("KPI__STAGE_LIMITS__NOPE", "3d", "kpi.stage_limits.nope: found 'nope'; expected one of kpi.stages: new"),
        ("HTTP__PORT__X", "1", "http.port: found a table; expected `int`"),
    ],
)
def test_what_a_variable_has_wrong_names_the_variable(variable: str, value: str, said: str) -> None:
    assert refused("", {variable: value}).startswith(f"environment SALESPULSE_{variable}: {said}")


def test_a_variable_with_one_underscore_for_two_is_refused() -> None:
    said = refused("", {"PIPELINE_EMIT_INTERVAL": "5ms"})
    assert said.startswith("environment SALESPULSE_PIPELINE_EMIT_INTERVAL: no such setting; ")
    assert said.endswith("did you mean SALESPULSE_PIPELINE__EMIT_INTERVAL?")


def test_what_kubernetes_sets_for_a_service_is_no_setting() -> None:
    environment = {
        "HTTP_PORT": "tcp://10.0.0.7:8080",
        "HTTP_PORT_8080_TCP_PORT": "8080",
        "HTTP_SERVICE_HOST": "10.0.0.7",
    }
    assert loaded("", **environment).http.port == Settings().http.port


@pytest.mark.parametrize(
    ("environment", "points"),
    [
        ({"KPI__POINTS__CALL.COMPLETED": "3"}, {"call.completed": 3}),
        ({"KPI__POINTS__CALL_COMPLETED": "3"}, {"call.completed": 3}),
        ({"KPI__POINTS__CALL__COMPLETED": "3"}, {"call.completed": 3}),
        ({"KPI__POINTS__LEAD_STAGE_CHANGED": "0"}, {"lead.stage_changed": 0}),
        ({"KPI__POINTS": '{"call.completed": 3}'}, {"call.completed": 3}),
        ({"KPI__POINTS": '{"call.completed": 3}', "KPI__POINTS__DEAL_WON": "9"}, {"call.completed": 3, "deal.won": 9}),
    ],
)
def test_a_variable_sets_one_entry_of_a_table(environment: dict[str, str], points: dict[str, int]) -> None:
    assert loaded("", **environment).kpi.points == points


def test_variables_and_the_file_add_up() -> None:
    found = loaded(
        '[kpi.stage_limits]\nnew = "2d"\n[money.rates]\nGBP = 1.3',
        KPI__STAGE_LIMITS__PROPOSAL="3d",
        MONEY__RATES__EUR="1.0834567890123456789",
        KAFKA__IDEMPOTENCE="false",
        KAFKA__SECURITY__SASL_PASSWORD="123",
    )
    limits: dict[str, Any] = {"new": 2 * 86_400_000, "proposal": 3 * 86_400_000}
    assert found.kpi.stage_limits == limits
    assert found.money.rates == {"GBP": 1.3, "EUR": "1.0834567890123456789"}
    assert (found.kafka.idempotence, found.kafka.security.sasl_password) == (False, "123")
