import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.cli.entry import _COMMANDS
from schemas.catalogue import KPIS
from schemas.catalogue.compose import catalogue_of
from schemas.declare import Kpi
from schemas.decode import decode
from schemas.durations import Duration
from schemas.settings import Settings, settings_from
from streams.mapping.find import parse_mapping
from streams.mapping.rows import map_csv
from streams.plan import Plan, plan_of
from tests.readme import README, block

PROJECT = README.parent


def test_the_example_settings_are_valid() -> None:
    settings = settings_from(tomllib.loads(block("settings: example")), "README.md")
    assert settings.kafka.security.protocol == "SASL_SSL"
    assert (settings.time.zone, settings.money.rates) == ("Europe/Berlin", {"USD": 0.92})


def test_the_reference_of_settings_is_complete_and_states_the_defaults() -> None:
    document = tomllib.loads(block("settings: defaults"))
    assert settings_from(document, "README.md") == Settings()
    assert set(leaves(document)) == set(leaves(msgspec.to_builtins(Settings(), enc_hook=int)))


def leaves(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_durations_are_written_as_people_read_them() -> None:
    assert isinstance(settings_from(tomllib.loads(block("settings: defaults"))).time.tick, Duration)


def test_the_example_event_is_valid() -> None:
    event = decode(json.dumps(json.loads(block("event: example"))).encode())
    assert event.event_id == "crm-4711-won"


def test_the_example_mapping_does_what_its_comments_say(tmp_path: Path) -> None:
    tmp_path.joinpath("owners.csv").write_text("name,team\nAnn,N\n")
    text = 'number,customer,owner,state,closed_on,price\n7,ACME,Ann,won,31.03.2025,"1.234,50"\n8,,Ann,open,,\n'
    tmp_path.joinpath("deals.csv").write_text(text)
    found = map_csv(parse_mapping(block("mapping: example"), "README.md"), tmp_path / "deals.csv")
    assert found.skipped == {"still open": 1}
    assert [event.event for event in found.events] == [
        {
            "event_id": "fair:7:won",
            "event_type": "deal.won",
            "occurred_at": "2025-03-31T10:00:00.000Z",
            "deal_id": "7",
            "account_id": "ACME",
            "rep_id": "ann",
            "team_id": "north",
            "channel": "trade fair",
            "amount": 123450,
        }
    ]


def test_the_example_catalogue_is_accepted_by_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(block("catalogue: example"))
    catalogue = catalogue_of(settings_from({"catalogue": {"files": [str(path)]}}, "README.md"))
    plan = plan_of(catalogue)
    assert [kpi.name for kpi in plan.kpis if not kpi.row] == ["price_loss_share", "call_length_p90"]
    assert plan.groupings["lost_on_price"] == {"", "rep", "industry", "industry,rep"}


def test_the_example_kpi_is_accepted_by_the_engine() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("code: kpi"), "README.md", "exec"), names)
    kpi = names["price_question_share"]
    assert isinstance(kpi, Kpi)
    assert kpi.name not in {known.name for known in KPIS}
    plan = Plan((*KPIS, kpi))
    assert set(plan.measure_names(kpi)) == {"price_inquiries", "calls"}


def test_the_table_of_commands_is_that_of_the_command_line() -> None:
    listed = re.findall(r"^\| `salespulse (\w+)", README.read_text("utf-8"), flags=re.MULTILINE)
    assert set(listed) == set(_COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README.read_text("utf-8")))))
def test_what_the_readme_links_to_exists(target: str) -> None:
    assert (PROJECT / target).exists()


def test_the_subscriber_is_short() -> None:
    assert len([line for line in block("code: subscriber").splitlines() if line.strip()]) <= 15
