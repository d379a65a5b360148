"""Settings of topics on a broker: read them, compare them with what is needed, set them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.kafka import AIOKafkaAdminClient, ConfigResource, ConfigResourceType, KafkaError
from schemas.errors import UnavailableError, UsageError
from schemas.topics import TopicSpec

_SET_OF_THE_TOPIC = 1
"""Where a value comes from, in the broker's words: it was set of this topic, and is no default."""


class Config(NamedTuple):
    """A setting of a topic as the broker tells it."""

    value: str
    own: bool


class WrongConfig(NamedTuple):
    """A setting that is not as it must be."""

    topic: str
    name: str
    found: str
    needed: str

    def __str__(self) -> str:
        more = "" if self.name == "cleanup.policy" else " or more"
        return f"topic {self.topic}: {self.name} is {self.found}, needed is {self.needed}{more}"


Configs = Mapping[str, Mapping[str, Config]]
"""Topic -> setting -> what it is."""


async def found_configs(client: AIOKafkaAdminClient, specs: Iterable[TopicSpec]) -> Configs:
    """Return the settings of topics; without those that are not there, and where the broker tells none (Tansu)."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    if not resources:
        return {}
    try:
        responses = await client.describe_configs(resources)
    except KafkaError:
        return {}
    return {
        resource[3]: {entry[0]: Config(str(entry[1]), entry[3] == _SET_OF_THE_TOPIC) for entry in resource[4]}
        for response in responses
        for resource in response.resources
        if resource[0] == 0
    }


def wrong_configs(specs: Iterable[TopicSpec], found: Configs) -> list[WrongConfig]:
    """Return what does not suffice."""
    return [
        WrongConfig(spec.name, name, found[spec.name][name].value, needed)
        for spec in specs
        for name, needed in spec.config.items()
        if name in found.get(spec.name, {}) and not _suffices(found[spec.name][name].value, needed)
    ]


async def set_configs(client: AIOKafkaAdminClient, wrong: Iterable[WrongConfig], found: Configs) -> None:
    """Set what is needed; all that was set of a topic is sent, for what is not named falls back to its default.

    Raises:
        UnavailableError: The broker does not answer.
        UsageError: It refuses.
    """
    wanted: dict[str, dict[str, str]] = {}
    for each in wrong:
        kept = {name: config.value for name, config in found[each.topic].items() if config.own}
        wanted.setdefault(each.topic, kept)[each.name] = each.needed
    if not wanted:
        return
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic, configs) for topic, configs in wanted.items()]
    try:
        responses = await client.alter_configs(resources)
    except KafkaError as error:
        raise UnavailableError(f"the broker did not set the topics: {error}") from None
    for response in responses:
        for code, message, _, topic in response.resources:
            if code:
                raise UsageError(f"the broker refuses the settings of {topic}: {message or f'error {code}'}")


def _suffices(found: str, needed: str) -> bool:
    """Texts must be equal; of numbers more will do, and -1 is without limit."""
    try:
        have, want = int(found), int(needed)
    except ValueError:
        return found == needed
    return have == -1 or (want != -1 and have >= want)
