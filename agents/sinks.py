"""What a publication goes to: Redis, Prometheus, moments and the KPI topics, in this order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from agents.kpi_topics import KpiTopics
from agents.lease import Lease
from agents.pipeline import Pipeline
from streams.clock import wall_ms
from streams.metrics.exporter import Exporter
from streams.publication import Publication
from streams.redis_view import RedisSink

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Sinks:
    """Hands what owners publish to every sink.

    Args:
        pipeline: Whose publications they are.
        redis: The live view.
        exporter: Metrics.
        kpi_topics: The KPI topics.
        lease: Says when nothing may be told.
        spawn: Runs a task whose failure ends the worker.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        redis: RedisSink,
        exporter: Exporter,
        kpi_topics: KpiTopics,
        lease: Lease,
        spawn: Spawn,
    ) -> None:
        self._pipeline = pipeline
        self._publishing = pipeline.publishing
        self._redis = redis
        self._exporter = exporter
        self._kpi_topics = kpi_topics
        self._lease = lease
        self._spawn = spawn
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._next: set[int] = set()
        """Owners whose global series is about to be published; their other series must not get in between."""

    async def publish(self, *, global_only: bool) -> None:
        """Hand over what changed; an owner whose values Kafka has not acknowledged yet waits for its turn.

        Args:
            global_only: Of the global series, which does not wait for the others; else of these.
        """
        if global_only:
            self._next = set(self._publishing.with_global)
            awaited = [self._sending[owner] for owner in self._next if owner in self._sending]
            if awaited:
                await asyncio.wait(awaited)
        async with self._turn:
            await self._publish(global_only=global_only)
            if self._next and global_only:
                self._next = set()
                self._publishing.changed.set()

    async def _publish(self, *, global_only: bool) -> None:
        self._sending = {owner: task for owner, task in self._sending.items() if not task.done()}
        publications: list[Publication] = []
        if not self._lease.holds:
            return
        busy = self._sending.keys() | self._kpi_topics.silent(self._pipeline.rollups)
        if not global_only:
            busy |= self._next
        async for publication in self._publishing.publications(busy, global_only=global_only):
            await self._redis.publish(publication)
            if self._redis.wants_everything(publication.owner):
                self._publishing.tell_again([publication.owner])
            await self._exporter.publish(publication)
            self._pipeline.outlet.published(publication)
            if publication.values:
                publications.append(publication)
        await self._pipeline.outlet.send()
        if not self._lease.holds:  # it stood still in between: nothing of this was told, so all of it is to be told
            self._publishing.tell_again(publication.owner for publication in publications)
        elif publications:
            task = self._spawn(self._send(publications))
            self._sending |= {publication.owner: task for publication in publications}

    async def trends(self) -> None:
        """Hand over what changed of the trends."""
        for history in self._publishing.histories():
            await self._redis.publish_history(history)

    def forget(self, owner: int) -> None:
        """Let go of an owner that is not this worker's any more."""
        self._redis.forget(owner)
        self._exporter.forget(owner)

    async def _send(self, publications: Sequence[Publication]) -> None:
        """Send to the KPI topics; owners for which somebody else has spoken meanwhile begin anew."""
        self._publishing.tell_again(await self._kpi_topics.publish(publications))
        now_ms = wall_ms()
        for publication in publications:
            if publication.produced_ms is not None:
                self._exporter.observe_latency((now_ms - publication.produced_ms) / 1000)
        self._publishing.acknowledged()
