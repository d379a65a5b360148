"""Explanations: a published value, its parts from the cells, and the events from the source topics."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from agents.explain.engine import Engine, engine_of
from agents.explain.sources import Progress, read_sources
from agents.letters import Refused, letter_partitions, read_letters
from agents.reading import read_to_end
from agents.topics import partitions_of
from agents.values import read_values
from schemas.declare import Kpi
from schemas.decode import instant_ms
from schemas.errors import UsageError
from schemas.explanation import Events, Explanation
from schemas.kpi import KpiValue, dims_key, parse_dims, series_key
from schemas.kpi_words import formula_of
from schemas.restatements import Restatement
from schemas.settings import Settings
from schemas.windows import WINDOWS
from streams.explain.attribution import Attribution
from streams.explain.causes import event_types_of, kinds_needed
from streams.explain.document import Gathering, newest_first, restates
from streams.explain.letters import WindowLetters
from streams.explain.parts import Moment, Parts
from streams.fold.rules import fold_rules
from streams.redis_view import Query, RedisReader, Selection

_restatements: Final = msgspec.json.Decoder(Restatement)
_NOT_COUNTED: Final = "its actual value is made of other goals or ticked off; explain its children, if it has any"


class NoSeriesError(UsageError):
    """There is no such value."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be explained.

    Args:
        kpi: A KPI in force.
        window: Its window.
        where: Dimension -> value; exactly those of the series.
        events: Whether to look for the events in the source topics.
        limit: Most events to list.
    """

    kpi: str
    window: str
    where: dict[str, str]
    events: bool = False
    limit: int = 50


class Explanations:
    """Explains values, one at a time.

    Args:
        settings: Where Kafka and Redis are, and what the pipeline computes by.
        reader: The live view.

    Every failure is an error of the tree: ``UnavailableError`` when Kafka or Redis does not answer, ``StateError`` when
    what the worker stored cannot be used, :class:`NoSeriesError` when there is no such value.
    """

    def __init__(self, settings: Settings, reader: RedisReader) -> None:
        self._settings = settings
        self._reader = reader
        self._turn = asyncio.Lock()

    async def explain(self, asked: Asked, progress: Progress = lambda _done, _total: None) -> Explanation:
        """Explain a value; waits while another one is being explained."""
        async with self._turn:
            return await self._explain(asked, progress)

    async def _explain(self, asked: Asked, progress: Progress) -> Explanation:
        await letter_partitions(self._settings)  # first, as it says so when there are no topics at all
        engine = await engine_of(self._settings)
        kpi = next((kpi for kpi in engine.plan.kpis if kpi.name == asked.kpi), None)
        if kpi is None:
            raise NoSeriesError(f"{asked.kpi} is not counted yet; `salespulse rebuild` counts it from the log")
        value = await self._published(asked, kpi)
        moment = await _moment(engine, kpi, value)
        said = moment.values.get(series_key(value.kpi, value.window, value.dimensions))
        present = said.value if said is not None else value
        parts = engine.explainer.parts(present, moment)
        source = parts.source
        measures = [engine.plan.measures[name] for name in engine.plan.measure_names(source)] if source else []
        counted = (*event_types_of(measures), *(("target.set",) if kpi.goal is not None else ()))
        dimensions = parse_dims(parts.dims)
        letters = WindowLetters(parts.intervals.span, counted, dimensions)
        refused = await read_letters(self._settings, lambda each: letters.take(*each))
        return Explanation(
            value=value,
            title=kpi.title,
            doc=kpi.doc,
            formula=formula_of(kpi),
            source_kpi=source.name if source is not None and source.name != kpi.name else None,
            moved_on=present if _numbers(present) != _numbers(value) else None,
            readings=parts.readings,
            slices=parts.slices,
            groups=parts.groups,
            goals=parts.goals,
            restatements=await self._restated(source.name, parts) if source is not None else [],
            dead_letters=letters.letters(),
            events=await _events(engine, asked, parts, refused, progress) if asked.events else None,
        )

    async def _published(self, asked: Asked, kpi: Kpi) -> KpiValue:
        """Return the value as it is in Redis."""
        selection = Selection(kpis=(asked.kpi,), where=asked.where)
        answer = await read_values(self._reader, Query((asked.window,), (selection,)), self._settings)
        if not answer.series:
            raise NoSeriesError(await self._hint(asked, kpi, selection))
        return msgspec.json.decode(answer.series[0][1], type=KpiValue)

    async def _hint(self, asked: Asked, kpi: Kpi, selection: Selection) -> str:
        answer = await self._reader.read(Query(WINDOWS, (selection,)))
        windows = [key.split("|")[1] for key, _ in answer.series]
        if windows:
            hint = f"it has none over {asked.window}, but over {', '.join(windows)}"
        else:
            groupings = ", ".join(name or "nothing (global)" for name in kpi.groupings)
            everyone = f"`salespulse kpis {kpi.name} --by '*'` shows every one there is"
            hint = f"it has series by {groupings}; {everyone}"
        return f"no value of {series_key(asked.kpi, asked.window, asked.where)}: {hint}"

    async def _restated(self, kpi: str, parts: Parts) -> list[Restatement]:
        """Read what was restated of a series; its KPI is looked for in the bytes, as most are of others."""
        mark = f'"kpi":{msgspec.json.encode(kpi).decode()}'.encode()
        dimensions = parse_dims(parts.dims)
        found: list[Restatement] = []
        partitions = await partitions_of(self._settings, [self._settings.topics.restatements])
        async for records in read_to_end(self._settings, partitions):
            named = (_restatements.decode(record.value) for record in records if record.value and mark in record.value)
            found += [each for each in named if restates(each, kpi, dimensions, parts.intervals)]
        return newest_first(found)


async def _moment(engine: Engine, kpi: Kpi, value: KpiValue) -> Moment:
    now_ms = _now_ms(engine, value)
    if kpi.goal is not None:
        return await engine.cells.of_goals(now_ms)
    return await engine.cells.of_series("" if kpi.class_of else dims_key(value.dimensions), now_ms)


def _now_ms(engine: Engine, value: KpiValue) -> int:
    """Return the end of what counted when a value was computed; the window's end where nothing finer is told."""
    end_ms, time = instant_ms(value.window_end), engine.settings.time
    if time.clock == "wall":
        now_ms = instant_ms(value.emitted_at)
    else:
        now_ms = instant_ms(value.watermark or 0) + int(time.out_of_orderness)
    return now_ms if now_ms and engine.calendar.window(value.window, now_ms).end_ms == end_ms else end_ms


async def _events(engine: Engine, asked: Asked, parts: Parts, refused: Refused, progress: Progress) -> Events:
    readings = parts.anatomy.readings
    if not readings:
        return Events(count=0, sums={}, difference={}, messages=0, events=[], note=_NOT_COUNTED)
    plan, settings = engine.plan, engine.settings
    attribution = Attribution(plan, engine.calendar, fold_rules(settings), parts.dims, readings.values())
    gathering = Gathering(asked.limit)
    kinds = kinds_needed((plan.measures[reading.measure] for reading in readings.values()), parts.dims)
    read = await read_sources(settings, kinds, refused, attribution, gathering, progress)
    return gathering.document(parts.anatomy, parts.sums, read.places, plan.dimensions, read.messages)


def _numbers(value: KpiValue) -> tuple[object, ...]:
    return value.value, value.numerator, value.denominator
