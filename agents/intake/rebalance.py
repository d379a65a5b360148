"""Telling a consumer's owner that its partitions come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agents.kafka import ConsumerRebalanceListener


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types, and insists on its base
    """Calls back at a rebalance.

    Args:
        revoked: Before the partitions go; the group waits for it.
        assigned: When the new ones are known, and before any of them is read.
    """

    def __init__(self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[], None]) -> None:
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  aiokafka names the parameter
        """All partitions go: a rebalance takes them away and gives some back."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002  aiokafka names the parameter
        """The new partitions can be asked for."""
        self._assigned()
