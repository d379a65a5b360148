"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from tests.benchmarks import latency


def main() -> None:
    """Run one benchmark and print what it found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    one = commands.add_parser("latency", help="from the producer's send to the value on the KPI topic and in Redis")
    one.add_argument("--rate", type=float, default=500, help="events a second")
    one.add_argument("--seconds", type=float, default=60, help="how long is measured")
    one.add_argument("--history", type=int, default=20_000, help="about how many events come before")
    one.add_argument("--partitions", type=int, default=8, help="of the log and of every source topic")
    for command in (one,):
        command.add_argument("--profile", type=Path, metavar="FILE", help="cProfile statistics of the worker")
        command.add_argument("--json", action="store_true", help="print JSON for programs")
    arguments = parser.parse_args()
    found = asyncio.run(
        latency.measure(
            arguments.rate,
            arguments.seconds,
            arguments.history,
            partitions=arguments.partitions,
            profile=arguments.profile and arguments.profile.absolute(),
        )
    )
    print(json.dumps(found, indent=2) if arguments.json else show_latency(found))


def show_latency(found: dict[str, Any]) -> str:
    """Return the figures of the latency benchmark for people."""
    lines = [
        f"{found['sent']:,} events in {found['seconds']:g} s, after {found['history']:,} of history",
        f"{found['values_per_second']:,} values published a second",
        f"{'milliseconds':>14} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}",
    ]
    for reader, figures in found["latency"].items():
        numbers = " ".join(f"{figures[name]:>8,.0f}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        lines.append(f"{reader:>14} {numbers}")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found["core_share"].items())
    lines.append(f"share of a core: {shares}; worker: {found['worker_cpu_s']} CPU s, {found['worker_memory_mib']} MiB")
    waits = ", ".join(f"{name} {share:.0%}" for name, share in found["waited_for_a_core"].items())
    lines.append(f"of the time without a core while it could have run: {waits}")
    about = found["machine"]
    lines.append(f"{about['cores']} x {about['cpu']}, Python {about['python']}, load before {about['load_before']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
