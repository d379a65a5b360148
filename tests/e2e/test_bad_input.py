"""Bad input between good: nothing is lost, nothing is counted wrongly, and people can see and mend it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest

from agents.brokers import Broker, RedisServer
from agents.kafka import ConsumerRecord, TopicPartition, producer
from agents.reading import committed_offsets, end_offsets, read_to_end
from agents.topics import intake_group
from tests.e2e.bad_messages import Bad, seventeen, won, written
from tests.e2e.product import PROJECT, Installation, Process, installed
from tests.e2e.surfaces import from_api, from_redis, untaken
from tests.polling import until

_BETWEEN: Final = 3  # good messages before each bad one
_RAW: Final = ("empty", "tombstone", "nan", "huge_message")  # those that are mended by hand are looked at there
_TRACE: Final = ("trace", b"t-17")


class Ran(NamedTuple):
    """What a command wrote, and its exit code."""

    out: str
    err: str
    code: int | None


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    tables: dict[str, Any] = {
        "kafka": {"partitions": 2, "source_partitions": 2, "session_timeout": "5s"},
        "pipeline": {"checkpoint_interval": "500ms"},
        "intake": {"commit_interval": "200ms"},
    }
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, tables) as found:
        yield found


@pytest.mark.asyncio
async def test_seventeen_sorts_of_bad_input_are_dead_letters_and_come_back_when_mended(product: Installation) -> None:
    bad = seventeen()
    assert len({each.name for each in bad}) == 17
    await product.run("topics", "create")
    worker, wall = product.start("worker"), product.start("wall")
    await worker.until_ready()
    places = await _send_mixed(product, bad)
    good = _BETWEEN * (len(bad) + 1)
    await _expect(product, worker, wall, deals=good, cents=100 * good, calls=0)

    _assert_letters(bad, places, await _dead_letters(product))
    numbers = await _assert_listed(product, bad)
    await _assert_shown(product, bad, numbers)

    await _replay(product, "--all", sent=0, of=17)
    await _expect(product, worker, wall, deals=good, cents=100 * good, calls=0)

    mended = [each for each in bad if each.mended is not None]
    for change in sorted({each.mended or "" for each in mended}):
        those = [numbers[each.name] for each in mended if each.mended == change]
        await _replay(product, *those, "--set", change, sent=len(those))
    deals, calls = good + len(mended) - 1, 1
    await _expect(product, worker, wall, deals=deals, cents=100 * deals, calls=calls)

    worker = await _restart(
        product, worker, '[money.rates]\nEUR = "1.10"\n', ("[intake]", "[intake]\nmax_event_bytes = 1000000")
    )
    await _replay(product, "--reason", "unknown_currency", sent=1, of=1)
    await _replay(product, "--reason", "too_large", sent=1, of=1)
    await _mend_by_hand(product, numbers)
    await _expect(product, worker, wall, deals=deals + 5, cents=100 * (deals + 5) + 10, calls=calls)

    await _replay(product, "--all", "--dry-run", sent=2, of=17, verb="would be sent")
    await _replay(product, "--reason", "unknown_currency", sent=1, of=1)  # counted already: once more changes nothing
    await _expect(product, worker, wall, deals=deals + 5, cents=100 * (deals + 5) + 10, calls=calls)
    letters = await _dead_letters(product)
    assert sum(len(letter.value or b"") for letter in letters) == sum(len(each.value or b"") for each in bad)
    worker.terminate()
    assert await worker.ends(deadline_s=15) == 0
    assert "Traceback" not in worker.log


@pytest.mark.asyncio
async def test_a_flood_of_bad_messages_stops_the_worker_before_it_diverts_everything(product: Installation) -> None:
    good, flood = 60, 1_500
    await product.run("topics", "create")
    worker = product.start("worker")
    await worker.until_ready()
    await _send_deals(product, [written(won(f"good-{number}")) for number in range(good)])
    await until(lambda: _nothing_untaken(product), deadline_s=20)
    events = [won(f"euro-{number}", currency="EUR") for number in range(flood)]
    await _send_deals(product, [written(event) for event in events])

    assert await worker.ends(deadline_s=30) == 1
    assert "Traceback" not in worker.log
    stopped = [line for line in worker.log.splitlines() if line.startswith("salespulse: ")]
    assert len(stopped) == 1, worker.log
    for part in ("messages cannot be counted", "unknown_currency", "currency", "intake.dead_letter_ratio"):
        assert part in stopped[0]
    diverted = await _dead_letters(product)
    assert 100 <= len(diverted) <= flood, len(diverted)
    await _assert_only_safe_commits(product, diverted, good)

    # The settings were at fault. With them right, what was not diverted is counted, and what was comes back.
    _edit(product, '[money.rates]\nEUR = "1"\n')
    worker, wall = product.start("worker"), product.start("wall")
    await worker.until_ready()
    await until(lambda: _nothing_untaken(product), deadline_s=30)
    await _replay(product, "--reason", "unknown_currency", sent=len({_source(letter) for letter in diverted}))
    await _expect(product, worker, wall, deals=good + flood, cents=100 * (good + flood), calls=0)
    assert len(await _dead_letters(product)) == len(diverted)


async def _send_mixed(product: Installation, bad: list[Bad]) -> dict[str, tuple[str, int, int]]:
    """Send good ones, a bad one, good ones, ... and good ones; returns where the bad ones are."""
    sources = product.settings.topics.sources()
    places: dict[str, tuple[str, int, int]] = {}
    sender = await producer(product.settings, client_id="test")
    try:
        for index, each in enumerate([*bad, None]):
            for number in range(_BETWEEN):
                name = f"good-{index}-{number}"
                await sender.send(sources["deals"], written(won(name)), name.encode(), partition=0)
            if each is not None:
                sent = await sender.send_and_wait(
                    sources[each.topic], each.value, each.name.encode(), partition=0, headers=[_TRACE]
                )
                places[each.name] = (sent.topic, sent.partition, sent.offset)
        await sender.flush()
    finally:
        await sender.stop()
    return places


async def _send_deals(product: Installation, values: list[bytes]) -> None:
    sender = await producer(product.settings, client_id="test")
    try:
        for value in values:
            await sender.send(product.settings.topics.deals, value, value[:20])
        await sender.flush()
    finally:
        await sender.stop()


async def _expect(product: Installation, worker: Process, wall: Process, *, deals: int, cents: int, calls: int) -> None:
    """The good ones are counted exactly, in Redis and in the API, and the worker is ready."""
    wanted = {"deals_won": deals, "revenue": cents, "calls": calls}
    found: dict[tuple[str, str, str], Any] = {}

    async def values_right() -> bool:
        for name, values in (("redis", await from_redis(product.settings)), ("api", await from_api(wall))):
            for kpi, dims in (("deals_won", ""), ("deals_won", "rep=r-1"), ("revenue", ""), ("calls", "")):
                value = orjson.loads(values.get(f"{kpi}|all|{dims}") or b"{}")
                found[name, kpi, dims] = value.get("numerator")
        return all(value == wanted[kpi] for (_, kpi, _), value in found.items())

    try:
        await worker.until(values_right, deadline_s=30)
    except AssertionError as error:
        raise AssertionError(f"wanted {wanted}, found {found}; {error}") from None
    await worker.until_ready(deadline_s=15)


async def _dead_letters(product: Installation) -> list[ConsumerRecord]:
    found: list[ConsumerRecord] = []
    async for records in read_to_end(product.settings, [TopicPartition(product.settings.topics.deadletter, 0)]):
        found += records
    return found


def _assert_letters(bad: list[Bad], places: dict[str, tuple[str, int, int]], letters: list[ConsumerRecord]) -> None:
    """Exactly one each, with the original bytes, key and headers, and the headers of interfaces."""
    by_place = {_source(letter): letter for letter in letters}
    assert len(letters) == len(bad) == len(by_place)
    for each in bad:
        letter = by_place[places[each.name]]
        headers = {name: content.decode() for name, content in letter.headers}
        assert letter.key == each.name.encode()
        assert letter.value == (each.value if each.value is not None else None), each.name
        assert (headers["reason"], headers["field"]) == (each.reason, each.field), each.name
        assert headers["original-trace"] == "t-17"


def _source(letter: ConsumerRecord) -> tuple[str, int, int]:
    headers = {name: content.decode() for name, content in letter.headers}
    return headers["topic"], int(headers["partition"]), int(headers["offset"])


async def _assert_listed(product: Installation, bad: list[Bad]) -> dict[str, str]:
    """`dlq list` makes sense of each; returns their numbers by name."""
    ran = await _command(product, "dlq", "list", "--json")
    documents = {document["key"]: document for document in json.loads(ran.out)}
    assert set(documents) == {each.name for each in bad}
    for each in bad:
        document = documents[each.name]
        assert (document["reason"], document["field"]) == (each.reason, each.field)
        assert each.found in document["found"], (each.name, document["found"])
        assert each.allowed in document["allowed"], (each.name, document["allowed"])
    table = await _command(product, "dlq", "list")
    text = "".join(table.out.split())  # cells are wrapped
    for each in bad:
        assert each.reason in text
        assert "".join(each.found.split()) in text, (each.name, table.out)
        assert "".join(each.allowed.split()) in text, (each.name, table.out)
    assert "17 in all" in table.err
    return {name: document["number"] for name, document in documents.items()}


async def _assert_shown(product: Installation, bad: list[Bad], numbers: dict[str, str]) -> None:
    """`dlq show` makes sense of each, for people, as JSON and as bytes."""
    every = [numbers[each.name] for each in bad]
    shown = json.loads((await _command(product, "dlq", "show", *every, "--json")).out)
    documents = {document["number"]: document for document in shown}
    ran = await _command(product, "dlq", "show", *every)
    panels = {text.split()[0]: text for text in ran.out.split("╭─ dead letter ")[1:]}
    assert len(documents) == len(panels) == len(bad)
    for each in bad:
        document, panel = documents[numbers[each.name]], panels[numbers[each.name]]
        assert document["now"].startswith(f"{each.reason}: "), (each.name, document["now"])
        assert document["headers"] == {"trace": "t-17"}
        assert len(panel) < 40_000, f"{each.name}: {len(panel)} characters are no look at a message"
        text = "".join(panel.replace("│", "").split())  # long lines are wrapped
        for part in (each.reason, each.field or "the whole message", each.found, each.allowed, "still:"):
            assert "".join(part.split()) in text, (each.name, part, panel)
    for each in bad:
        if each.name in _RAW:
            assert await _raw(product, numbers[each.name]) == (each.value or b"")


async def _mend_by_hand(product: Installation, numbers: dict[str, str]) -> None:
    """What no `--set` can mend: take the bytes, correct them in a file, and send that."""
    broken, listed, mangled = [
        await _raw(product, numbers[name]) for name in ("broken", "not_an_object", "invalid_utf8")
    ]
    lines = [broken + b'mount": 100}'[-9:], listed[1:-1], mangled.replace(b"\xff", b"o")]
    assert all(json.loads(line)["amount"] == 100 for line in lines)
    path = product.directory / "mended.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    ran = await _command(product, "replay", str(path))
    assert ran.code == 0, ran


async def _replay(product: Installation, *arguments: str, sent: int, of: int | None = None, verb: str = "sent") -> None:
    ran = await _command(product, "dlq", "replay", *arguments)
    assert ran.code == 0, ran
    assert f"{sent:,} of {sent if of is None else of:,} {verb} again" in ran.err, ran.err


async def _restart(product: Installation, worker: Process, *changes: str | tuple[str, str]) -> Process:
    """Stop a worker in order, change the settings, start another."""
    worker.terminate()
    assert await worker.ends(deadline_s=15) == 0
    _edit(product, *changes)
    worker = product.start("worker")
    await worker.until_ready()
    return worker


def _edit(product: Installation, *changes: str | tuple[str, str]) -> None:
    """Append to the settings file, or replace a part of it."""
    text = product.path.read_text()
    for change in changes:
        text = text + change if isinstance(change, str) else text.replace(*change)
    product.path.write_text(text)


async def _nothing_untaken(product: Installation) -> bool:
    return await untaken(product.settings) == 0


async def _assert_only_safe_commits(product: Installation, diverted: list[ConsumerRecord], good: int) -> None:
    """What lies below the committed offsets is counted, or is in the dead-letter topic; nothing else."""
    settings = product.settings
    partitions = [TopicPartition(settings.topics.deals, number) for number in range(2)]
    committed = await committed_offsets(settings, intake_group(settings), partitions)
    ends = await end_offsets(settings, partitions)
    sources = {_source(letter) for letter in diverted}
    below = 0
    for partition in partitions:
        offset = committed[partition].offset
        below += offset
        bad_below = sum(1 for topic, number, at in sources if (topic, number) == partition and at < offset)
        good_below = sum(1 for value in await _values(product, partition, offset) if b"good-" in value)
        assert bad_below + good_below == offset, f"{partition}: {offset} committed, {bad_below + good_below} safe"
    assert good <= below < sum(ends.values()), f"{below} of {sum(ends.values())} committed"


async def _values(product: Installation, partition: TopicPartition, end: int) -> list[bytes]:
    found: list[bytes] = []
    async for records in read_to_end(product.settings, [partition]):
        found += [record.value for record in records if record.offset < end]
    return found


async def _command(product: Installation, *arguments: str) -> Ran:
    """Run a command as a person does in a wide terminal."""
    out, err, code = await _run(product, *arguments)
    return Ran(out.decode(), err.decode(), code)


async def _raw(product: Installation, number: str) -> bytes:
    out, _, code = await _run(product, "dlq", "show", number, "--raw")
    assert code == 0
    return out


async def _run(product: Installation, *arguments: str) -> tuple[bytes, bytes, int | None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from agents.cli import main; main()", *arguments, "--config", str(product.path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=product.directory,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "200"},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return out, err, process.returncode
