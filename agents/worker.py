"""One worker: the composition root of intake, pipeline, sinks and the worker's own web pages."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from aiohttp import web

from agents.alerting import Alerting
from agents.cadence import every, on_change
from agents.ending import end
from agents.faust_app import build_app
from agents.faust_driver import App
from agents.generations import GenerationWatch, StateNames, begin, generation_number, remarks, state_names
from agents.intake.loop import Intake
from agents.kafka import AIOKafkaProducer, producer
from agents.kpi_topics import KpiTopics
from agents.lease import Lease
from agents.outlet import Outlet
from agents.pages import serve, worker_routes
from agents.pipeline import Pipeline
from agents.sinks import Sinks
from agents.topics import check_topics
from schemas.catalogue.compose import catalogue_of
from schemas.errors import SalesPulseError, UnavailableError
from schemas.generations import in_force
from schemas.settings import Settings
from streams.clock import wall_ms
from streams.metrics.exporter import Exporter
from streams.plan import Plan, plan_of, plan_over
from streams.redis_view import RedisSink

_LOG: Final = logging.getLogger(__name__)
_EMIT_SHARE: Final = 0.15
_GLOBAL_SHARE: Final = 0.15
_PUBLISH_SHARE: Final = 0.2
_PUBLISH_PART: Final = 0.25  # of the interval: what is published of the other series comes in small acts
_WATCH_S: Final = 0.1
_STOP_S: Final = 8.0
_TREND_TICKS: Final = 10
_GENERATION_S: Final = 2.0
_CANCEL_S: Final = 1.0


class _Parts(NamedTuple):
    """What a worker consists of once it is connected."""

    pipeline: Pipeline
    intake: Intake
    redis: RedisSink
    exporter: Exporter
    kpi_topics: KpiTopics
    sinks: Sinks
    alerting: Alerting
    app: App


class Worker:
    """A pipeline worker against the Kafka and Redis of the settings.

    Args:
        settings: Everything that is set.
        extra_routes: Further pages to serve on the same port; where a path stands twice, the worker's own wins.
    """

    def __init__(self, settings: Settings, extra_routes: Sequence[web.RouteDef] = ()) -> None:
        self.settings = settings
        self.exporter = Exporter(settings)
        self._extra_routes = extra_routes
        self._producers: list[AIOKafkaProducer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._parts: _Parts | None = None
        self._view: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._stopped = asyncio.Event()
        self._watch: GenerationWatch | None = None
        self._lease = Lease(settings.kafka.session_timeout / 1000)

    async def start(self) -> None:
        """Connect, recover and begin; returns when the first assignment is recovered.

        Raises:
            UnavailableError: Kafka does not answer, or topics are missing.
            StateError: The stored state cannot be used.
        """
        await self._require_topics(await generation_number(self.settings))
        gc.freeze()
        # Nearly all that lives long are accounts and cells, which are no cycles: to look for some there was nearly a
        # tenth of the work of catching up, and a third of a second in one go. To look often for young ones is to look
        # at few at once: while values replace each other, more are young than were made since the last time.
        gc.set_threshold(20_000, 500, 50)
        routes = worker_routes(self, self.settings.http.token)
        self._runner, self.url = await serve(self.settings, routes, self._extra_routes)
        await self._begin()

    async def _begin(self) -> None:
        """Begin with the generation of state that is in force."""
        catalogue = catalogue_of(self.settings)
        generation = await begin(self.settings, plan_of(catalogue).counted(self.settings))
        counted = generation.counted
        plan, waiting = plan_over(catalogue, counted)
        for remark in remarks(self.settings, counted, waiting):
            _LOG.warning("%s", remark)
        await self._require_topics(generation.number)
        self._watch = GenerationWatch(self.settings, generation.number)
        await self._watch.look()  # connects while Kafka is known to be there
        names = state_names(self.settings, generation.number)
        parts = self._parts = await self._make_parts(in_force(self.settings, counted), plan, names)
        self.exporter = parts.exporter
        await parts.intake.start()
        self._spawn(parts.intake.run())
        await self._start_app(parts.app)
        self._start_loops(parts)

    async def wait(self) -> None:
        """Wait until the worker is stopped.

        Raises:
            SalesPulseError: Something failed for good; nothing is committed that is not durable.
        """
        while not self._stopped.is_set():
            self._raise_failure()
            if self._watch is not None and self._watch.superseded:
                _LOG.info("another generation of state is in force: changing over")
                if not await self._end():
                    # What still runs of the former generation would keep partitions that nobody reads.
                    raise UnavailableError("changing over to another generation of state took too long: start again")
                await self._begin()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._stopped.wait()

    async def stop(self) -> None:
        """End within seconds: intake, a last checkpoint, Faust, producers."""
        self._stopped.set()
        try:
            await self._end()
        finally:
            if self._runner is not None:
                await self._runner.cleanup()

    async def _end(self) -> bool:
        """End what was begun for a generation; whether all of it ended."""
        stopping = asyncio.ensure_future(self._stop_in_order())
        await asyncio.wait({stopping}, timeout=_STOP_S)  # not `timeout`: Faust's services swallow a cancellation
        if not stopping.done():
            _LOG.warning("not stopped in order within %.0f s; what is not durable is folded again", _STOP_S)
        tasks = {stopping, *self._tasks}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CANCEL_S)
        self._parts, self._view, self._watch = None, None, None
        self._tasks, self._producers = [], []
        is_done = stopping.done() and not stopping.cancelled()
        if is_done:
            stopping.result()
        return is_done

    def reasons_not_ready(self) -> list[str]:
        """Return why the numbers cannot be relied on now; empty when they can."""
        if self._parts is None:
            return ["starting"]
        pipeline, failure = self._parts.pipeline, self._failure()
        reasons = [] if failure is None else [str(failure)]
        if pipeline.recovering:
            reasons.append(pipeline.recovering)
        elif pipeline.publishing.revoked:
            reasons.append("the group shares its partitions out anew")
        elif not pipeline.folds:
            reasons.append("no log partition is assigned yet")
        if pipeline.publishing.unpublished:
            reasons.append(f"no values yet of partitions {pipeline.publishing.unpublished}")
        reasons += pipeline.gaps
        qualities = {rollup.quality(wall_ms()) for rollup in pipeline.rollups.values()}
        reasons += [f"values are {quality}" for quality in sorted(qualities - {"live"})]
        if self._parts.redis.problem:
            reasons.append(self._parts.redis.problem)
        return reasons

    async def _require_topics(self, generation: int) -> None:
        problems = await check_topics(self.settings, generation)
        if problems:
            raise UnavailableError(
                "; ".join(map(str, problems)) + "; `salespulse topics create` makes and sets what is needed"
            )

    async def _make_parts(self, settings: Settings, plan: Plan, names: StateNames) -> _Parts:
        alerts_producer = await self._producer("alerts")
        intake, redis = Intake(settings), RedisSink(settings)
        state_producer = await self._producer("state")
        outlet = Outlet(settings, state_producer, redis.publish_moments, plan.kpis)
        pipeline = Pipeline(settings, plan, state_producer, outlet, names)
        kpi_topics = KpiTopics(settings)
        pipeline.on_assigned = kpi_topics.assign
        # What was let go holds cycles, and full collections are rare: hundreds of MiB would wait for one.
        pipeline.on_reassigned = gc.collect
        exporter = Exporter(settings, intake.counters, plan.kpis, pipeline)
        sinks = Sinks(pipeline, redis, exporter, kpi_topics, self._lease, self._spawn)
        pipeline.on_lost = sinks.forget
        return _Parts(
            pipeline=pipeline,
            intake=intake,
            redis=redis,
            exporter=exporter,
            kpi_topics=kpi_topics,
            sinks=sinks,
            alerting=Alerting(settings, pipeline, alerts_producer, redis, exporter),
            app=build_app(settings, pipeline, names),
        )

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

    def _start_loops(self, parts: _Parts) -> None:
        settings, pipeline = self.settings, parts.pipeline
        tick_s = settings.time.tick / 1000
        emit_s = settings.pipeline.emit_interval / 1000

        self._spawn(every(_WATCH_S, self._lease.beat))
        self._spawn(on_change(pipeline.folded, pipeline.emit, emit_s, tick_s, _EMIT_SHARE, pipeline.is_behind))
        sinks, publishing, behind = parts.sinks, pipeline.publishing, pipeline.values_are_behind
        publish_global, publish = partial(sinks.publish, global_only=True), partial(sinks.publish, global_only=False)
        global_s = emit_s / 2  # emission says how often: cells that come a little early must not wait for an interval
        self._spawn(on_change(publishing.global_changed, publish_global, global_s, tick_s, _GLOBAL_SHARE, behind))
        part_s = emit_s * _PUBLISH_PART
        self._spawn(on_change(publishing.changed, publish, part_s, tick_s, _PUBLISH_SHARE, behind))
        self._spawn(every(settings.pipeline.checkpoint_interval / 1000, pipeline.checkpoint, pipeline.is_behind))
        self._spawn(every(tick_s, parts.alerting.evaluate))
        if self._watch is not None:
            self._spawn(every(_GENERATION_S, self._watch.look))
        self._spawn(every(_TREND_TICKS * tick_s, parts.sinks.trends, pipeline.is_behind))
        self._view = self._spawn(parts.redis.run())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    def _failure(self) -> BaseException | None:
        """Return why the worker has to end, if it has to."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        self._tasks = [task for task in self._tasks if not task.done()]
        if self._parts is None:
            return None
        app = self._parts.app
        if not self._stopped.is_set() and (app.crashed or app.should_stop):
            return app.crash_reason or SalesPulseError("the Kafka consumer stopped by itself; see the log")
        return self._parts.pipeline.failure

    def _raise_failure(self) -> None:
        failure = self._failure()
        if failure is not None:
            raise failure

    async def _stop_in_order(self) -> None:
        parts = self._parts
        if parts is not None:
            failed = self._failure() is not None
            parts.pipeline.close()
            await parts.intake.stop()
            if not failed and parts.app.started:
                await parts.pipeline.checkpoint()
                await parts.app.consumer.commit()
            await parts.app.stop()
            if self._view is not None:
                await end(self._view)
            await parts.redis.close()
            await parts.kpi_topics.stop()
        if self._watch is not None:
            await self._watch.stop()
        await asyncio.gather(*(client.stop() for client in self._producers))
