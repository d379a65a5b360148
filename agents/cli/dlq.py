"""`salespulse dlq`: look at dead letters, and send them again after a fix."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click
import msgspec
import orjson
from rich.console import Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from agents.cli.letters import choose, correct, newest, why_not_counted
from agents.cli.options import command_options, json_option, pairs, run_async
from agents.cli.output import plain_table, print_json, remark, stdout
from agents.cli.sending import Sender
from agents.cli.source_topics import require_topics
from agents.kafka import producer as kafka_producer
from agents.letters import Numbered
from schemas.errors import DEAD_LETTER_REASONS, UsageError
from schemas.settings import Settings
from streams.intake.deadletters import DeadLetter
from streams.time import iso

_SHOWN_BYTES: Final = 4_000

_topic_option = click.option("--topic", metavar="TOPIC", help="Only those that came from this source topic")
_reason_option = click.option(
    "--reason", type=click.Choice(DEAD_LETTER_REASONS), metavar="REASON", help="Only those with this reason"
)


@click.group(short_help="Dead letters: look at them, send them again.")
def dlq() -> None:
    """Dead letters: messages that could not be counted, kept as they came."""


@dlq.command(name="list")
@_topic_option
@_reason_option
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, newest last")
@json_option
@command_options
@run_async
async def list_letters(settings: Settings, topic: str | None, reason: str | None, last: int, as_json: bool) -> None:
    """List dead letters: number, where from, why, which field, what was found and what is allowed.

    \b
    Examples:
        salespulse dlq list
        salespulse dlq list --topic sales.deals.v1 --reason missing_field
    """
    letters, counts = await newest(settings, topic, reason, last, with_values=as_json)
    if as_json:
        print_json([_document(each) for each in letters])
        return
    if not letters:
        remark("no dead letters")
        return
    table = plain_table("number", "when", "from", "reason", "what is wrong", right=("number",))
    for number, letter in letters:
        table.add_row(number, _when(letter), _place(letter), Text(letter.reason, "red"), _wrong(letter))
    stdout().print(table)
    remark(f"{counts.total():,} in all: " + ", ".join(f"{count:,} {name}" for name, count in counts.most_common()))


@dlq.command()
@click.argument("numbers", nargs=-1, required=True)
@click.option("--raw", is_flag=True, help="Write the original bytes to stdout, nothing else")
@json_option
@command_options
@run_async
async def show(settings: Settings, numbers: tuple[str, ...], raw: bool, as_json: bool) -> None:
    """Show dead letters in full: message, headers, what is wrong, and whether they would be counted today.

    \b
    Examples:
        salespulse dlq show 17
        salespulse dlq show 17 --raw > message.json
    """
    chosen = await choose(settings, numbers, None, None)
    if raw:
        for each in chosen:
            sys.stdout.buffer.write(each.letter.value or b"")
        return
    if as_json:
        print_json([_document(each, settings) for each in chosen])
        return
    for each in chosen:
        stdout().print(_picture(each, settings))


@dlq.command()
@click.argument("numbers", nargs=-1)
@_topic_option
@_reason_option
@click.option("--all", "everything", is_flag=True, help="All dead letters")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set a field of the JSON first (a.b=5)")
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would become of each")
@click.option("--force", is_flag=True, help="Send also what would become a dead letter again")
@command_options
@run_async
async def replay(
    settings: Settings,
    numbers: tuple[str, ...],
    topic: str | None,
    reason: str | None,
    everything: bool,
    changes: tuple[str, ...],
    dry_run: bool,
    force: bool,
) -> None:
    """Send dead letters again, with their bytes, key and headers, to the topic they came from.

    Those that would become dead letters again by the present settings stay where they are. An event that is counted
    already counts once, so sending one twice does no harm; dead letters stay listed until their topic forgets them.

    \b
    Examples:
        salespulse dlq replay --reason unknown_currency --dry-run
        salespulse dlq replay 17 --set amount=125000
        salespulse dlq replay --all
    """
    if not (numbers or topic or reason or everything):
        raise UsageError("say which: numbers, --topic, --reason or --all (`salespulse dlq list` shows them)")
    chosen = await choose(settings, numbers, topic, reason)
    new_fields = pairs("--set", changes)
    sendable = []
    for each in chosen:
        corrected = Numbered(each.number, msgspec.structs.replace(each.letter, value=correct(each, new_fields)))
        error = why_not_counted(settings, corrected.letter)
        hopeless = error is not None and (not force or corrected.letter.value is None or corrected.letter.cut_from > 0)
        if dry_run or hopeless:
            remark(f"{each.number}: {'would be counted' if error is None else f'stays: {error}'}")
        if not hopeless:
            sendable.append(corrected.letter)
    if not dry_run:
        await _send(settings, sendable)
    remark(f"{len(sendable):,} of {len(chosen):,} {'would be sent' if dry_run else 'sent'} again")


async def _send(settings: Settings, letters: list[DeadLetter]) -> None:
    if not letters:
        return
    await require_topics(settings, {letter.topic for letter in letters})
    producer = await kafka_producer(settings, client_id=f"{settings.app.id}-dlq")
    sender = Sender(producer, settings.kafka.bootstrap_servers)
    try:
        for letter in letters:
            await sender.send(letter.topic, letter.value, letter.key, letter.headers)
        await sender.finish()
    finally:
        await producer.stop()


def _document(each: Numbered, settings: Settings | None = None) -> dict[str, Any]:
    """A dead letter as JSON; bytes as text, with what is not UTF-8 escaped."""
    letter = each.letter
    document: dict[str, Any] = {
        "number": each.number,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "field": letter.field,
        "found": letter.found,
        "allowed": letter.allowed,
        "failed_at": _when(letter),
        "key": None if letter.key is None else _text(letter.key),
        "value": None if letter.value is None else _text(letter.value),
        "headers": {name: _text(content) for name, content in letter.headers},
    }
    if settings is not None:
        error = why_not_counted(settings, letter)
        document["now"] = "would be counted" if error is None else str(error)
    return document


def _picture(each: Numbered, settings: Settings) -> Panel:
    letter = each.letter
    table = plain_table("", "")
    table.show_header = False
    rows = {
        "from": _place(letter),
        "when": _when(letter),
        "reason": letter.reason,
        "field": letter.field or "the whole message",
        "found": letter.found or "nothing",
        "allowed": letter.allowed,
        "key": "none" if letter.key is None else _text(letter.key),
        **{f"header {name}": _text(content) for name, content in letter.headers},
    }
    for name, text in rows.items():
        table.add_row(Text(name, "bold"), Text(text))
    error = why_not_counted(settings, letter)
    table.add_row(
        Text("today", "bold"), Text("would be counted", "green") if error is None else Text(f"still: {error}", "red")
    )
    return Panel(Group(table, _message(letter)), title=f"dead letter {each.number}", title_align="left")


def _message(letter: DeadLetter) -> Syntax | Text:
    if letter.value is None:
        return Text("no value (a tombstone)", "dim")
    if len(letter.value) > _SHOWN_BYTES:
        cut = f" ... ({len(letter.value):,} bytes; --raw writes them all)"
        return Text(_text(letter.value[:_SHOWN_BYTES]) + cut)
    try:
        return Syntax(json.dumps(orjson.loads(letter.value), indent=2, ensure_ascii=False), "json", word_wrap=True)
    except orjson.JSONDecodeError:
        return Text(_text(letter.value))


def _place(letter: DeadLetter) -> str:
    return f"{letter.topic}/{letter.partition}@{letter.offset}"


def _wrong(letter: DeadLetter) -> str:
    field = f"{letter.field}: " if letter.field else ""
    return f"{field}found {letter.found or 'nothing'}" + (f"; allowed: {letter.allowed}" if letter.allowed else "")


def _when(letter: DeadLetter) -> str:
    return iso(letter.failed_at_ms - letter.failed_at_ms % 1000)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
