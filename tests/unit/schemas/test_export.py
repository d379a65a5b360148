import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.asyncapi import asyncapi, source_of
from schemas.errors import UsageError
from schemas.events import EVENT_CLASSES
from schemas.export import GENERATED, differences, documents, main, write_documents
from schemas.json_schemas import json_schemas
from schemas.topics import Topics
from streams.simulator import SimulationConfig, simulate

START_MS = 1_700_000_000_000
SCHEMAS = json_schemas()
ENOUGH = 50


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for name in reference[2:].split("/"):
        document = document[name]
    return document


def test_the_committed_contracts_are_those_of_the_types() -> None:
    assert differences(GENERATED, Topics()) == []
    assert main(["--check"]) == 0


def test_a_difference_is_found_and_named(tmp_path: Path) -> None:
    write_documents(tmp_path, Topics())
    assert differences(tmp_path, Topics()) == []
    tmp_path.joinpath("alert.json").unlink()
    tmp_path.joinpath("old.json").write_text("{}")
    tmp_path.joinpath("events/deal.won.json").write_text("{}")
    assert differences(tmp_path, Topics()) == [
        "alert.json: is missing",
        "old.json: belongs to nothing any more",
        "events/deal.won.json: differs from the types",
    ]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_valid_and_complete_in_itself(name: str) -> None:
    document = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(document)
    for reference in references(document):
        assert resolve(document, reference)


def test_simulated_events_of_all_types_fit_their_schemas() -> None:
    validators = {kind: jsonschema.Draft202012Validator(SCHEMAS[f"events/{kind}.json"]) for kind in EVENT_CLASSES}
    counts: Counter[str] = Counter()
    for _, _, event, _ in simulate(SimulationConfig(events_per_second=0.005), START_MS, START_MS + 90 * 86_400_000):
        kind = str(event["event_type"])
        counts[kind] += 1
        if counts[kind] <= ENOUGH:
            validators[kind].validate(event)
    assert set(counts) == set(EVENT_CLASSES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": -1},
        {"amount": "12"},
        {"amount": 2**60},
        {"deal_id": ""},
        {"occurred_at": True},
        {"items": [{"quantity": -1}]},
    ],
)
def test_what_the_pipeline_refuses_does_not_fit_the_schema(wrong: dict[str, object]) -> None:
    won = {"event_id": "e", "event_type": "deal.won", "occurred_at": 1, "account_id": "a", "deal_id": "d"}
    validator = jsonschema.Draft202012Validator(SCHEMAS["events/deal.won.json"])
    validator.validate(won)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(won | wrong)


def test_the_asyncapi_document_holds_together() -> None:
    topics = Topics(deals="crm.deals")
    document = json.loads(documents(topics)["asyncapi.json"])
    assert document == asyncapi(topics)
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        assert resolve(document, reference)
    assert document["channels"]["deals"]["address"] == "crm.deals"
    carried = [kind for channel in document["channels"].values() for kind in channel["messages"]]
    assert set(carried) == set(EVENT_CLASSES) | {"KpiValue", "Alert", "DeadLetter"}
    assert {operation["channel"]["$ref"].rpartition("/")[2] for operation in document["operations"].values()} == set(
        document["channels"]
    )


def test_every_event_type_has_one_source_topic() -> None:
    assert {kind: source_of(kind) for kind in ("lead.created", "web.visit", "service.churned", "target.set")} == {
        "lead.created": "leads",
        "web.visit": "web",
        "service.churned": "service",
        "target.set": "targets",
    }
    with pytest.raises(UsageError, match=r"event_type: found 'deal.gone'"):
        source_of("deal.gone")
