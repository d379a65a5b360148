"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import json
import pstats
import sys
from pathlib import Path
from typing import Any

from agents.brokers import ServerError
from tests.benchmarks import latency, reference, throughput
from tests.benchmarks.growth import plots
from tests.benchmarks.growth import run as growth
from tests.benchmarks.growth.axes import AXES
from tests.benchmarks.rig import servers
from tests.benchmarks.throughput import TRANSPORT


def main(arguments: list[str] | None = None) -> None:
    """Run one benchmark on servers of its own and print what it found."""
    options = _parser().parse_args(arguments)
    if options.benchmark != "growth" and options.profile is not None:
        options.profile = options.profile.absolute()
    try:
        if options.benchmark == "growth" and options.save:
            plots.require()
        found = asyncio.run(_run(options))
    except (ServerError, plots.NoPlotsError) as error:
        sys.exit(f"benchmark: {error}")
    show = {"latency": show_latency, "throughput": show_throughput, "growth": growth.show}[options.benchmark]
    print(json.dumps(found, indent=2) if options.json else show(found))
    if options.benchmark == "growth":
        if options.save:
            growth.save(found)
            plots.draw()
        return
    if options.profile is not None and not options.json:
        for file in sorted(options.profile.parent.glob(f"{options.profile.name}*")):
            pstats.Stats(str(file)).sort_stats("tottime").print_stats(40)
    _judge(options, found)


def _judge(options: argparse.Namespace, found: dict[str, Any]) -> None:
    if options.benchmark == "throughput" and options.compare:
        lines, is_lost = reference.compare(found)
        print("\n".join(lines), file=sys.stderr)
        if is_lost:
            sys.exit("benchmark: more than half the speed of tests/benchmarks/reference.json is lost")
    if options.save:
        reference.save(found)


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    if options.benchmark == "growth":
        return await growth.run(options.axes, quick=options.quick)
    common = {"partitions": options.partitions, "profile": options.profile}
    async with servers() as running:
        if options.benchmark == "latency":
            own = {"idle": options.idle}
            return await latency.measure(running, options.rates, options.seconds, options.history, **own, **common)
        own = {"rate": options.rate, "faust_events": options.faust}
        return await throughput.measure(running, options.events, options.rounds, **own, **common)


def show_latency(found: dict[str, Any]) -> str:
    """Return the figures of the latency benchmark for people."""
    return "\n".join([*map(_show_rate, found["rates"]), _show_machine(found["machine"])])


def _show_rate(found: dict[str, Any]) -> str:
    lines = [
        f"{found['rate']:,g} events a second: {found['sent']:,} in {found['seconds']:g} s, after {found['history']:,}",
        f"{found['values_per_second']:,} values published a second; all counted after {found['drained_s']:g} s more",
        f"{'milliseconds':>14} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}",
    ]
    for reader, figures in {**found["latency"], "bare loop": found["bare"]["latency"]["kafka"]}.items():
        numbers = " ".join(f"{figures[name]:>8,.0f}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        lines.append(f"{reader:>14} {numbers}")
    return "\n".join(
        [
            *lines,
            f"share of a core: {_show_shares(found['core_share'])}; worker: {found['worker_memory_mib']} MiB",
            f"of the time without a core while it could have run: {_show_shares(found['waited_for_a_core'])}",
            f"share of a core with nothing coming in: {_show_shares(found['idle_core_share'])}",
            f"share of a core beside the bare loop: {_show_shares(found['bare']['core_share'])}",
        ]
    )


def _show_shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def show_throughput(found: dict[str, Any]) -> str:
    """Return the figures of the throughput benchmark for people."""
    right = f"{found['cells_right']:,} cells and {found['values_right']:,} values right"
    lines = [
        f"{found['events']:,} events, {found['rate']:g} a second of event time, {len(found['rounds'])} rounds: {right}",
        f"{'':>14} {'CPU s per 100,000 events':>28} {'times the bare loop':>28}",
    ]
    for name, cost in found["cpu_s_per_100k"].items():
        ratio = found["ratio"].get(name)
        lines.append(f"{name:>14} {_show_spread(cost):>28} {_show_spread(ratio) if ratio else '1':>28}")
    lines.append(f"...{TRANSPORT}: the same messages read and written by the same clients, and nothing done to them")
    if found["faust_events"]:
        lines.append(f"faust: stock, with a table; scaled up from {found['faust_events']:,} events")
    if found["profiled"]:
        lines.append("the workers of the last round ran under cProfile: their figures are no figures")
    return "\n".join([*lines, _show_machine(found["machine"])])


def _show_spread(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['least']:.2f} to {spread['most']:.2f})"


def _show_machine(about: dict[str, Any]) -> str:
    size = f"{about['cores']} cores, {about['memory_gib']} GiB"
    return f"{size}, Python {about['python']}, load before {about['load_before']}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    live = commands.add_parser(
        "latency", help="from the producer's send to the value on the KPI topic, in Redis and over SSE"
    )
    live.add_argument("--rates", type=float, nargs="+", default=[500, 2_000, 20_000], help="events a second")
    live.add_argument("--seconds", type=float, default=60, help="how long each rate is measured")
    live.add_argument("--idle", type=float, default=20, help="for how many seconds it is watched with nothing to do")
    live.add_argument("--history", type=int, default=20_000, help="about how many events come before")
    stored = commands.add_parser("throughput", help="CPU seconds for events in the topics, beside those of a bare loop")
    stored.add_argument("--events", type=int, default=100_000, help="how many")
    stored.add_argument("--rate", type=float, default=500, help="events per second of event time")
    stored.add_argument("--rounds", type=int, default=5, help="how often, in rotation")
    stored.add_argument("--faust", type=int, default=0, metavar="EVENTS", help="stock Faust too, with so many events")
    stored.add_argument("--compare", action="store_true", help="with the committed reference; fails on half the speed")
    for command in (live, stored):
        command.add_argument("--save", action="store_true", help="as the reference")
        command.add_argument("--partitions", type=int, default=8, help="of the log and of every source topic")
        command.add_argument("--profile", type=Path, metavar="FILE", help="cProfile statistics of the worker")
        command.add_argument("--json", action="store_true", help="print JSON for programs")
    growing = commands.add_parser("growth", help="what grows with accounts, partitions, reps, series and workers")
    growing.add_argument("axes", nargs="*", metavar="AXIS", choices=[*AXES, []], help=f"{', '.join(AXES)}; all")
    growing.add_argument("--quick", action="store_true", help="small sizes, few rounds: under two minutes")
    growing.add_argument("--save", action="store_true", help="in growth.json, and draw plots")
    growing.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


if __name__ == "__main__":
    main()
