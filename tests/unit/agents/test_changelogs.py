"""A changelog record that is refused for its size says who refuses it, and what can be done."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from agents.changelogs import ChangelogWriter
from agents.kafka import MAX_REQUEST_BYTES, AIOKafkaProducer, MessageSizeTooLargeError
from schemas.errors import SalesPulseError

TOPIC = "salespulse-accounts-changelog"


class Batch:
    """A batch that nothing is put into."""

    def record_count(self) -> int:
        return 0


class Producer:
    """A producer as aiokafka's: it refuses at once what is too large for it; the broker does so later."""

    def __init__(self, broker_bytes: int) -> None:
        self._broker_bytes = broker_bytes

    def create_batch(self) -> Batch:
        return Batch()

    async def send(self, _topic: str, value: bytes, _key: bytes, *, partition: int) -> asyncio.Future[Any]:
        assert partition == 3
        if len(value) > MAX_REQUEST_BYTES:
            raise MessageSizeTooLargeError("larger than max_request_size")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if len(value) > self._broker_bytes:
            future.set_exception(MessageSizeTooLargeError())
        else:
            future.set_result(None)
        return future


async def write(size: int, broker_bytes: int) -> None:
    writer = ChangelogWriter(cast(AIOKafkaProducer, Producer(broker_bytes)))
    await writer.write(TOPIC, [(3, [(b"acme", bytes(size))])])


@pytest.mark.asyncio
async def test_a_record_that_the_topic_does_not_take_names_the_setting_to_raise() -> None:
    await write(900_000, broker_bytes=1_000_000)
    with pytest.raises(SalesPulseError, match=f"Raise max.message.bytes of {TOPIC}"):
        await write(1_100_000, broker_bytes=1_000_000)


@pytest.mark.asyncio
async def test_a_record_that_no_topic_takes_names_the_account_and_no_setting() -> None:
    with pytest.raises(SalesPulseError, match=r"acme has 10,485,761 bytes, .* sends 10,485,760 at most") as refused:
        await write(MAX_REQUEST_BYTES + 1, broker_bytes=1 << 30)
    assert "max.message.bytes" not in str(refused.value)
    assert "stops without committing" in str(refused.value)
