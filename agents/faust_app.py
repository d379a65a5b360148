"""The Faust app: two agents, four tables, and nothing that computes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from faust.types import TP

from agents.cadence import TURN_S, let_others
from agents.faust_driver import App, Consumer
from agents.generations import StateNames
from agents.kafka import heartbeat_ms, security_options
from agents.pipeline import Pipeline
from agents.tables import StateTable
from schemas.settings import Settings
from schemas.topics import TABLES

_LOG: Final = logging.getLogger(__name__)
_SEEK_AGAIN_S: Final = 5.0

Take = Callable[[int, int, bytes, Any], Awaitable[int | None]]
"""Partition, offset, message, event -> None when taken, else the offset to read on from."""


def build_app(settings: Settings, pipeline: Pipeline, names: StateNames) -> App:
    """Return the app of one worker for one generation of state; nothing is connected yet."""
    app = App(
        names.group,
        broker=";".join(f"kafka://{server}" for server in settings.kafka.bootstrap_servers.split(",")),
        broker_credentials=_credentials(settings),
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_partitions=settings.kafka.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        recovery_consistency_check=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.kafka.session_timeout / 1000,
        broker_heartbeat_interval=heartbeat_ms(settings) / 1000,
        broker_rebalance_timeout=20,
        broker_request_timeout=max(30.0, settings.kafka.session_timeout / 1000 + 5),  # Faust wants it above the session
        broker_max_poll_records=2_000,
        broker_max_poll_interval=180,
        broker_commit_interval=0.5,
        stream_buffer_maxsize=256,
        stream_wait_empty=False,
        producer_acks=-1,
        producer_request_timeout=30,
        consumer_max_fetch_size=4 * 1024 * 1024,
        loop=asyncio.get_running_loop(),
    )
    app.positions = pipeline
    for name in TABLES:
        topic = _raw_topic(app, names.changelogs[name], settings)
        table = StateTable(app, name=name, partitions=settings.kafka.partitions, changelog_topic=topic)
        table.keeper = pipeline
        app.tables.add(table)
    _add_agent(app, "fold", settings.topics.log, pipeline.take_frame, settings, pipeline)
    _add_agent(app, "rollup", names.cells, pipeline.take_cells, settings, pipeline)
    return app


def _raw_topic(app: App, name: str, settings: Settings) -> Any:
    return app.topic(
        name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=settings.kafka.partitions,
        internal=False,
    )


def _add_agent(app: App, name: str, topic: str, take: Take, settings: Settings, pipeline: Pipeline) -> None:
    """Add the agent that hands every message of a topic to the pipeline; acknowledging is the checkpoint's."""

    async def agent(stream: Any) -> None:
        seeking: dict[TP, tuple[int, float]] = {}
        spent_s = 0.0
        async for event in stream.noack().events():
            message, began_s = event.message, time.monotonic()
            try:
                wanted = await take(message.partition, message.offset, message.value, event)
                if wanted is not None:
                    await _read_on_from(app, TP(message.topic, message.partition), wanted, seeking)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must stop the worker
                # Faust would acknowledge the event of an agent that raises: stop without, for it to be folded again.
                _LOG.exception("%s: %s[%d] offset %d", name, message.topic, message.partition, message.offset)
                pipeline.fail(error)
                await asyncio.Event().wait()
            spent_s += time.monotonic() - began_s
            if spent_s > TURN_S:
                spent_s = 0.0
                await let_others()

    app.agent(_raw_topic(app, topic, settings), name=f"{app.conf.id}.{name}")(agent)


async def _read_on_from(app: App, tp: TP, wanted: int, seeking: dict[TP, tuple[int, float]]) -> None:
    """Seek back to the message that was skipped, once; those fetched behind it come again."""
    offset, at_s = seeking.get(tp, (-1, 0.0))
    if offset == wanted and time.monotonic() - at_s < _SEEK_AGAIN_S:
        return
    seeking[tp] = (wanted, time.monotonic())
    _LOG.warning("messages of %s[%d] were skipped; reading on from %d", tp.topic, tp.partition, wanted)
    consumer = app.consumer
    if isinstance(consumer, Consumer):
        await consumer.seek_to({tp: wanted})


def _credentials(settings: Settings) -> Any:
    options = security_options(settings)
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
