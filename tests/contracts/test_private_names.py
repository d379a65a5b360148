"""Private names of Faust and aiokafka that the product leans on: an upgrade that changes one fails here first."""

from __future__ import annotations

import inspect
from typing import Any

import aiokafka
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from faust import App, Table
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver

from agents import faust_driver, tables


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def _source(function: Any) -> str:
    return inspect.getsource(function)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (driver.AIOKafkaConsumerThread, "seek_wait", ["self", "partitions"]),
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.Consumer, "perform_seek", ["self"]),
        (driver.Consumer, "stop_flow", ["self"]),
        (driver.Consumer, "assignment", ["self"]),
        (App, "_new_transport", ["self"]),
        (Table, "on_rebalance", ["self", "assigned", "revoked", "newly_assigned", "generation_id"]),
        (Table, "persisted_offset", ["self", "tp"]),
        (Table, "apply_changelog_batch", ["self", "batch"]),
        (aiokafka.AIOKafkaProducer, "send_batch", ["self", "batch", "topic", "partition"]),
        (BatchBuilder, "append", ["self", "timestamp", "key", "value", "headers"]),
    ],
)
def test_what_is_overridden_or_called_has_the_expected_parameters(
    owner: type, name: str, parameters: list[str]
) -> None:
    assert _parameters(getattr(owner, name)) == parameters


def test_our_overrides_override_something() -> None:
    assert (
        faust_driver.ConsumerThread._create_worker_consumer is not driver.AIOKafkaConsumerThread._create_worker_consumer
    )
    assert issubclass(faust_driver.Transport.Consumer, driver.Consumer)
    assert tables.StateTable.persisted_offset is not Table.persisted_offset


def test_the_fetch_wait_is_an_attribute_of_the_consumer() -> None:
    assert "self._fetch_max_wait_ms = fetch_max_wait_ms" in _source(aiokafka.AIOKafkaConsumer.__init__)


def test_faust_hard_codes_a_fetch_wait_that_must_be_replaced() -> None:
    assert "fetch_max_wait_ms=1500" in _source(driver.AIOKafkaConsumerThread._create_worker_consumer)


def test_recovery_asks_tables_how_far_they_are() -> None:
    assert "table.persisted_offset(tp)" in _source(Recovery._add)


def test_streams_are_resumed_before_positions_are_sought() -> None:
    source = _source(Recovery._resume_streams)
    assert source.index("resume_partitions") < source.index("perform_seek"), "the reason for our perform_seek"


def test_a_seek_also_moves_what_counts_as_read() -> None:
    assert "_read_offset[tp] = offset" in _source(driver.AIOKafkaConsumerThread._seek_wait)
    assert "offset >= r_offset" in _source(faust_consumer.Consumer._drain_messages)


def test_offsets_are_committed_behind_the_committed_offset() -> None:
    assert "_committed_offset[tp]" in _source(faust_consumer.Consumer._new_offset)


def test_an_app_that_crashes_says_why() -> None:
    assert isinstance(inspect.getattr_static(App, "crash_reason"), property)
    assert isinstance(inspect.getattr_static(App, "crashed"), property)
