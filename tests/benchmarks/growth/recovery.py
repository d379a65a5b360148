"""Recovery: records of the changelogs read from a real Kafka and made into folds and rollups, in fresh processes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import islice
from statistics import median
from typing import Any, Final

from agents.changelogs import ChangelogWriter
from agents.generations import state_names
from agents.kafka import TopicPartition, producer
from agents.reading import begin_offsets, end_offsets
from agents.recovery import FOLD_TABLES, StateReader, owner_of
from schemas.catalogue.compose import catalogue_of
from schemas.settings import Settings, settings_from
from schemas.topics import changelog_topic
from streams.plan import plan_of
from tests.benchmarks.growth.rounds import as_the_worker_does
from tests.benchmarks.growth.states import FRAME_EVENTS, copies, floor_events, records, tables_of_growth
from tests.benchmarks.growth.table import Column, Row, Table, met
from tests.benchmarks.rig import PROJECT, Installation, Servers
from tests.harness import PurePipeline

TABLE: Final = Table(
    "Recovery: records of changelogs, read and made into state by one worker",
    (
        Column("state", "state"),
        Column("records", "records"),
        Column("seconds", "seconds", ".2f"),
        Column("cpu_s", "CPU s", ".2f"),
        Column("per_s", "records/s"),
    ),
)

_LEAST_PER_S: Final = 100_000
_PARTITIONS: Final = 4
_CHUNK: Final = 20_000
_STATES: Final = ("folds", "rollups")


async def measure(running: Servers, accounts: int, events: int, rounds: int, reps: int = 100) -> list[Row]:
    """Write the state of a floor with so many accounts, and recover it as often as there are rounds."""
    tables = tables_of_growth() | {"kafka": {"partitions": _PARTITIONS, "source_partitions": 1}}
    installation = Installation(running, "growth-recovery", tables)
    await installation.create_topics()
    await _write(installation.settings, accounts, events, reps)
    found = [await _in_child(installation) for _ in range(rounds)]
    rows: list[Row] = []
    for state in _STATES:
        figures = [each[state] for each in found]
        row: Row = {"state": state, **{name: median(each[name] for each in figures) for name in figures[0]}}
        row["per_s"] = round(row["records"] / row["seconds"])
        row["goal"] = met(row["per_s"] >= _LEAST_PER_S, f"at least {_LEAST_PER_S:,}") if state == "folds" else "-"
        rows.append(row)
    return rows


async def _write(settings: Settings, accounts: int, events: int, reps: int) -> None:
    """Write log and changelogs as workers would have, the accounts over and over under names of their own."""
    pipeline = PurePipeline(settings, _PARTITIONS, FRAME_EVENTS)
    pipeline.send(floor_events(events, reps=reps))
    pipeline.fold_all()
    pipeline.emit(0)
    client = await producer(settings, client_id="benchmark")
    try:
        for partition, log in enumerate(pipeline.logs):
            for frame in log:
                await client.send(settings.topics.log, frame, partition=partition)
        writer = ChangelogWriter(client)
        for partition, fold in enumerate(pipeline.folds):
            for table, written in zip(FOLD_TABLES, fold.checkpoint().steps, strict=True):
                topic = changelog_topic(settings.app.id, table)
                if table != "accounts":
                    await writer.write(topic, [(partition, written)])
                    continue
                many = copies(records(written), accounts // _PARTITIONS)
                while chunk := list(islice(many, _CHUNK)):
                    await writer.write(topic, [(partition, chunk)])
        _, rolled, marker = pipeline.rollup.checkpoint()
        owner = owner_of("", _PARTITIONS)
        await writer.write(changelog_topic(settings.app.id, "rollup"), [(owner, [*rolled, marker])])
    finally:
        await client.stop()


async def _in_child(installation: Installation) -> dict[str, dict[str, float]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.growth.recovery", json.dumps(installation.document)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, "the recovery failed"
    found: dict[str, dict[str, float]] = json.loads(out)
    return found


async def recover(settings: Settings) -> dict[str, dict[str, float]]:
    """Recover all folds, then all rollups; returns records, seconds and CPU seconds of each."""
    plan, names = plan_of(catalogue_of(settings)), state_names(settings, 0)
    reader = StateReader(settings, plan, names)
    partitions = range(settings.kafka.partitions)
    acts: dict[str, tuple[Any, tuple[str, ...]]] = {
        "folds": (reader.folds, FOLD_TABLES),
        "rollups": (reader.rollups, ("rollup",)),
    }
    found: dict[str, dict[str, float]] = {}
    kept: list[object] = []
    for state, (act, tables) in acts.items():
        topics = [TopicPartition(names.changelogs[table], partition) for table in tables for partition in partitions]
        ends, begins = await end_offsets(settings, topics), await begin_offsets(settings, topics)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        kept.append(await act(list(partitions)))
        took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        number = sum(ends[topic] - begins[topic] for topic in topics)
        found[state] = {"records": number, "seconds": round(took_s, 3), "cpu_s": round(took_cpu_s, 3)}
    return found


if __name__ == "__main__":
    as_the_worker_does()
    print(json.dumps(asyncio.run(recover(settings_from(json.loads(sys.argv[1]))))))
