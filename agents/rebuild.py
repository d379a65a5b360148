"""Rebuild: the state computed anew from the log, beside the running one, as the next generation; then switched to.

The fold is a function of the log, so the next generation is the log folded again by another plan. It goes no further
than the running workers' checkpoints, for what is told once (wins, restatements) is told by them up to there, and by
the next generation from there on. Its cells are emitted and its checkpoint written before it is announced; workers
that hear of it end in order, and go on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from agents.changelogs import read_changelogs
from agents.generations import StateNames, announce, current, state_names
from agents.kafka import AIOKafkaProducer, ConsumerRecord, TopicPartition, producer
from agents.outlet import Outlet
from agents.pipeline import Pipeline
from agents.reading import begin_offsets, read_to_end
from agents.recovery import StateReader
from agents.topics import create_topics, drop_generations, stored_generations
from schemas.catalogue.compose import catalogue_of
from schemas.errors import StateError
from schemas.generations import TAKING_IN, Counted, Generation, in_force
from schemas.rows import Frame
from schemas.settings import Settings
from schemas.wire import Marker, body_of
from streams.fold.partition import PartitionFold
from streams.fold.rules import fold_rules
from streams.plan import Plan, plan_of
from streams.time import Calendar

Progress = Callable[[int, int], None]
"""Told how many frames of the log are folded, and how many there are."""

_marker_decoder: Final = msgspec.msgpack.Decoder(Marker)
_frame_decoder: Final = msgspec.msgpack.Decoder(Frame)
_NEAR: Final = 20
"""So many frames behind the running workers are near enough to switch: they are folded after it."""


class Difference(NamedTuple):
    """A measure of a cell that is stored otherwise than the log says."""

    dims: str
    resolution: int
    start_ms: int
    measure: str
    stored: int
    anew: int


class Rebuilt(NamedTuple):
    """What came of a rebuild.

    Args:
        number: Of the generation that is in force now.
        frames: Of the log, folded.
        begins: First offset of every log partition that does not begin at 0: what was before is not counted.
    """

    number: int
    frames: int
    begins: dict[int, int]


class _Silent(Outlet):
    """An outlet that nothing goes out of: what is told once is told by the workers."""

    async def restore(self) -> None:
        """Know nothing."""


async def nothing_to_do(settings: Settings) -> bool:
    """Tell whether the state in force counts exactly what the settings ask for.

    Raises:
        StateError: No worker ever ran.
    """
    running = await _in_force(settings)
    return running.counted == _counted(plan_of(catalogue_of(settings)), settings, running)


async def rebuild(settings: Settings, progress: Progress) -> Rebuilt:
    """Fold the log anew by the catalogue of the settings, and let that come into force.

    Raises:
        StateError: No worker ever ran.
        UnavailableError: Kafka does not answer.
    """
    running = await _in_force(settings)
    plan = plan_of(catalogue_of(settings))
    counted = _counted(plan, settings, running)
    # What an earlier rebuild left that did not come to its end may be of another catalogue: it is not gone on with.
    names = state_names(settings, 1 + max(running.number, *await stored_generations(settings)))
    await create_topics(settings, names.number)
    client = await producer(settings, client_id=f"{settings.app.id}-rebuild")
    try:
        pipeline = await _pipeline(in_force(settings, counted), plan, client, names)
        begins = await _begins(settings)
        for partition, fold in pipeline.folds.items():
            fold.adopts = begins[partition] > 0
        await _fold_log(settings, pipeline, running, begins, progress)
        await pipeline.checkpoint()
    finally:
        await client.stop()
    await announce(settings, names.number, counted)
    await drop_generations(settings, keep=(running.number, names.number))
    frames = sum(fold.fence + 1 - begins[partition] for partition, fold in pipeline.folds.items())
    return Rebuilt(names.number, frames, {partition: begin for partition, begin in begins.items() if begin})


async def compare(settings: Settings, progress: Progress) -> list[Difference]:
    """Fold the log anew by what is counted, without writing anything, and compare it with the state that is stored.

    Returns:
        Every measure of every cell that differs; empty when the state is what the log says.

    Raises:
        StateError: No worker ever ran, or the beginning of the log is gone.
        UnavailableError: Kafka does not answer.
    """
    running = await _in_force(settings)
    begins = await _begins(settings)
    if any(begins.values()):
        raise StateError(
            "the beginning of the log is not kept any more, so the state cannot be computed anew to compare; raise the "
            f"retention of {settings.topics.log}"
        )
    plan, then = Plan((), counted=running.counted), in_force(settings, running.counted)
    partitions = sorted(begins)
    stored = await StateReader(then, plan, state_names(settings, running.number)).folds(partitions)
    calendar = Calendar(then.time.zone, then.time.week_start)
    anew = {partition: PartitionFold(partition, plan, calendar, fold_rules(then)) for partition in partitions}
    log = [TopicPartition(settings.topics.log, partition) for partition in partitions]
    folded, total = 0, sum(fold.fence + 1 for fold in stored.values())
    async for batch in read_to_end(settings, log):
        for record in batch:
            frame = _frame_decoder.decode(record.value)
            # Records ahead of the marker are completed from the log, so both are folds of the same prefix in the end.
            stored[record.partition].fold(record.offset, frame)
            anew[record.partition].fold(record.offset, _frame_decoder.decode(record.value))
            folded += 1
        for fold in (stored[batch[0].partition], anew[batch[0].partition]):
            _forget(fold)
        progress(folded, max(total, folded))
    return [line for partition in partitions for line in _differences(stored[partition], anew[partition])]


async def _in_force(settings: Settings) -> Generation:
    running = await current(settings)
    if running is None:
        raise StateError(f"{settings.app.id} has no state yet: start `salespulse worker` first")
    return running


def _counted(plan: Plan, settings: Settings, running: Generation) -> Counted:
    """Return what the next generation counts; what the log was written by stays as it is."""
    wanted = plan.counted(settings)
    kept = {name: running.counted.settings[name] for name in TAKING_IN}
    return msgspec.structs.replace(wanted, settings={**wanted.settings, **kept})


async def _pipeline(settings: Settings, plan: Plan, client: AIOKafkaProducer, names: StateNames) -> Pipeline:
    async def nobody(_payloads: object) -> None:
        """Celebrate nothing."""

    pipeline = Pipeline(settings, plan, client, _Silent(settings, client, nobody), names)
    everything = set(range(settings.kafka.partitions))
    await pipeline.reassign("markers", everything, everything)
    return pipeline


async def _begins(settings: Settings) -> dict[int, int]:
    log = [TopicPartition(settings.topics.log, partition) for partition in range(settings.kafka.partitions)]
    return {where.partition: offset for where, offset in (await begin_offsets(settings, log)).items()}


async def _fold_log(
    settings: Settings, pipeline: Pipeline, running: Generation, begins: Mapping[int, int], progress: Progress
) -> None:
    """Fold up to the running workers' checkpoints, which may move on meanwhile, until it is near them."""
    near = 0
    while True:
        ends = {partition: fence + 1 for partition, fence in (await _fences(settings, running.number)).items()}
        starts = {partition: fold.fence + 1 for partition, fold in pipeline.folds.items()}
        behind = sum(max(0, ends.get(partition, 0) - start) for partition, start in starts.items())
        total = sum(max(0, end - begins[partition]) for partition, end in ends.items())
        progress(total - behind, total)
        if behind <= near:
            return
        near = _NEAR  # once around: what came in meanwhile is little, or else another round is due
        folded = total - behind
        wanted = [partition for partition, start in starts.items() if start < ends.get(partition, 0)]
        log = {partition: TopicPartition(settings.topics.log, partition) for partition in wanted}
        reading = read_to_end(
            settings,
            log.values(),
            starts={where: starts[partition] for partition, where in log.items()},
            ends={where: ends[partition] for partition, where in log.items()},
        )
        async for batch in reading:
            for record in batch:
                if record.offset < ends[record.partition]:
                    await _take(pipeline, record)
                    folded += 1
            for fold in pipeline.folds.values():
                _forget(fold)
            progress(min(folded, total), total)


async def _take(pipeline: Pipeline, record: ConsumerRecord) -> None:
    wanted = await pipeline.take_frame(record.partition, record.offset, record.value, None)
    if wanted is not None:
        raise StateError(f"{record.topic}[{record.partition}] has no message {wanted}, which is next to be folded")


def _forget(fold: PartitionFold) -> None:
    """Drop wins and restatements, which the running workers tell, and all else that is not needed on the way."""
    fold.tidy()
    fold.take_wins()
    fold.take_restated()


async def _fences(settings: Settings, number: int) -> dict[int, int]:
    """Return the fence of every log partition's last checkpoint."""
    topic = state_names(settings, number).changelogs["markers"]
    markers = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
    return {
        where.partition: _marker_decoder.decode(body_of(record)).fence
        for where, newest in (await read_changelogs(settings, markers)).items()
        for record in newest.records.values()
    }


def _differences(stored: PartitionFold, anew: PartitionFold) -> list[Difference]:
    found: list[Difference] = []
    for fold in (stored, anew):
        fold.tidy()
    cells = [{(dims, at, start): sums for dims, at, start, sums in fold.cells.cells()} for fold in (stored, anew)]
    for place in sorted(cells[0].keys() | cells[1].keys()):
        held, wanted = cells[0].get(place, {}), cells[1].get(place, {})
        found += [
            Difference(*place, measure, held.get(measure, 0), wanted.get(measure, 0))
            for measure in sorted(held.keys() | wanted.keys())
            if held.get(measure, 0) != wanted.get(measure, 0)
        ]
    return found
