"""Writes the table of fault cases and their last results: `python -m tests.faults.table`, with `--check` only compares.

The results come from a run: `pytest tests/faults -m "" --fault-results tests/faults/results.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.faults.cases import CASES
from tests.faults.record import Result, read

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
README: Final = HERE / "README.md"

_HEAD: Final = """\
# Fault cases

Generated from the last run by `python -m tests.faults.table`; do not edit.

Every case runs the product as its users do, against a real Apache Kafka and a real Redis, with a history of events
under way that has duplicates, late events, returns, corrections and goals. Beyond what its row says, a case passes when

- (a) the cells at the end equal an independent batch computation over the source topics, integer by integer, and so do
  the values of the KPIs on the KPI topic and in Redis, most of which depend on what accounts did before;
- (b) every changelog record that was ever written equals the fold of the log up to its fence;
- (c) committed offsets are never ahead of what is durable;
- (d) versions that a reader of Redis or of a KPI topic sees never fall;
- (e) lag is back at zero within a bound.

`xfailed` and `xpassed` are tests that are known to fail at times; why, stands at the test.

```bash
pytest tests/faults                         # minutes; in CI
pytest tests/faults -m soak                 # nightly: 50 kills, long freezes, two soaks, a million accounts
pytest tests/faults -m soak -k random_mix --soak-minutes 30   # long enough to see a leak
pytest tests/faults -m "" --fault-seed 7    # all of it, by another seed
pytest tests/faults -m "" --fault-results tests/faults/results.json && python -m tests.faults.table
```

| # | fault | passes when | test | result | took | seen |
|--:|---|---|---|---|--:|---|
"""
_UNITS: Final = {"s": " s", "mib": " MiB"}


def render(results: Sequence[Result]) -> str:
    """Return the document."""
    return _HEAD + "".join(f"{line}\n" for line in _rows(results))


def _rows(results: Sequence[Result]) -> Iterator[str]:
    for number, case in CASES.items():
        own = [result for result in results if result.case == number]
        if not own:
            yield f"| {number} | {case.fault} | {case.passes} | | not run | | |"
        for index, result in enumerate(own):
            yield _row(f"{number} | {case.fault} | {case.passes}" if index == 0 else " | | ", result)
    for result in results:
        if result.case == 0:
            yield _row("– | operations | ", result)


def _row(case: str, result: Result) -> str:
    path, _, name = result.test.partition("::")
    nightly = ", nightly" if result.soak else ""
    seen = ", ".join(_figure(name, value) for name, value in result.figures.items())
    outcome = f"{result.outcome}, {result.date}, seed {result.seed}{nightly}"
    return f"| {case} | [{_spoken(name)}]({path}) | {outcome} | {result.seconds:.0f} s | {seen} |"


def _spoken(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _figure(name: str, value: float | str) -> str:
    words, _, unit = name.rpartition("_")
    if unit in _UNITS:
        return f"{words.replace('_', ' ')} {value}{_UNITS[unit]}"
    number = f"{value:,}" if isinstance(value, int) else value
    return f"{name.replace('_', ' ')} {number}"


def main(arguments: Sequence[str]) -> int:
    """Write the document, or tell whether it is what the results make."""
    text = render(read(RESULTS))
    if "--check" not in arguments:
        README.write_text(text)
        return 0
    if README.exists() and README.read_text() == text:
        return 0
    print(f"{README} is not what {RESULTS} makes: run python -m tests.faults.table", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
