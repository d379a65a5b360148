"""Our one door to Kafka: clients with settings that are safe, and errors that say what to do.

Besides ``agents/faust_driver.py`` this is the only module that imports aiokafka; its types are handed on from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    ProducerFenced,
)

from schemas.errors import SettingsError, UnavailableError
from schemas.settings import Settings

__all__ = [
    "AIOKafkaAdminClient",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "CommitFailedError",
    "ConfigResource",
    "ConfigResourceType",
    "ConsumerRebalanceListener",
    "ConsumerRecord",
    "GroupCoordinatorNotAvailableError",
    "IllegalStateError",
    "KafkaError",
    "MessageSizeTooLargeError",
    "NewPartitions",
    "NewTopic",
    "NoOffsetForPartitionError",
    "NodeNotReadyError",
    "OffsetAndMetadata",
    "OffsetOutOfRangeError",
    "ProducerFenced",
    "TopicPartition",
    "admin",
    "consumer",
    "heartbeat_ms",
    "producer",
    "security_options",
]

MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
"""Largest message we send; the topics that take frames, checkpoints and dead letters allow as much."""

_CONNECT_TIMEOUT_S: Final = 5.0
_REQUEST_TIMEOUT_MS: Final = 30_000
_METADATA_AGE_MS: Final = 5_000  # so new partitions of a source topic are read seconds after they are made


def heartbeat_ms(settings: Settings) -> int:
    """Return how often a member of a group shows that it lives, milliseconds.

    A member hears of a rebalance at its next heartbeat, and all others wait for it: what is told pauses so long.
    """
    return max(100, int(settings.kafka.session_timeout) // 10)


def security_options(settings: Settings) -> dict[str, Any]:
    """Return the keywords by which any aiokafka client (and Faust's) connects as the settings say.

    Raises:
        SettingsError: A certificate file cannot be read.
    """
    security = settings.kafka.security
    options: dict[str, Any] = {"security_protocol": security.protocol}
    if security.protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": security.sasl_mechanism,
            "sasl_plain_username": security.sasl_username,
            "sasl_plain_password": security.sasl_password,
        }
    if security.protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    return options


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    security, key = settings.kafka.security, "ssl_cafile"
    try:
        context = ssl.create_default_context(cafile=security.ssl_cafile or None)
        if security.ssl_certfile:
            key = "ssl_certfile"
            context.load_cert_chain(security.ssl_certfile, security.ssl_keyfile or None)
    except OSError as error:
        where = f"kafka.security.{key} (or SALESPULSE_KAFKA__SECURITY__{key.upper()})"
        raise SettingsError(f"{where}: found {getattr(security, key)!r}, which cannot be used: {error}") from None
    return context


async def producer(
    settings: Settings, *, client_id: str, idempotent: bool | None = None, fence: str | None = None
) -> AIOKafkaProducer:
    """Connect a producer: acks=all, idempotent where the broker can.

    Args:
        settings: Where Kafka is.
        client_id: What the broker's log calls it.
        idempotent: None: as the settings say (Tansu refuses idempotent producers).
        fence: A role that one producer has at a time. Where this one has written, Kafka refuses what earlier ones of
            the role still send, with ``ProducerFenced``. It takes an idempotent producer.

    Raises:
        UnavailableError: No broker answers.
    """
    is_idempotent = settings.kafka.idempotence if idempotent is None else idempotent
    client = AIOKafkaProducer(
        **_common(settings, client_id),
        acks="all",
        enable_idempotence=is_idempotent,
        transactional_id=fence if is_idempotent else None,
        linger_ms=0,  # what goes together is handed over in one act, and more gathers while a request is on its way
        max_batch_size=256 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    await _connect(settings, client.start, client.stop)
    if fence is not None and is_idempotent:
        # All that is wanted of transactions is their producer id, whose epoch grows with every start: brokers refuse
        # an older epoch with or without a transaction, which would cost three requests and a marker a partition.
        client._txn_manager.transactional_id = None
    return client


async def consumer(
    settings: Settings,
    *topics: str,
    client_id: str,
    group_id: str | None = None,
    assignment: Iterable[TopicPartition] = (),
    listener: ConsumerRebalanceListener | None = None,
    **options: Any,
) -> AIOKafkaConsumer:
    """Connect a consumer that reads committed records and commits only when told to.

    Args:
        settings: Where Kafka is.
        topics: Topics to subscribe to, as a member of ``group_id``.
        client_id: What the broker's log calls it.
        group_id: Its group; None reads without one.
        assignment: Partitions to read instead of a subscription.
        listener: Told of partitions that come and go.
        options: Further keywords of ``AIOKafkaConsumer``, over our own.

    Raises:
        UnavailableError: No broker answers.
    """
    client = AIOKafkaConsumer(
        **{
            **_common(settings, client_id),
            "group_id": group_id,
            "isolation_level": "read_committed",
            "fetch_max_wait_ms": 50,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "session_timeout_ms": int(settings.kafka.session_timeout),
            "heartbeat_interval_ms": heartbeat_ms(settings),
            "rebalance_timeout_ms": 20_000,
            "max_poll_interval_ms": 120_000,
            "request_timeout_ms": _REQUEST_TIMEOUT_MS,
            # The same partition of all topics goes to one member: an account's events are merged where keys agree.
            "partition_assignment_strategy": (RangePartitionAssignor,),
            **options,
        }
    )
    await _connect(settings, client.start, client.stop)
    if topics:
        client.subscribe(topics, listener=listener)
    partitions = list(assignment)
    if partitions:
        client.assign(partitions)
    return client


@contextlib.asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an administrative client for the length of a ``with`` block.

    Raises:
        UnavailableError: No broker answers.
    """
    options = _common(settings, f"{settings.app.id}-admin")
    client = AIOKafkaAdminClient(**options, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    await _connect(settings, client.start, client.close)
    try:
        yield client
    finally:
        await client.close()


def _common(settings: Settings, client_id: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": settings.kafka.bootstrap_servers,
        "client_id": client_id,
        "metadata_max_age_ms": _METADATA_AGE_MS,
        **security_options(settings),
    }


async def _connect(
    settings: Settings, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> None:
    """Start a client; within seconds it is connected, or closed again and the reason said in one line."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await start()
    except (KafkaError, OSError, TimeoutError) as error:
        await stop()
        raise UnavailableError(
            f"Kafka at {settings.kafka.bootstrap_servers} does not answer ({_reason(error)}). Is it running? Its"
            " address is the setting kafka.bootstrap_servers; `salespulse up` brings a broker along"
        ) from None
    except BaseException:
        await stop()
        raise


def _reason(error: BaseException) -> str:
    if isinstance(error, KafkaConnectionError):
        return "no connection"  # its own text lists address families
    if isinstance(error, TimeoutError):
        return f"no answer in {_CONNECT_TIMEOUT_S:.0f} s"
    return (str(error) or type(error).__name__).splitlines()[0]
