"""Topics: their names, what they hold and the settings they need."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from schemas.windows import DAY_MS, HOUR_MS

SOURCES: Final = ("leads", "calls", "emails", "deals", "web", "spend", "service", "targets")
"""The eight source topics, by their key in the settings."""

TopicName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
"""What Kafka allows."""


class Topics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of all topics: ``[topics]`` of the settings."""

    leads: TopicName = "sales.leads.v1"
    calls: TopicName = "sales.calls.v1"
    emails: TopicName = "sales.emails.v1"
    deals: TopicName = "sales.deals.v1"
    web: TopicName = "sales.web.v1"
    spend: TopicName = "sales.spend.v1"
    service: TopicName = "sales.service.v1"
    targets: TopicName = "sales.targets.v1"
    updates: TopicName = "sales.kpi.updates.v1"
    latest: TopicName = "sales.kpi.latest.v1"
    alerts: TopicName = "sales.alerts.v1"
    moments: TopicName = "sales.moments.v1"
    restatements: TopicName = "sales.kpi.restatements.v1"
    deadletter: TopicName = "sales.deadletter.v1"
    log: TopicName = "salespulse.log"
    cells: TopicName = "salespulse.cells"

    def sources(self) -> dict[str, str]:
        """Source key -> topic name, for the eight topics of events."""
        return {key: getattr(self, key) for key in SOURCES}


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic as it must exist: partitions and broker-side settings.

    ``aligned`` topics are read together or have a partition for each owner, so all must have as many as the log.
    """

    name: str
    partitions: int
    config: dict[str, str]
    aligned: bool = False


_COMPACTED: Final = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(6 * HOUR_MS),
    "max.message.bytes": "10485760",
}
TABLES: Final = ("accounts", "cells", "markers", "rollup")
"""The Faust tables; each has a changelog ``{app id}-{table}-changelog``."""


def changelog_topic(app_id: str, table: str, generation: int = 0) -> str:
    """Return the name of a table's changelog topic."""
    return f"{state_group(app_id, generation)}-{table}-changelog"


def cells_topic(topics: Topics, generation: int = 0) -> str:
    """Return the name of the topic that carries cells from fold to rollup."""
    return f"{topics.cells}.g{generation}" if generation else topics.cells


def state_group(app_id: str, generation: int = 0) -> str:
    """Return the consumer group of all workers, which is what changelogs are called after."""
    return f"{app_id}-g{generation}" if generation else app_id


def generations_topic(app_id: str) -> str:
    """Return the name of the topic that says which generation of state is in force."""
    return f"{app_id}-generations"


def all_topics(
    topics: Topics, app_id: str, partitions: int, source_partitions: int, generation: int = 0
) -> tuple[TopicSpec, ...]:
    """List every topic the product needs.

    Args:
        topics: Their names.
        app_id: Prefix of the changelogs.
        partitions: Partitions of the log, the cells topic and every changelog (they are read together), and of the KPI
            topics (each owner has one).
        source_partitions: Partitions for source topics that do not exist yet; existing ones may have any number.
        generation: The generation of state that is in force.
    """
    week = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    kept = {"cleanup.policy": "delete", "retention.ms": "-1"}
    return (
        *(TopicSpec(name, source_partitions, kept) for name in topics.sources().values()),
        TopicSpec(topics.updates, partitions, week, aligned=True),
        TopicSpec(topics.latest, partitions, _COMPACTED | {"min.compaction.lag.ms": "0"}, aligned=True),
        # The last transition of every alert is what the next worker begins with, however long ago it was.
        TopicSpec(topics.alerts, 1, _COMPACTED),
        TopicSpec(topics.moments, 1, _COMPACTED),
        TopicSpec(topics.restatements, partitions, kept),
        TopicSpec(topics.deadletter, 1, kept | {"max.message.bytes": "10485760"}),
        # All state is a function of the log: as long as it is kept, new KPIs can be counted from the beginning.
        TopicSpec(topics.log, partitions, kept | {"max.message.bytes": "10485760"}, aligned=True),
        TopicSpec(generations_topic(app_id), 1, kept),
        *state_topics(topics, app_id, partitions, generation),
    )


def state_topics(topics: Topics, app_id: str, partitions: int, generation: int = 0) -> tuple[TopicSpec, ...]:
    """List the topics that hold one generation of state."""
    week = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": "10485760"}
    return (
        TopicSpec(cells_topic(topics, generation), partitions, week, aligned=True),
        *(
            TopicSpec(changelog_topic(app_id, table, generation), partitions, _COMPACTED, aligned=True)
            for table in TABLES
        ),
    )
