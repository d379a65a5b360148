"""`salespulse topics`: make topics, verify them, accept one that was made anew."""

from __future__ import annotations

import click
from rich.text import Text

from agents.cli.options import command_options, json_option, run_async
from agents.cli.output import print_json, remark, stdout
from agents.generations import generation_number
from agents.topics import accept as accept_topic
from agents.topics import check_topics, create_topics, put_right
from schemas.errors import SalesPulseError
from schemas.settings import Settings


@click.group()
def topics() -> None:
    """Make, verify or accept the topics on the broker."""


@topics.command()
@command_options
@run_async
async def create(settings: Settings) -> None:
    """Make all topics that are missing, and give those of our own the settings they need; data stays as it is.

    \b
    Example:
        salespulse topics create --config salespulse.toml
    """
    generation = await generation_number(settings)
    made = await create_topics(settings, generation)
    for name in made:
        stdout().print(Text.assemble(("made ", "green"), name))
    changed = await put_right(settings, generation)
    for line in changed:
        stdout().print(Text.assemble(("set ", "green"), line))
    if not made and not changed:
        remark("all topics are there already, as they must be")


@topics.command()
@json_option
@command_options
@run_async
async def check(settings: Settings, as_json: bool) -> None:
    """Compare the topics on the broker with what is needed; exit code 1 when something is wrong.

    \b
    Examples:
        salespulse topics check
        salespulse topics check --json
    """
    problems = await check_topics(settings, await generation_number(settings))
    if as_json:
        print_json({"ok": not problems, "problems": problems})
        if problems:
            raise click.exceptions.Exit(1)
    elif problems:
        raise SalesPulseError("\n".join([*problems, "`salespulse topics create` makes and sets what is needed"]))
    else:
        remark("all topics are as they must be")


@topics.command()
@click.argument("topic")
@command_options
@run_async
async def accept(settings: Settings, topic: str) -> None:
    """Take in a source TOPIC that was deleted and made again; intake refuses it until then.

    Its events are read from the beginning. Stop all workers first.

    \b
    Example:
        salespulse topics accept sales.deals.v1
    """
    epoch = await accept_topic(settings, topic)
    remark(f"{topic} is accepted; intake reads it from its beginning as number {epoch} of its name")
