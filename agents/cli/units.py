"""Values as people read them: money, shares, durations, changes."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from schemas.kpi import KpiValue, Unit

UNKNOWN: Final = "-"
_PARTS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def show_value(value: float | int | None, unit: Unit, currency: str | None) -> str:
    """A value with its unit; `-` when unknown."""
    if value is None:
        return UNKNOWN
    match unit:
        case "money":
            return f"{value:,.2f}{f' {currency}' if currency else ''}"
        case "ratio":
            return f"{value * 100:.2f} %"
        case "seconds":
            return show_duration(value)
        case "score":
            return f"{value:.2f}"
        case "count":
            return f"{value:,}" if isinstance(value, int) or value.is_integer() else f"{value:,.2f}"


def show_duration(seconds: float) -> str:
    """A duration in its two largest units: `3 d 4 h`, `12 min 5 s`."""
    rest = round(abs(seconds))
    words = []
    for name, length in _PARTS:
        count, rest = divmod(rest, length)
        if count:
            words.append(f"{count:,} {name}")
    sign = "-" if seconds < 0 else ""
    return sign + " ".join(words[:2]) if words else "0 s"


def show_change(value: KpiValue, better: str) -> Text:
    """The change against the previous window, with an arrow; green when it is one for the better."""
    if value.difference is None:
        return Text(UNKNOWN, "dim")
    if value.difference == 0:
        return Text("=", "dim")
    up = value.difference > 0
    if value.unit == "ratio":
        words = f"{value.difference * 100:+.2f} pt"
    elif value.change is None:
        words = "new"
    else:
        words = f"{value.change * 100:+,.1f} %"
    good = {"higher": up, "lower": not up}.get(better)
    colour = "" if good is None else "green" if good else "red"
    return Text(f"{'↑' if up else '↓'} {words}", colour)
