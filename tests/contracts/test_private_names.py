"""Private names of Faust and aiokafka that the product leans on: an upgrade that changes one fails here first."""

from __future__ import annotations

import inspect
from typing import Any

import aiokafka
import pytest
from aiokafka import ConsumerRebalanceListener
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from faust import App, Table
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from mode.threads import ServiceThread, WorkerThread

from agents import faust_driver, tables
from tests.contracts.foreign_names import overridden, private_attributes


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
        (driver.Consumer, "on_partitions_revoked", ["self", "revoked"]),
        (driver.Consumer, "stop_flow", ["self"]),
        (driver.Consumer, "assignment", ["self"]),
        (driver.Consumer, "earliest_offsets", ["self", "partitions"]),
        (driver.Consumer, "highwaters", ["self", "partitions"]),
        (driver.AIOKafkaConsumerThread, "stop", ["self"]),
        (WorkerThread, "__init__", ["self", "service", "kwargs"]),
        (WorkerThread, "stop", ["self"]),
        (App, "_new_transport", ["self"]),
        (App, "_create_directories", ["self"]),
        (ConsumerRebalanceListener, "on_partitions_revoked", ["self", "revoked"]),
        (ConsumerRebalanceListener, "on_partitions_assigned", ["self", "assigned"]),
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


OVERRIDDEN = {
    "agents.faust_driver._Thread": {"stop"},
    "agents.faust_driver.ConsumerThread": {"Worker", "stop", "_create_worker_consumer", "_fetch_records"},
    "agents.faust_driver.HandsOver": {"wait_first"},
    "agents.faust_driver.Consumer": {
        "_new_consumer_thread",
        "perform_seek",
        "earliest_offsets",
        "on_partitions_revoked",
    },
    "agents.faust_driver.Transport": {"Consumer"},
    "agents.faust_driver.App": {"_new_transport", "_create_directories"},
    "agents.tables.StateTable": {"on_rebalance", "persisted_offset", "apply_changelog_batch"},
    "agents.intake.rebalance.RebalanceListener": {"on_partitions_revoked", "on_partitions_assigned"},
}
"""All that is put in the place of theirs; each has its test in here."""

PRIVATE = {"_fetch_max_wait_ms", "_fetch_min_bytes", "_fetcher", "_committed_offset", "_thread", "_txn_manager"}
"""All private attributes of theirs; each has its test in here."""


def test_the_lists_of_what_is_leaned_on_are_complete() -> None:
    assert overridden() == {(owner, name) for owner, names in OVERRIDDEN.items() for name in names}
    assert private_attributes() == PRIVATE


@pytest.mark.parametrize("owner", [ServiceThread, faust_consumer.ThreadDelegateConsumer])
def test_services_in_threads_keep_their_thread(owner: type) -> None:
    assert "_thread" in owner.__annotations__


def test_threads_are_made_by_the_class_that_we_replace_and_tell_when_they_have_stopped() -> None:
    assert "self._thread = self.Worker(self)" in _source(ServiceThread.start)
    assert "is_stopped" in WorkerThread.__annotations__


def test_faust_asks_for_the_classes_that_we_replace() -> None:
    assert "_new_consumer_thread()" in _source(faust_consumer.ThreadDelegateConsumer.__init__)
    assert "self.Consumer(" in _source(driver.Transport.create_consumer)
    assert "self._new_transport()" in _source(App)
    assert "_create_directories" in _source(App)


def test_recovery_asks_where_changelogs_begin() -> None:
    assert "earliest_offsets(" in _source(Recovery._build_offsets)


def test_a_position_that_is_gone_is_told_with_its_partition() -> None:
    assert "Errors.OffsetOutOfRangeError({tp: fetch_offset})" in _source(fetcher)


def test_a_partition_that_comes_back_at_once_is_not_newly_assigned() -> None:
    source = _source(App._update_assignment)
    assert "newly_assigned = assigned - self._assignment" in source, "the reason for Pipeline._distrust"


def test_our_overrides_override_something() -> None:
    assert (
        faust_driver.ConsumerThread._create_worker_consumer is not driver.AIOKafkaConsumerThread._create_worker_consumer
    )
    assert issubclass(faust_driver.Transport.Consumer, driver.Consumer)
    assert tables.StateTable.persisted_offset is not Table.persisted_offset


def test_a_producer_without_a_transactional_id_sends_outside_of_transactions_with_the_epoch_that_it_has() -> None:
    client_source, manager = _source(aiokafka.AIOKafkaProducer), _source(TransactionManager)
    assert "self._txn_manager = TransactionManager(" in client_source
    assert "txn_manager.transactional_id is not None" in _source(aiokafka.AIOKafkaProducer.send_batch)
    assert "self.transactional_id = transactional_id" in manager
    assert "return self._pid_and_epoch.epoch" in manager
    assert "exc = ProducerFenced()" in _source(SendProduceReqHandler)


def test_the_fetch_wait_is_an_attribute_of_the_consumer() -> None:
    assert "self._fetch_max_wait_ms = fetch_max_wait_ms" in _source(aiokafka.AIOKafkaConsumer.__init__)


def test_the_fetch_wait_of_a_running_consumer_is_that_of_its_fetcher_which_every_request_takes_from_it() -> None:
    assert "self._fetcher = Fetcher(" in _source(aiokafka.AIOKafkaConsumer)
    wait_and_bytes = "FetchRequest(\n                self._fetch_max_wait_ms,\n                self._fetch_min_bytes,"
    assert wait_and_bytes in _source(fetcher.Fetcher._get_actions_per_node)
    assert "self._fetch_records," in _source(driver.AIOKafkaConsumerThread.getmany)


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
