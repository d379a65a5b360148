import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker
from agents.cli.entry import run
from agents.kafka import ConsumerRecord, producer
from agents.reading import read_to_end
from agents.topics import create_topics, partitions_of
from schemas.settings import Settings, load_settings
from schemas.topics import Topics
from streams.intake.deadletters import DeadLetter, to_headers
from tests.polling import until

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def settings(kafka: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation of its own, in a file in the working directory."""
    names = {field: topic_prefix + getattr(Topics(), field) for field in Topics.__struct_fields__}
    lines = [f'{field} = "{name}"' for field, name in names.items()]
    tmp_path.joinpath("salespulse.toml").write_text(
        f'[app]\nid = "{topic_prefix}app"\n[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\npartitions = 2\n'
        "source_partitions = 2\n[topics]\n" + "\n".join(lines) + "\n"
    )
    monkeypatch.chdir(tmp_path)
    return load_settings()


def salespulse(*arguments: str) -> "subprocess.Popen[str]":
    """Start a command in a process of its own, in the working directory."""
    return subprocess.Popen(
        [sys.executable, "-c", "from agents.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


async def messages(settings: Settings, *topics: str) -> list[ConsumerRecord]:
    found: list[ConsumerRecord] = []
    async for records in read_to_end(settings, await partitions_of(settings, topics)):
        found += records
    return found


def test_topics_are_made_once_and_then_right(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topics", "check"]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert run(["topics", "create"]) == 0
    assert settings.topics.deadletter in capsys.readouterr().out
    assert run(["topics", "create"]) == 0
    assert "all topics are there already" in capsys.readouterr().err
    assert run(["topics", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}


def test_replay_says_which_topics_are_missing(
    settings: Settings, crm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(crm / "sales_pipeline.csv"), "--mapping", "crm_opportunities"]) == 1
    assert f"has no topic {settings.topics.calls}" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_goes_on_where_it_stopped(
    settings: Settings, crm: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["replay", str(crm / "sales_pipeline.csv"), "--mapping", "crm_opportunities"]
    assert run(["topics", "create"]) == 0

    interrupted = salespulse(*arguments, "--rate", "2000")
    asyncio.run(until(some_acknowledged, deadline_s=30))
    interrupted.send_signal(number)
    text, _ = interrupted.communicate(timeout=20)
    assert interrupted.returncode == 130, text
    assert "Traceback" not in text
    stopped_at = acknowledged()
    assert 500 < stopped_at < 15_011

    capsys.readouterr()
    assert run(arguments) == 0
    assert f"going on after {stopped_at:,} events" in capsys.readouterr().err
    events = [json.loads(record.value) for record in asyncio.run(messages(settings, settings.topics.deals))]
    kinds = {event["event_id"]: event["event_type"] for event in events}
    assert Counter(kinds.values()) == {"deal.created": 8300, "deal.won": 4238, "deal.lost": 2473}
    # Sent again is only what was under way when it was stopped, and it counts once, since its ids are the same.
    assert len(events) - len(kinds) < 5_000

    assert run(arguments) == 0
    assert "all of it was sent before" in capsys.readouterr().err


async def some_acknowledged() -> bool:
    return acknowledged() > 500


def acknowledged() -> int:
    files = list(Path(".salespulse/replay").glob("*.json"))
    return int(json.loads(files[0].read_text())["acknowledged"]) if files else 0


def test_replay_keeps_the_order_of_event_time_and_the_keys(settings: Settings, crm: Path) -> None:
    assert run(["topics", "create"]) == 0
    assert run(["replay", str(crm / "sales_pipeline.csv"), "--mapping", "crm_opportunities"]) == 0
    records = asyncio.run(messages(settings, settings.topics.deals))
    assert len(records) == 15_011
    times: dict[int, list[str]] = {}
    for record in records:
        event = json.loads(record.value)
        assert record.key == event["account_id"].encode()
        times.setdefault(record.partition, []).append(event["occurred_at"])
    assert len(times) == 2
    assert all(found == sorted(found) for found in times.values())


@pytest.mark.usefixtures("settings")
def test_progress_of_topics_that_were_made_anew_does_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"event_id": "e", "event_type": "web.visit", "occurred_at": 1, "account_id": "a"}
    tmp_path.joinpath("e.ndjson").write_text(json.dumps(event) + "\n")
    assert run(["topics", "create"]) == 0
    assert run(["replay", "e.ndjson"]) == 0
    (place,) = Path(".salespulse/replay").glob("*.json")
    place.write_text(place.read_text().replace('"acknowledged":1', '"acknowledged":7'))
    assert run(["replay", "e.ndjson"]) == 0
    assert "1 events sent" in capsys.readouterr().err


def test_simulated_events_come_on_the_topics_of_their_types(settings: Settings) -> None:
    assert run(["topics", "create"]) == 0
    assert run(["simulate", "--days", "30", "--count", "500", "--seed", "5"]) == 0
    sources = settings.topics.sources()
    found = {key: asyncio.run(messages(settings, name)) for key, name in sources.items()}
    assert sum(map(len, found.values())) == 500
    for key, records in found.items():
        assert {json.loads(record.value)["event_type"].split(".")[0] for record in records} <= {
            key,
            key.removesuffix("s"),
        }


GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "event_type": "deal.won",
    "occurred_at": 1,
    "account_id": "a",
    "deal_id": "d",
}


def letters(settings: Settings) -> list[DeadLetter]:
    deals = settings.topics.deals
    reasons = [
        ("negative", "amount", json.dumps(GOOD | {"amount": -5}).encode()),
        (
            "unknown_currency",
            "currency",
            json.dumps(GOOD | {"event_id": "e-2", "currency": "EUR", "amount": 7}).encode(),
        ),
        ("broken_json", "", b'{"event_id": \xff'),
        ("tombstone", "", None),
    ]
    return [
        DeadLetter(
            topic=deals,
            partition=0,
            offset=offset,
            reason=reason,
            field=field,
            found="something",
            allowed="something else",
            failed_at_ms=1_700_000_000_000 + offset,
            key=b"k-%d" % offset,
            value=value,
            headers=(("trace", b"t-1"),),
        )
        for offset, (reason, field, value) in enumerate(reasons)
    ]


async def bury(settings: Settings) -> None:
    await create_topics(settings)
    sending = await producer(settings, client_id="test")
    try:
        for letter in [*letters(settings), letters(settings)[0]]:  # intake may send one again after a restart
            await sending.send_and_wait(
                settings.topics.deadletter, letter.value or b"", key=letter.key, headers=to_headers(letter)
            )
    finally:
        await sending.stop()


def test_dead_letters_are_listed_shown_and_sent_again_after_a_fix(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def out_of(*arguments: str) -> str:
        assert run(arguments) == 0
        captured = capfdbinary.readouterr()
        return (captured.out + captured.err).decode()

    asyncio.run(bury(settings))
    capfdbinary.readouterr()
    listed = out_of("dlq", "list")
    assert "4 in all" in listed
    assert all(letter.reason in listed for letter in letters(settings))
    only = json.loads(out_of("dlq", "list", "--reason", "negative", "--json"))
    assert [(each["number"], each["field"], each["key"]) for each in only] == [("0", "amount", "k-0")]
    shown = out_of("dlq", "show", "1")
    assert '"currency": "EUR"' in shown
    assert "still: unknown_currency" in shown
    assert run(["dlq", "show", "2", "--raw"]) == 0
    assert capfdbinary.readouterr().out == b'{"event_id": \xff'

    would = out_of("dlq", "replay", "--all", "--dry-run")
    assert "0: stays: negative: amount: found -5" in would
    assert "0 of 4 would be sent again" in would
    assert asyncio.run(messages(settings, settings.topics.deals)) == []

    monkeypatch.setenv("SALESPULSE_MONEY__RATES__EUR", "1.08")  # the fix of the one is a setting, of the other a value
    assert "1 of 1 sent again" in out_of("dlq", "replay", "--reason", "unknown_currency")
    assert "1 of 1 sent again" in out_of("dlq", "replay", "0", "--set", "amount=5")
    assert "0 of 2 sent again" in out_of("dlq", "replay", "2", "3")
    again = {record.key: record for record in asyncio.run(messages(settings, settings.topics.deals))}
    assert again.keys() == {b"k-0", b"k-1"}
    assert again[b"k-1"].value == letters(settings)[1].value
    assert json.loads(again[b"k-0"].value) == GOOD | {"amount": 5}
    assert all(tuple(record.headers) == (("trace", b"t-1"),) for record in again.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dlq", "replay"], "say which: numbers, --topic, --reason or --all"),
        (["dlq", "show", "99"], "there is no dead letter 99"),
        (["dlq", "replay", "2", "--set", "amount=5"], "--set: dead letter 2 is no JSON object (broken_json)"),
        (["dlq", "replay", "0", "--set", "a.b=5"], "--set: a.b: dead letter 0 has no object a"),
    ],
)
def test_wrong_use_of_dead_letters_says_what_is_right(
    settings: Settings, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(bury(settings))
    assert run(arguments) == 2
    assert message in capsys.readouterr().err
