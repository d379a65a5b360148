"""Topics on a broker: make them, check them, and accept a source topic that was made anew."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from agents.intake.coverage import folded
from agents.kafka import (
    AIOKafkaAdminClient,
    KafkaError,
    NewTopic,
    OffsetAndMetadata,
    TopicPartition,
    admin,
    consumer,
)
from agents.reading import committed_offsets
from agents.topic_configs import found_configs, set_configs, wrong_configs
from schemas.errors import IntakeStopped, UnavailableError, UsageError
from schemas.settings import Settings
from schemas.topics import TopicSpec, all_topics, state_group, state_topics
from streams.intake.router import Commit

_VISIBLE_DEADLINE_S: Final = 20.0
_EXISTS: Final = 36


def intake_group(settings: Settings) -> str:
    """Return the name of the consumer group of all intakes."""
    return f"{settings.app.id}-intake"


async def create_topics(settings: Settings, generation: int = 0) -> list[str]:
    """Make the topics that are missing; those that are there stay as they are.

    Args:
        settings: Their names and partitions.
        generation: The generation of state that they are for.

    Returns:
        The names of those made.

    Raises:
        UnavailableError: No broker answers, or the topics do not show up.
        UsageError: The broker refuses one, or one is there with a partition count that cannot work.
    """
    specs = _specs(settings, generation)
    async with admin(settings) as client:
        present = await _partition_counts(client)
        _refuse(_wrong_counts(settings, specs, present))
        wanted = [spec for spec in specs if spec.name not in present]
        if wanted:
            await _create(client, wanted, settings.kafka.replication_factor)
            await _until_visible(client, {spec.name for spec in wanted})
    return [spec.name for spec in wanted]


async def check_topics(settings: Settings, generation: int = 0) -> list[str]:
    """Compare the broker's topics with what the product needs.

    Args:
        settings: Their names and partitions.
        generation: The generation of state that is in force.

    Returns:
        A line for every problem: which topic, what was found, what is needed; empty when all is right.

    Raises:
        UnavailableError: No broker answers.
    """
    specs = _specs(settings, generation)
    async with admin(settings) as client:
        present = await _partition_counts(client)
        missing = [f"topic {spec.name} does not exist" for spec in specs if spec.name not in present]
        sources = set(settings.topics.sources().values())
        ours = [spec for spec in specs if spec.name in present and spec.name not in sources]
        found = await found_configs(client, ours)
    return missing + _wrong_counts(settings, specs, present) + [str(wrong) for wrong in wrong_configs(ours, found)]


async def put_right(settings: Settings, generation: int = 0) -> list[str]:
    """Give our own topics the settings they need; what else was set of them stays.

    Args:
        settings: Their names.
        generation: The generation of state in force.

    Returns:
        A line for every setting: of which topic, what it was, what it is now.

    Raises:
        UnavailableError: No broker answers.
        UsageError: The broker refuses it.
    """
    sources = set(settings.topics.sources().values())
    async with admin(settings) as client:
        ours = [spec for spec in _specs(settings, generation) if spec.name not in sources]
        found = await found_configs(client, ours)
        wrong = wrong_configs(ours, found)
        await set_configs(client, wrong, found)
        deadline = time.monotonic() + _VISIBLE_DEADLINE_S
        while wrong_configs(ours, await found_configs(client, ours)):  # the broker answers before all of it knows
            if time.monotonic() > deadline:
                raise UnavailableError(f"settings were sent and are not in force yet: {'; '.join(map(str, wrong))}")
            await asyncio.sleep(0.05)
    return [f"topic {each.topic}: {each.name} was {each.found}, is {each.needed}" for each in wrong]


async def stored_generations(settings: Settings) -> list[int]:
    """Return the numbers of the generations of state that the broker has topics of.

    Raises:
        UnavailableError: No broker answers.
    """
    async with admin(settings) as client:
        return sorted(await _generations_there(client, settings))


async def drop_generations(settings: Settings, keep: Container[int]) -> None:
    """Delete the topics of all generations of state but some.

    Raises:
        UnavailableError: No broker answers.
    """
    async with admin(settings) as client:
        there = await _generations_there(client, settings)
        gone = [name for number, names in there.items() if number not in keep for name in names]
        if gone:
            await client.delete_topics(gone)


async def _generations_there(client: AIOKafkaAdminClient, settings: Settings) -> dict[int, list[str]]:
    """Generation -> names of its topics that exist."""
    markers = re.compile(re.escape(state_group(settings.app.id)) + r"(?:-g(\d+))?-markers-changelog")
    present = await _partition_counts(client)
    numbers = {int(found[1] or 0) for found in map(markers.fullmatch, present) if found}
    kafka = settings.kafka
    return {
        number: [
            spec.name
            for spec in state_topics(settings.topics, settings.app.id, kafka.partitions, number)
            if spec.name in present
        ]
        for number in numbers
    }


async def partitions_of(settings: Settings, names: Iterable[str]) -> list[TopicPartition]:
    """Return all partitions of those of these topics that exist.

    Raises:
        UnavailableError: No broker answers.
    """
    wanted = set(names)
    async with admin(settings) as client:
        # All are asked for: asking by name would make a missing one on some brokers.
        described = await client.describe_topics(None)
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        if topic["topic"] in wanted
        for partition in topic["partitions"]
    ]


async def accept(settings: Settings, topic: str) -> int:
    """Take a source topic as made anew: intake starts at its beginning, under the next epoch. No worker may run.

    Returns:
        The new epoch.

    Raises:
        UsageError: The topic is no source topic, does not exist, or workers are running.
        UnavailableError: No broker answers.
    """
    sources = sorted(settings.topics.sources().values())
    if topic not in sources:
        raise UsageError(f"{topic} is no source topic; those are {', '.join(sources)}")
    async with admin(settings) as client:
        count = (await _partition_counts(client)).get(topic)
    if count is None:
        raise UsageError(f"topic {topic} does not exist; `salespulse topics create` makes it")
    partitions = [TopicPartition(topic, number) for number in range(count)]
    committed = await committed_offsets(settings, intake_group(settings), partitions)
    epochs = [Commit.parse(kept.offset, kept.metadata, 0).epoch for kept in committed.values()]
    epochs += [known.epoch for known in (await folded(settings, partitions)).values()]
    epoch = max(epochs, default=0) + 1
    client_id = f"{settings.app.id}-accept"
    reader = await consumer(settings, client_id=client_id, group_id=intake_group(settings), assignment=partitions)
    try:
        begins: Mapping[TopicPartition, int] = await reader.beginning_offsets(partitions)
        starts = {tp: Commit(begins[tp], epoch, base=True) for tp in partitions}
        await reader.commit({tp: OffsetAndMetadata(start.offset, start.metadata) for tp, start in starts.items()})
    except KafkaError as error:
        raise UsageError(f"{topic} cannot be accepted while workers run; stop them first ({error})") from None
    finally:
        await reader.stop()
    return epoch


def not_where_it_was(topic: str, partition: int, found: str) -> IntakeStopped:
    """Return the error of a source partition that does not hold what was committed."""
    return IntakeStopped(
        f"{topic} partition {partition}: {found}. Was the topic deleted and made again, or its data removed unread?"
        f" Stop all workers, run `salespulse topics accept {topic}` to take it in from its beginning, and start again"
    )


def _specs(settings: Settings, generation: int = 0) -> tuple[TopicSpec, ...]:
    kafka = settings.kafka
    return all_topics(settings.topics, settings.app.id, kafka.partitions, kafka.source_partitions, generation)


async def _partition_counts(client: AIOKafkaAdminClient) -> dict[str, int]:
    """Ask for all topics: asking by name would make a missing one on Tansu."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(None)}


def _wrong_counts(settings: Settings, specs: Iterable[TopicSpec], present: Mapping[str, int]) -> list[str]:
    wrong: dict[int, list[str]] = {}
    for spec in specs:
        if spec.aligned and present.get(spec.name, spec.partitions) != spec.partitions:
            wrong.setdefault(present[spec.name], []).append(spec.name)
    return [
        f"partitions of {', '.join(names)}: found {count}, kafka.partitions is {settings.kafka.partitions}, and these"
        " go together; change the setting back, or use a new app.id and topic names"
        for count, names in sorted(wrong.items())
    ]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise UsageError("; ".join(problems))


async def _create(client: AIOKafkaAdminClient, specs: Iterable[TopicSpec], replicas: int) -> None:
    new = [NewTopic(spec.name, spec.partitions, replicas, topic_configs=dict(spec.config)) for spec in specs]
    try:
        response = await client.create_topics(new)
    except KafkaError as error:
        raise UnavailableError(f"the broker did not make the topics: {error}") from None
    for name, code, message in response.topic_errors:
        if code not in (0, _EXISTS):
            raise UsageError(f"the broker refuses topic {name}: {message or f'error {code}'}")


async def _until_visible(client: AIOKafkaAdminClient, names: set[str]) -> None:
    """A broker answers before all of it knows a new topic; clients that come at once would not find it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _VISIBLE_DEADLINE_S
    while True:
        topics: list[dict[str, Any]] = await client.describe_topics(None)
        ready = {topic["topic"] for topic in topics if all(part["leader"] >= 0 for part in topic["partitions"])}
        if names <= ready:
            return
        if loop.time() > deadline:
            raise UnavailableError(f"topics were made but have no leader yet: {', '.join(sorted(names - ready))}")
        await asyncio.sleep(0.05)
