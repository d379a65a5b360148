"""What the model is about: settings, what is counted, and the partitions that there are."""

from __future__ import annotations

from typing import Final

import msgspec

from agents.generations import state_names
from agents.kafka import TopicPartition
from schemas.catalogue import KPIS
from schemas.settings import settings_from
from streams.plan import Plan
from tests.model.made_once import MadeOnce

PARTITIONS: Final = 2
ZONE: Final = "UTC"
START_MS: Final = 1_729_897_200_000  # 23:00, so that a day ends among the events
_NAMES: Final = {"revenue", "new_customers", "active_customers", "repeat_customer_share", "calls", "email_open_rate"}
SETTINGS: Final = settings_from(
    {"kafka": {"partitions": PARTITIONS}, "time": {"clock": "event", "zone": ZONE}, "intake": {"frame_events": 3}}
)
_WINDOWS: Final = ("1h", "today", "mtd", "all")
PLAN: Final = Plan(
    [msgspec.structs.replace(kpi, dimensions=("rep",), windows=_WINDOWS) for kpi in KPIS if kpi.name in _NAMES]
)
STATE: Final = state_names(SETTINGS)
MADE: Final = MadeOnce(SETTINGS)
SOURCES: Final = (
    TopicPartition(SETTINGS.topics.deals, 0),
    TopicPartition(SETTINGS.topics.deals, 1),
    TopicPartition(SETTINGS.topics.calls, 0),
)
CHANGELOGS: Final = tuple(
    TopicPartition(topic, number) for topic in STATE.changelogs.values() for number in range(PARTITIONS)
)
