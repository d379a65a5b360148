import json
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agents.cli.entry import run
from agents.cli.kpis import make_query
from agents.cli.running import Running, alone, find_running, with_running
from agents.cli.units import show_duration, show_value
from agents.cli.up import Plan
from schemas.catalogue import KPIS
from schemas.errors import UsageError
from schemas.kpi import Unit
from schemas.settings import Settings
from streams.simulator import SimulatedEvent

COMMANDS = {
    ("up",): "--broker",
    ("worker",): "--port",
    ("wall",): "--port",
    ("topics", "create"): "--config",
    ("topics", "check"): "--json",
    ("topics", "accept"): "--config",
    ("simulate",): "--seed",
    ("replay",): "--mapping",
    ("kpis",): "--where",
    ("catalogue",): "--json",
    ("dlq", "list"): "--json",
    ("dlq", "show"): "--json",
    ("dlq", "replay"): "--dry-run",
    ("check",): "--json",
    ("rebuild",): "--compare",
    ("catalogue", "list"): "--json",
    ("catalogue", "show"): "--json",
    ("catalogue", "check"): "my-kpis.toml",
    ("schemas", "export"): "--config",
}


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_teaches_with_an_example_and_takes_a_config(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"salespulse {' '.join(command)}" in text.split("Example", 1)[1]
    assert COMMANDS[command] in text
    assert "--config" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command[0]} " in text for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kpiss"], "there is no command 'kpiss'. Did you mean kpis?"),
        (["kpis", "--windw", "5m"], "no such option"),
        (["kpis", "--window", "3d"], "'3d' is not one of '5m'"),
        (["kpis", "revenu"], "no such KPI: revenu; did you mean revenue?"),
        (["kpis", "--by", "reps"], "--by: found 'reps'; did you mean rep?"),
        (["kpis", "--by", "rep,stag"], "--by: found 'stag'; did you mean stage?"),
        (["kpis", "--where", "rep"], "--where: found 'rep'; allowed is NAME=VALUE"),
        (["kpis", "--watch", "--json"], "--watch and --json: one of them"),
        (["catalogue", "--config", "none.toml"], "none.toml: no such settings file"),
        (["replay"], "missing argument 'FILES...'"),
        (["replay", "deals.csv"], "tables from CSV with --mapping"),
        (["replay", "deals.csv", "--mapping", "crm"], "crm: no such mapping file; built in: crm_opportunities"),
        (["replay", "deals.ndjson", "--rate", "0"], "0.0 is not in the range x>0"),
        (["up", "--broker", "rabbit"], "'rabbit' is not one of 'tansu', 'kafka'"),
        (["up", "a.ndjson"], "files to replay come after --replay: salespulse up --replay a.ndjson"),
    ],
)
def test_wrong_use_is_one_line_that_helps_and_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1


def test_a_wrong_setting_is_one_line_with_file_key_found_and_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.joinpath("salespulse.toml").write_text('[time]\nzone = "Mars"\n')
    assert run(["catalogue"]) == 2
    assert capsys.readouterr().err == (
        "salespulse: salespulse.toml: time.zone: found 'Mars'; allowed is an IANA zone like Europe/Berlin\n"
    )


@pytest.mark.parametrize("by", [("rep,stage",), ("rep", "stage"), (" stage , rep",)])
def test_a_pair_of_dimensions_is_asked_for_as_one_text_or_as_two(by: tuple[str, ...]) -> None:
    query = make_query(Settings(), ("stage_conversion",), "30d", by, ())
    matches = query.matcher("30d")
    assert matches("stage_conversion", "rep=r-7,stage=new")
    assert not matches("stage_conversion", "rep=r-7")


@pytest.mark.parametrize(
    ("arguments", "server"),
    [
        (["kpis"], "Redis at redis://127.0.0.1:1/0 does not answer"),
        (["replay", "events.ndjson"], "Kafka at 127.0.0.1:1 does not answer"),
        (["simulate", "--count", "1"], "Kafka at 127.0.0.1:1 does not answer"),
        (["topics", "create"], "Kafka at 127.0.0.1:1 does not answer"),
        (["topics", "check"], "Kafka at 127.0.0.1:1 does not answer"),
        (["dlq", "list"], "Kafka at 127.0.0.1:1 does not answer"),
        (["worker"], "Kafka at 127.0.0.1:1 does not answer"),
    ],
)
def test_an_unreachable_server_is_one_line_that_says_where_and_code_1(
    arguments: list[str],
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SALESPULSE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("SALESPULSE_REDIS__URL", "redis://127.0.0.1:1/0")
    tmp_path.joinpath("events.ndjson").write_text('{"event_type": "deal.won", "occurred_at": 1}\n')
    assert run(arguments) == 1
    text = capsys.readouterr().err
    assert server in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) <= 2


def test_the_doctor_has_a_line_for_everything_also_when_nothing_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SALESPULSE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("SALESPULSE_REDIS__URL", "redis://127.0.0.1:1/0")
    assert run(["check", "--json"]) == 1
    found = {line["subject"]: (line["state"], line["text"]) for line in json.loads(capsys.readouterr().out)}
    assert [subject for subject, (state, _) in found.items() if state == "ok"] == ["settings", "data directory"]
    assert "127.0.0.1:1 does not answer" in found["broker"][1]
    assert "127.0.0.1:1/0 does not answer" in found["Redis"][1]
    for subject in ("topics", "catalogue", "lag", "dead letters"):
        assert found[subject] == ("failed", "not known while the broker does not answer; see there")
    for subject in ("clock", "values"):
        assert found[subject] == ("failed", "not known while Redis does not answer; see there")


def test_the_catalogue_lists_every_kpi(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["catalogue", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [kpi["name"] for kpi in listed] == [kpi.name for kpi in KPIS]
    assert all(kpi["formula"] and kpi["doc"] for kpi in listed)
    assert run(["catalogue", "win_rate"]) == 0
    table = capsys.readouterr().out
    assert "deals_won / (deals_won + deals_lost)" in table
    assert "average_ticket" not in table


def test_simulate_writes_the_same_events_for_the_same_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--days", "5", "--count", "20", "--seed", "3", "--out", "a.ndjson"]) == 0
    assert "20 events written to a.ndjson" in capsys.readouterr().err
    events = [json.loads(line) for line in Path("a.ndjson").read_text().splitlines()]
    assert len(events) == 20
    assert all({"event_id", "event_type", "occurred_at"} <= event.keys() for event in events)


def test_a_file_that_cannot_be_written_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--days", "1", "--out", "none/a.ndjson"]) == 1
    assert "none/a.ndjson: cannot be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--replay", "a.ndjson", "b.ndjson", "--no-simulate"],
        ["--replay", "a.ndjson", "--no-simulate", "--replay", "b.ndjson"],
        ["--replay=a.ndjson", "--no-simulate", "b.ndjson"],
    ],
)
def test_up_replays_several_files(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    async def remember(_settings: Settings, plan: Plan) -> None:
        plans.append(plan)

    monkeypatch.setattr("agents.cli.up._run", remember)
    for at, name in enumerate(("a.ndjson", "b.ndjson")):
        event = {"event_id": name, "event_type": "web.visit", "occurred_at": at, "account_id": "a"}
        Path(name).write_text(json.dumps(event))
    assert run(["up", *arguments]) == 0
    (plan,) = plans
    assert plan.files == (Path("a.ndjson"), Path("b.ndjson"))
    assert plan.events is not None
    assert [json.loads(event.value)["event_id"] for event in plan.events.since(0)] == ["a.ndjson", "b.ndjson"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_simulation_leaves_whole_lines(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted_after_a_while(*_: object) -> Iterator[SimulatedEvent]:
        for at in range(1_000_000):
            if at == 1_000:
                signal.raise_signal(number)
            yield SimulatedEvent("web", "a", {"event_id": f"e-{at}"}, at)

    monkeypatch.setattr("agents.cli.simulate.history", interrupted_after_a_while)
    assert run(["simulate", "--out", "a.ndjson"]) == 130
    written = [json.loads(line) for line in Path("a.ndjson").read_text().splitlines()]
    assert 1_000 <= len(written) < 2_000
    said = capsys.readouterr().err
    assert f"only {len(written):,} events written to a.ndjson" in said
    assert "interrupted" in said


def test_an_unexpected_error_leaves_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("agents.cli.catalogue.select_kpis", lambda *_: 1 // 0)
    assert run(["catalogue"]) == 1
    text = capsys.readouterr().err
    assert "unexpected ZeroDivisionError" in text
    assert "Traceback" not in text
    (log,) = tmp_path.glob("salespulse-error-*.log")
    assert str(log) in text
    assert "Traceback" in log.read_text()
    assert run(["catalogue", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


RUNNING = Running(
    bootstrap_servers="127.0.0.1:41", idempotence=False, redis_url="redis://127.0.0.1:42/0", host="127.0.0.1", port=43
)


def test_commands_find_the_servers_of_a_running_up_and_only_while_it_runs() -> None:
    settings = Settings()
    data_dir = Path(settings.app.data_dir)
    assert with_running(settings) == settings
    with alone(data_dir) as announce:
        assert find_running(data_dir) is None
        announce(RUNNING)
        found = with_running(settings)
        assert (found.kafka.bootstrap_servers, found.kafka.idempotence) == ("127.0.0.1:41", False)
        assert (found.redis.url, found.http) == ("redis://127.0.0.1:42/0", settings.http)
        with pytest.raises(UsageError, match=r"salespulse up runs in .salespulse already \(http://127.0.0.1:43\)"):
            alone(data_dir).__enter__()
    assert with_running(settings) == settings


def test_what_a_killed_up_left_behind_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    with alone(tmp_path) as announce:
        announce(RUNNING)
        left = tmp_path.joinpath("up.json").read_bytes()
    tmp_path.joinpath("up.json").write_bytes(left)
    assert find_running(tmp_path) is None


def test_settings_that_name_a_server_are_not_overruled_by_a_running_up() -> None:
    settings = Settings()
    with alone(Path(settings.app.data_dir)) as announce:
        announce(RUNNING)
        own = msgspec.structs.replace(settings, redis=msgspec.structs.replace(settings.redis, url="redis://elsewhere"))
        assert with_running(own) == own


@pytest.mark.parametrize(
    ("value", "unit", "currency", "text"),
    [
        (10_005_534.0, "money", "USD", "10,005,534.00 USD"),
        (0.63149, "ratio", None, "63.15 %"),
        (4238, "count", None, "4,238"),
        (2.5, "count", None, "2.50"),
        (93_784, "seconds", None, "1 d 2 h"),
        (None, "money", "USD", "-"),
    ],
)
def test_values_are_shown_with_their_unit(value: float | None, unit: Unit, currency: str | None, text: str) -> None:
    assert show_value(value, unit, currency) == text


def test_durations_are_shown_in_their_two_largest_units() -> None:
    assert [show_duration(seconds) for seconds in (0, 59, 3_600, 86_461, -90)] == [
        "0 s",
        "59 s",
        "1 h",
        "1 d 1 min",
        "-1 min 30 s",
    ]
