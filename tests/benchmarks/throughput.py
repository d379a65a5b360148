"""CPU seconds for events that wait in the topics already: the product beside a bare loop, and beside stock Faust.

Every participant reads the same messages, in another order every round; ratios are to the bare loop of the same round.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from agents.topics import create_topics
from schemas.settings import Settings
from streams.simulator import SimulatedEvent, SimulationConfig, simulate
from tests.benchmarks.catch_up import Load, caught_up, send
from tests.benchmarks.rig import PROJECT, Installation, Servers, machine
from tests.e2e.history import START_MS, ZONE, History, computing, settings_of_history

CUT: Final = (
    "calls",
    "deals_won",
    "email_open_rate",
    "leads_created",
    "opportunities_created",
    "quotes_sent",
    "visits",
)
"""The KPIs that, like the bare loop, count events by the dimensions they state."""

PRODUCT: Final[Mapping[str, tuple[str, ...]]] = {"cut": CUT, "whole": ()}
"""Participant -> ``catalogue.include``."""

TRANSPORT: Final = " in Kafka"
"""What is appended to a participant for the row of its transport: see :mod:`tests.benchmarks.transport`."""

_Figures = dict[str, Any]
_Run = Callable[[int, Path | None], Awaitable[dict[str, _Figures]]]
"""Number of the round, and where to write a profile -> by name of the row, what was found."""


@dataclass(frozen=True)
class Rush(History):
    """A busy floor: journeys of months within minutes, so that all types of events come; in order, each once."""

    def messages(self) -> Iterator[SimulatedEvent]:
        """The messages, in order of event time."""
        seconds = self.days * 86_400
        config = SimulationConfig(
            seed=self.seed, events_per_second=self.count / seconds, speed=100 / self.days, zone=ZONE
        )
        return islice(simulate(config, START_MS), self.count)


async def measure(
    running: Servers,
    events: int,
    rounds: int,
    *,
    rate: float = 500.0,
    partitions: int = 8,
    faust_events: int = 0,
    profile: Path | None = None,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        running: The servers to measure on.
        events: How many.
        rounds: How often everybody takes part.
        rate: How dense they are, in events per second of event time: the sparser, the more cells an event costs.
        partitions: Of the log and of every source topic.
        faust_events: How many of the events stock Faust gets, scaled in the result; 0 leaves it out, as it takes long.
        profile: Run the workers of the last round under cProfile and write their statistics here.

    Returns:
        Everything that is printed.

    Raises:
        AssertionError: A cell, a value or a count is wrong.
    """
    about = machine()
    history = Rush(seed=20_231_114, count=events, days=events / rate / 86_400)
    with computing(history) as computed:
        truth = await asyncio.wrap_future(computed)  # not meanwhile: there may be just two cores
    load = Load(list(history.messages()), truth, partitions)
    participants: dict[str, _Run] = {"bare": await _in_process(running, load, "bare", "bare_loop")}
    participants |= {name: _product(running, load, name) for name in PRODUCT}
    if faust_events:
        few = Load(load.messages[:faust_events], truth, partitions)
        participants["faust"] = await _in_process(running, few, "faust", "stock_faust")
    found = await _rotate(participants, rounds, profile)
    return {
        "benchmark": "throughput",
        "machine": about,
        "events": events,
        "rate": rate,
        "faust_events": faust_events,
        "cells_right": len(truth.cells),
        "values_right": len(truth.kpis),
        "profiled": profile is not None,
        "rounds": found,
        **_summary(found),
    }


async def _rotate(participants: Mapping[str, _Run], rounds: int, profile: Path | None) -> list[dict[str, _Figures]]:
    names = list(participants)
    found: list[dict[str, _Figures]] = []
    for number in range(rounds):
        first = number % len(names)
        is_last = number == rounds - 1
        ran = {
            name: await participants[name](number, profile if is_last else None)
            for name in (*names[first:], *names[:first])
        }
        found.append({row: figures for name in names for row, figures in ran[name].items()})
    return found


def _summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    costs = {name: [each[name]["cpu_s_per_100k"] for each in rounds] for name in rounds[0]}
    bare = costs["bare"]
    return {
        "ratio": {
            name: _spread([cost / other for cost, other in zip(of_name, bare, strict=True)])
            for name, of_name in costs.items()
            if name != "bare"
        },
        "cpu_s_per_100k": {name: _spread(of_name) for name, of_name in costs.items()},
    }


def _product(running: Servers, load: Load, name: str) -> _Run:
    """SalesPulse with a catalogue, and what Kafka alone took of that; every round has topics of its own."""

    async def run(number: int, profile: Path | None) -> dict[str, _Figures]:
        tables: dict[str, Any] = {**settings_of_history(), "catalogue": {"include": list(PRODUCT[name])}}
        del tables["wall"]  # pages as they come along: those of the tests show what the cut catalogue does not have
        tables["kafka"] = {"partitions": load.partitions, "source_partitions": load.partitions}
        installation = Installation(running, f"{name}{number}", tables)
        await installation.create_topics()
        statistics = profile.with_name(f"{profile.name}.{name}") if profile is not None else None
        worker = await installation.start_worker(statistics)
        try:
            # Started but frozen while events are sent: they wait in the topics, and start-up is not in the figures.
            worker.process.pause()
            await send(installation.settings, load.messages)
            found = await caught_up(worker, installation.settings, load.truth)
        finally:
            await worker.stop()
        found |= {"cpu_s_per_100k": _per_100k(found["cpu_s"], load)}
        empty = Installation(running, f"transport.{name}{number}", {"kafka": tables["kafka"]})
        await empty.create_topics()
        documents = json.dumps(installation.document), json.dumps(empty.document)
        moved = _figures(await _module(running, "transport", *documents, str(len(load.messages))), load)
        return {name: found, f"{name}{TRANSPORT}": moved}

    return run


async def _in_process(running: Servers, load: Load, name: str, module: str) -> _Run:
    """A program that counts events by type and dimensions and says how much CPU time that took, start-up apart."""
    tables = {"kafka": {"partitions": load.partitions, "source_partitions": load.partitions}}
    settings: Settings = Installation(running, module, tables).settings
    await create_topics(settings)
    await send(settings, load.messages)
    sent = Counter(str(message.event["event_type"]) for message in load.messages)

    async def run(number: int, _profile: Path | None) -> dict[str, _Figures]:
        arguments = str(len(load.messages)), f"{module}{number}", *settings.topics.sources().values()
        found = await _module(running, module, settings.kafka.bootstrap_servers, *arguments)
        assert found["by_type"] == sent, f"{module} counted wrongly"
        return {name: _figures(found, load)}

    return run


async def _module(running: Servers, module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of the benchmarks; returns what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.benchmarks.{module}", *arguments),
        cwd=running.directory,  # stock Faust makes directories where it runs
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, f"{module} failed"
    found: dict[str, Any] = json.loads(out)
    return found


def _figures(found: Mapping[str, Any], load: Load) -> _Figures:
    return {
        "cpu_s": round(found["cpu_s"], 3),
        "seconds": round(found["seconds"], 2),
        "cpu_s_per_100k": _per_100k(found["cpu_s"], load),
    }


def _per_100k(cpu_s: float, load: Load) -> float:
    return round(cpu_s * 100_000 / len(load.messages), 3)


def _spread(figures: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(figures), 2), "least": round(min(figures), 2), "most": round(max(figures), 2)}
