"""Writes the capacity page from measured figures: `python -m tests.benchmarks.capacity`, with `--check` only compares.

The figures come from `python -m tests.benchmarks throughput --save`, `growth --save` and, where it was kept, `latency
--save`. None of them is typed by hand; what is chosen (how full a core may be, which rates are asked about) is below.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.growth.axes import AXES
from tests.benchmarks.growth.plots import PLOTS
from tests.benchmarks.growth.run import RESULTS
from tests.benchmarks.growth.states import RATE
from tests.benchmarks.growth.table import render_markdown
from tests.benchmarks.reference import REFERENCE
from tests.benchmarks.rig import PROJECT
from tests.benchmarks.tracked import BY_TEAM

PAGE: Final = PROJECT / "deploy" / "capacity.md"
TEMPLATE: Final = Path(__file__).with_name("capacity.template.md")
LATENCY: Final = REFERENCE.with_name("latency.json")
FULL: Final = 0.6
"""How much of a core is planned for."""
_RAREST_S: Final = 8
"""How far apart emissions get while there is much to catch up with, at a tick of a second (agents/cadence.py)."""
_RATES: Final = (10**3, 10**5, 10**7)
_ACCOUNTS: Final = 1_000_000
_BACK_S: Final = 60

Json = Mapping[str, Any]
Figures = dict[str, Any]


def load() -> tuple[Json, Json, Json | None]:
    """Read the results of throughput, growth and latency, the last where it was kept.

    Raises:
        SystemExit: An axis was not measured yet.
    """
    growth = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    missing = [axis for axis in AXES if axis not in growth]
    if missing:
        sys.exit(f"capacity: {RESULTS.name} has no {', '.join(missing)}: run python -m tests.benchmarks growth --save")
    latency = json.loads(LATENCY.read_text()) if LATENCY.exists() else None
    return json.loads(REFERENCE.read_text()), growth, latency


def render(reference: Json, growth: Json, latency: Json | None) -> str:
    """Return the page."""
    rows = {axis: growth[axis]["rows"] for axis in AXES}
    figures = _of_a_core(reference) | _of_a_part(rows)
    figures |= _of_the_ceiling(rows["reps"], figures)
    texts = {
        "latency": _latency(latency),
        "answers": "\n".join(_answers(figures)),
        "tables": "\n\n".join(_tables(growth)),
    }
    return TEMPLATE.read_text().format(**figures, **texts)


def workers_for(rate: float, core_per_s: float) -> int:
    """Return how many workers, of a core each, carry so many events a second."""
    return math.ceil(rate / (FULL * core_per_s))


def partitions_for(workers: int) -> int:
    """Return how many partitions the log has at least: two a worker, rounded up to 2, 3, 4, 6, 8, 12 ..."""
    power = 1 << (2 * workers - 1).bit_length()
    between = power * 3 // 4
    return between if power >= 4 and between >= 2 * workers else power


def _of_a_core(reference: Json) -> Figures:
    costs = {name: cost["median"] * 10 for name, cost in reference["cpu_s_per_100k"].items()}
    core_per_s = 1e6 / costs["whole"]
    return {
        **{name: reference["machine"][name] for name in ("cores", "memory_gib", "python")},
        "event_us": costs["whole"],
        "cut_us": costs["cut"],
        "core_per_s": core_per_s,
        "planned_per_s": FULL * core_per_s,
        "full": FULL,
        "room": 1 / FULL,
        "density": RATE,
    }


def _of_a_part(rows: Mapping[str, Sequence[Json]]) -> Figures:
    account, fold, rollup, series = (row["bytes"] for row in rows["memory"])
    first, last = rows["partitions"][0], rows["partitions"][-1]
    more = last["partitions"] - first["partitions"]
    ticks, per_s = rows["series"][-1], rows["recovery"][0]["per_s"]
    return {
        "accounts": _ACCOUNTS,
        "account_events": rows["memory"][0]["events"],
        "account_bytes": account,
        "accounts_gib": _ACCOUNTS * account / 2**30,
        "fold_bytes": fold,
        "rollup_bytes": rollup,
        "series_bytes": series,
        **{name: ticks[name] for name in ("series", "moved_ms", "all_ms", "idle_ms")},
        "value_us": ticks["all_us_per_value"],
        "moving": ticks["moved_ms"] / 10_000 + ticks["all_ms"] / 900_000,
        "fewest": first["partitions"],
        "most": last["partitions"],
        "partition_us": (last["worker_us"] - first["worker_us"]) / more,
        "partition_idle": (last["idle"] - first["idle"]) / more,
        **{name: last[name] for name in ("broker_us", "redis_us")},
        "records_per_s": per_s,
        "recovery_s": _ACCOUNTS / per_s,
        "back_s": _BACK_S,
        "recovered": per_s * _BACK_S,
    }


def _of_the_ceiling(reps: Sequence[Json], figures: Json) -> Figures:
    """Up to how many partitions the one owner of all that goals may be about can hear."""
    few, many = reps[0], reps[len(reps) // 2]
    share, few_share = (RATE * row["rollup_us"] / 1e6 for row in (many, few))
    ceiling = int(FULL / share)
    largest = ceiling * _RAREST_S / 2 * figures["planned_per_s"]
    return {
        "few_reps": few["reps"],
        "many_reps": many["reps"],
        "few_us": few["rollup_us"],
        "many_us": many["rollup_us"],
        "live_us": many["us"],
        "live_share": many["us"] * RATE / 1e6,
        "values_share": many["values_us"] / many["us"],
        "heard_share": share,
        "ceiling": ceiling,
        "few_ceiling": int(FULL / few_share),
        "rarest_s": _RAREST_S,
        "last_ceiling": ceiling * _RAREST_S,
        "largest": largest,
        "highest": _RATES[-1],
        "installations": math.ceil(_RATES[-1] / largest),
    }


def _answers(figures: Json) -> Iterator[str]:
    for rate in _RATES:
        workers = workers_for(rate, figures["core_per_s"])
        partitions = partitions_for(workers)
        every_s = math.ceil(partitions / figures["ceiling"])
        cores = rate * figures["broker_us"] / 1e6
        trust = "measured" if workers == 1 else "extrapolated"
        if every_s > _RAREST_S:
            trust = "**not with one installation**"
        yield f"| {rate:,} | {workers:,} | {partitions:,} | {every_s:,} s | {cores:,.1f} | {trust} |"


def _latency(latency: Json | None) -> str:
    if latency is None:
        return ""
    lines = [
        "",
        "| live events/s | core | idle | KPI topic p50 | p99 | by team today p50 | p99 | bare loop p50 | p99 |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for rate in latency["rates"]:
        readers = (rate["latency"]["kafka"], rate["latency"][BY_TEAM], rate["bare"]["latency"]["kafka"])
        times = " | ".join(f"{found[name]:,.0f} ms" for found in readers for name in ("p50_ms", "p99_ms"))
        shares = f"{rate['core_share']['worker']:.0%} | {rate['idle_core_share']['worker']:.1%}"
        lines.append(f"| {rate['rate']:,g} | {shares} | {times} |")
    return "\n".join([*lines, ""])


def _tables(growth: Json) -> Iterator[str]:
    for name, axis in AXES.items():
        found = growth[name]
        remark = "Small sizes and few rounds (`--quick`). " if found["quick"] else ""
        yield f"### {axis.table.title}"
        yield render_markdown(axis.table, found["rows"])
        yield f"{remark}Load of the machine before: {found['machine']['load_before']}."
        if axis.table.plot is not None:
            yield f"![{axis.table.title}](../{PLOTS.relative_to(PROJECT).as_posix()}/{name}.svg)"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or tell whether it is what the results make."""
    text = render(*load())
    if "--check" not in arguments:
        PAGE.write_text(text)
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print(f"{PAGE} is not what the results make: run python -m tests.benchmarks.capacity", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
