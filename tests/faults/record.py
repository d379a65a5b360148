"""Results of fault tests: what `--fault-results FILE` collects, merged over what the file holds of earlier runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

Figures = dict[str, int | float | str]
"""What a test measured, by name."""


class Result(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """The last result of one test.

    Args:
        case: Number of the fault case; 0 for what is no case of the table.
        test: Its node id below `tests/faults`.
        outcome: passed or failed; xpassed or xfailed where it is known to fail at times, and why stands at the test.
        seed: By which it can be repeated.
        seconds: How long it took.
        date: Of the run.
        soak: Whether it is for the nightly profile only.
        figures: What it measured.
    """

    case: int
    test: str
    outcome: str
    seed: int
    seconds: float
    date: str
    soak: bool = False
    figures: Figures = {}


_decoder = msgspec.json.Decoder(list[Result])


def read(path: Path) -> list[Result]:
    """Results of a file, in the order of cases; none when there is no file."""
    return sorted(_decoder.decode(path.read_bytes())) if path.exists() else []


def merge(path: Path, results: list[Result]) -> None:
    """Write results over those that a file has of the same tests."""
    kept = {result.test: result for result in read(path)}
    kept |= {result.test: result for result in results}
    lines = ",\n".join(msgspec.json.encode(result).decode() for result in sorted(kept.values()))
    path.write_text(f"[\n{lines}\n]\n")


def today() -> str:
    """The date, in UTC."""
    return datetime.now(UTC).date().isoformat()
