"""One worker: the composition root of intake, pipeline, sinks and the worker's own web pages."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from aiohttp import web

from agents.alerting import Alerting
from agents.cadence import every, on_change
from agents.emission import wall_ms
from agents.faust_app import build_app
from agents.faust_driver import App
from agents.intake import Intake
from agents.kafka import AIOKafkaProducer, producer
from agents.kpi_topics import KpiTopics
from agents.pages import serve, worker_routes
from agents.pipeline import Pipeline
from agents.topics import check_topics
from schemas.catalogue import in_force
from schemas.errors import SalesPulseError, UnavailableError
from schemas.settings import Settings
from streams.metrics import Exporter
from streams.plan import Plan
from streams.publication import Publication
from streams.redis_view import RedisSink

_LOG: Final = logging.getLogger(__name__)
_EMIT_SHARE: Final = 0.15
_PUBLISH_SHARE: Final = 0.25
_WATCH_S: Final = 0.1
_STOP_S: Final = 8.0
_CANCEL_S: Final = 1.0


class Worker:
    """A pipeline worker against the Kafka and Redis of the settings.

    Args:
        settings: Everything that is set.
        extra_routes: Further pages to serve on the same port; where a path stands twice, the worker's own wins.
    """

    def __init__(self, settings: Settings, extra_routes: Sequence[web.RouteDef] = ()) -> None:
        self.settings = settings
        self.plan = Plan(in_force(settings.catalogue.include))
        self.problems: tuple[str, ...] = ("starting",)
        self._extra_routes = extra_routes
        self._producers: list[AIOKafkaProducer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._app: App | None = None
        self._runner: web.AppRunner | None = None
        self._stopped = asyncio.Event()
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Connect, recover and begin; returns when the first assignment is recovered.

        Raises:
            UnavailableError: Kafka does not answer, or topics are missing.
            StateError: The stored state cannot be used.
        """
        settings = self.settings
        problems = await check_topics(settings)
        if problems:
            raise UnavailableError("; ".join(map(str, problems)) + "; `salespulse topics create` makes what is missing")
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        state_producer = await self._producer("state")
        kpi_producer = await self._producer("kpi")
        self.pipeline = Pipeline(settings, self.plan, state_producer)
        self.redis = RedisSink(settings)
        self.intake = Intake(settings)
        self.exporter = Exporter(settings, self.intake.counters, self.plan.kpis)
        self.kpi_topics = KpiTopics(settings, kpi_producer)
        self.alerting = Alerting(settings, self.pipeline, kpi_producer, self.redis, self.exporter)
        self._runner, self.url = await serve(settings, worker_routes(self, self.exporter), self._extra_routes)
        await self.intake.start()
        self._spawn(self.intake.run())
        self._app = build_app(settings, self.pipeline)
        self.pipeline.on_lost = self._forget
        await self._start_app(self._app)
        self._start_loops()

    async def wait(self) -> None:
        """Wait until the worker is stopped.

        Raises:
            SalesPulseError: Something failed for good; nothing is committed that is not durable.
        """
        while not self._stopped.is_set():
            self._raise_failure()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._stopped.wait()

    async def stop(self) -> None:
        """End within seconds: intake, a last checkpoint, Faust, producers."""
        self._stopped.set()
        stopping = asyncio.ensure_future(self._stop_in_order())
        await asyncio.wait({stopping}, timeout=_STOP_S)  # not `timeout`: Faust's services swallow a cancellation
        if not stopping.done():
            _LOG.warning("not stopped in order within %.0f s; what is not durable is folded again", _STOP_S)
        tasks = {stopping, *self._tasks}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CANCEL_S)
        if self._runner is not None:
            await self._runner.cleanup()
        if stopping.done() and not stopping.cancelled():
            stopping.result()

    def reasons_not_ready(self) -> list[str]:
        """Return why the numbers cannot be relied on now; empty when they can."""
        if self._app is None or not hasattr(self, "pipeline"):
            return ["starting"]
        reasons: list[str] = []
        failure = self._failure()
        if failure is not None:
            reasons.append(str(failure))
        pipeline = self.pipeline
        if not pipeline.folds:
            reasons.append("no log partition is assigned yet")
        if pipeline.unpublished:
            reasons.append(f"no values yet of partitions {pipeline.unpublished}")
        qualities = {rollup.quality(wall_ms()) for rollup in pipeline.rollups.values()}
        reasons += [f"values are {quality}" for quality in sorted(qualities - {"live"})]
        if self.redis.problem:
            reasons.append(self.redis.problem)
        return reasons

    async def _producer(self, purpose: str) -> AIOKafkaProducer:
        client = await producer(self.settings, client_id=f"{self.settings.app.id}-{purpose}")
        self._producers.append(client)
        return client

    async def _start_app(self, app: App) -> None:
        starting = asyncio.ensure_future(app.start())
        while not starting.done():
            self._raise_failure()
            await asyncio.wait({starting}, timeout=_WATCH_S)
        await starting

    def _start_loops(self) -> None:
        settings, pipeline = self.settings, self.pipeline
        tick_s = settings.time.tick / 1000
        emit_s = settings.pipeline.emit_interval / 1000
        self._spawn(on_change(pipeline.folded, pipeline.emit, emit_s, tick_s, _EMIT_SHARE))
        self._spawn(on_change(pipeline.rolled, self._publish, emit_s, tick_s, _PUBLISH_SHARE))
        self._spawn(every(settings.pipeline.checkpoint_interval / 1000, pipeline.checkpoint))
        self._spawn(every(tick_s, self.alerting.evaluate))
        self._spawn(self.redis.run())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    async def _publish(self) -> None:
        """Hand what changed to every sink; an owner whose values Kafka has not acknowledged yet waits for its turn."""
        self._sending = {owner: task for owner, task in self._sending.items() if not task.done()}
        for publication in self.pipeline.publications(busy=self._sending.keys()):
            await self.redis.publish(publication)
            await self.exporter.publish(publication)
            if publication.values:
                self._sending[publication.owner] = self._spawn(self._send(publication))

    async def _send(self, publication: Publication) -> None:
        await self.kpi_topics.publish(publication)
        if publication.produced_ms is not None:
            self.exporter.observe_latency((wall_ms() - publication.produced_ms) / 1000)
        self.pipeline.rolled.set()

    def _forget(self, owner: int) -> None:
        self.redis.forget(owner)
        self.exporter.forget(owner)

    def _failure(self) -> BaseException | None:
        if hasattr(self, "pipeline") and self.pipeline.failure is not None:
            return self.pipeline.failure
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        self._tasks = [task for task in self._tasks if not task.done()]
        app = self._app
        if app is not None and not self._stopped.is_set() and (app.crashed or app.should_stop):
            return app.crash_reason or SalesPulseError("the Kafka consumer stopped by itself; see the log")
        return None

    def _raise_failure(self) -> None:
        failure = self._failure()
        if failure is not None:
            raise failure

    async def _stop_in_order(self) -> None:
        failed = self._failure() is not None
        if hasattr(self, "intake"):
            await self.intake.stop()
        if self._app is not None:
            if not failed and self._app.started:
                await self.pipeline.checkpoint()
                await self._app.consumer.commit()
            await self._app.stop()
        if hasattr(self, "redis"):
            await self.redis.close()
        await asyncio.gather(*(client.stop() for client in self._producers))
