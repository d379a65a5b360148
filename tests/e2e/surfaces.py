"""Everything the product holds and puts out, read from outside, and what is wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec
import orjson
from redis.asyncio import Redis

from agents.kafka import ConsumerRecord, TopicPartition
from agents.reading import begin_offsets, committed_offsets, end_offsets, read_to_end
from agents.topics import intake_group
from schemas.settings import Settings
from schemas.topics import changelog_topic
from schemas.windows import RESOLUTIONS, WINDOWS
from schemas.wire import Marker, body_of, fence_of
from streams.fold.cells import parse_place
from streams.plan import Plan
from tests.e2e.history import Truth
from tests.e2e.product import Process
from tests.e2e.samples import from_metrics, wrong_samples
from tests.exactness import compared_cells
from tests.oracle import cell_differences, kpi_differences
from tests.oracle.cells import CellKey

Payloads = dict[str, bytes]
"""Series key -> the KPI value as JSON."""

_slices: Final = msgspec.msgpack.Decoder(dict[int, dict[str, int]])
_markers: Final = msgspec.msgpack.Decoder(Marker)


# Kafka: cells, markers, offsets


async def records_of(settings: Settings, topic: str) -> list[list[ConsumerRecord]]:
    """All records of a topic that has as many partitions as the log, by partition."""
    found: list[list[ConsumerRecord]] = [[] for _ in range(settings.kafka.partitions)]
    async for batch in read_to_end(settings, _partitions(topic, settings.kafka.partitions)):
        found[batch[0].partition] += batch
    return found


def newest(records: Iterable[ConsumerRecord]) -> dict[bytes, bytes]:
    """Per key the record of the highest fence, as a recovery takes them (design.md, Exactness, 4)."""
    kept: dict[bytes, bytes] = {}
    for record in records:
        if record.value is None:
            kept.pop(record.key, None)
        elif record.key not in kept or fence_of(record.value) >= fence_of(kept[record.key]):
            kept[record.key] = record.value
    return kept


async def stored_cells(settings: Settings) -> dict[CellKey, dict[str, int]]:
    """The cells of the changelog, added up over the log partitions; without histograms."""
    added: dict[CellKey, dict[str, int]] = {}
    for records in await records_of(settings, changelog_topic(settings.app.id, "cells")):
        for key, record in newest(records).items():
            dims, resolution, _ = parse_place(key)
            for start_ms, sums in _slices.decode(body_of(record)).items():
                cell = added.setdefault((dims, RESOLUTIONS[resolution], start_ms), {})
                for measure, value in sums.items():
                    if "#" not in measure:
                        cell[measure] = cell.get(measure, 0) + value
    return added


class Checkpoints(NamedTuple):
    """How far the state is durable, by log partition."""

    fences: list[int]
    log_ends: list[int]

    @property
    def complete(self) -> bool:
        """Whether all of the log is folded and durable."""
        return all(fence == end - 1 for fence, end in zip(self.fences, self.log_ends, strict=True))


async def checkpoints(settings: Settings) -> Checkpoints:
    """Read the markers and the ends of the log."""
    fences = []
    for records in await records_of(settings, changelog_topic(settings.app.id, "markers")):
        markers = [_markers.decode(body_of(record)) for record in newest(records).values()]
        fences.append(markers[0].fence if markers else -1)
    log = _partitions(settings.topics.log, settings.kafka.partitions)
    ends = await end_offsets(settings, log)
    return Checkpoints(fences, [ends[partition] for partition in log])


async def untaken(settings: Settings) -> int:
    """How many source messages intake has not committed yet."""
    sources = [
        partition
        for topic in settings.topics.sources().values()
        for partition in _partitions(topic, settings.kafka.source_partitions)
    ]
    ends, begins = await end_offsets(settings, sources), await begin_offsets(settings, sources)
    committed = await committed_offsets(settings, intake_group(settings), sources)
    return sum(ends[p] - (committed[p].offset if p in committed else begins[p]) for p in sources)


async def is_settled(settings: Settings) -> bool:
    """Whether every source event is in a durable state."""
    return await untaken(settings) == 0 and (await checkpoints(settings)).complete


def wrong_cells(truth: Truth, stored: Mapping[CellKey, Mapping[str, int]]) -> list[str]:
    """Differences to the oracle's cells, integer by integer, of what has to be kept yet."""
    return cell_differences(truth.cells, stored, compared_cells(Plan(), truth.newest_ms))


# Values: Redis, HTTP API, KPI topic, metrics


async def from_redis(settings: Settings) -> Payloads:
    """The hashes of all windows."""
    found: Payloads = {}
    async with redis_of(settings) as client:
        for window in WINDOWS:
            fields: dict[bytes, bytes] = await client.hgetall(f"{settings.redis.prefix}:kpi:{window}")  # type: ignore[assignment]  # bytes without decode_responses
            for field, payload in fields.items():
                kpi, dims = field.decode().split("|")
                found[f"{kpi}|{window}|{dims}"] = payload
    return found


async def from_api(wall: Process) -> Payloads:
    """All series of the HTTP API."""
    body = await wall.get("/api/v1/kpis?by=*", Accept="application/x-ndjson")
    return {_key_of(orjson.loads(line)): line for line in (body or b"").splitlines()}


async def from_latest(settings: Settings) -> Payloads:
    """The last value of every key of the KPI topic."""
    partitions = await records_of(settings, settings.topics.latest)
    return {record.key.decode(): record.value for records in partitions for record in records}


class Comparison(NamedTuple):
    """How much there was to compare on each surface, and what is wrong."""

    counts: dict[str, int]
    wrong: list[str]


async def compare_values(truth: Truth, settings: Settings, wall: Process, workers: Iterable[Process]) -> Comparison:
    """Compare every surface with the oracle: all must carry the same JSON, and that must be right.

    The KPI topic keeps keys of series that are no more; those must be empty.
    """
    live, api, latest = await from_redis(settings), await from_api(wall), await from_latest(settings)
    samples, lines = await from_metrics(workers)
    surfaces = {"redis": live, "api": api, "latest": latest}
    for name, payloads in surfaces.items():
        values = {key: orjson.loads(payload) for key, payload in payloads.items()}
        lines += [f"{name}: {line}" for line in kpi_differences(truth.kpis, values)]
    lines += [f"api: {key}: not the same series as in redis" for key in live.keys() ^ api.keys()]
    for name in ("api", "latest"):
        lines += [
            f"{name}: {key}: {surfaces[name].get(key)!r}, but redis has {payload!r}"
            for key, payload in live.items()
            if surfaces[name].get(key) != payload
        ]
    known = {key: payload for key, payload in live.items() if key in truth.kpis}
    lines += [*await _wrong_rankings(settings, live), *wrong_samples(known, samples)]
    counts = {"oracle": len(truth.kpis), **{name: len(found) for name, found in surfaces.items()}}
    return Comparison(counts | {"metrics": len(samples)}, lines)


def falling_versions(entries: Iterable[tuple[str, bytes]]) -> list[str]:
    """Values (key and JSON, in the order of a reader) that are older than one of their series before them."""
    seen: dict[str, tuple[str, int]] = {}
    lines = []
    for number, (key, payload) in enumerate(entries):
        value = orjson.loads(payload)
        version = (value["window_end"], value["revision"])
        if version < seen.get(key, version):
            lines.append(f"{key}, entry {number}: {version} after {seen[key]}")
        seen[key] = version
    return lines


async def seen_by_readers(settings: Settings) -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """What readers of the KPI topics' partitions and of the stream of updates in Redis get to see, in order."""
    for topic in (settings.topics.updates, settings.topics.latest):
        for partition, records in enumerate(await records_of(settings, topic)):
            yield f"{topic}[{partition}]", [(record.key.decode(), record.value) for record in records]
    async with redis_of(settings) as client:
        entries: list[tuple[bytes, dict[bytes, bytes]]] = await client.xrange(f"{settings.redis.prefix}:updates")  # type: ignore[assignment]  # bytes without decode_responses
    yield "redis stream", [(fields[b"key"].decode(), fields[b"value"]) for _, fields in entries]


async def _wrong_rankings(settings: Settings, live: Payloads) -> list[str]:
    """Compare the sorted sets with the values of the hashes."""
    expected: dict[str, dict[str, float]] = {}
    for payload in live.values():
        value = orjson.loads(payload)
        if len(value["dimensions"]) == 1 and value["value"] is not None:
            ((dimension, member),) = value["dimensions"].items()
            name = f"{settings.redis.prefix}:rank:{value['kpi']}:{dimension}:{value['window']}"
            expected.setdefault(name, {})[member] = value["value"]
    async with redis_of(settings) as client:
        names = [name.decode() async for name in client.scan_iter(f"{settings.redis.prefix}:rank:*", count=1_000)]
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.zrange(name, 0, -1, withscores=True)
        found = {
            name: {member.decode(): score for member, score in pairs}
            for name, pairs in zip(names, await pipe.execute(), strict=True)
        }
    return [
        f"{name}: {found.get(name)}, not {expected.get(name)}"
        for name in sorted({*expected, *found})
        if found.get(name) != expected.get(name)
    ]


def _key_of(value: Mapping[str, Any]) -> str:
    def escape(text: str) -> str:
        return "".join(f"%{ord(char):02X}" if char in "%|=," else char for char in text)

    dims = ",".join(f"{name}={escape(text)}" for name, text in sorted(value["dimensions"].items()))
    assert all(unquote(escape(text)) == text for text in value["dimensions"].values())
    return f"{value['kpi']}|{value['window']}|{dims}"


def _partitions(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[Redis]:
    client = Redis.from_url(settings.redis.url)
    try:
        yield client
    finally:
        await client.aclose()
