"""The pages about KPIs: an index, a page an area, and what their formulas are made of. Generated, never edited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from schemas.areas import AREAS, BOARDS, Area
from schemas.declare import Kpi
from schemas.facts import DERIVED_FACTS, EVENT_FACTS, FactType
from schemas.kpi_pages import kpi_page
from schemas.kpi_words import LISTS, QUANTITIES, formula_of, measure_words, measures_named
from schemas.measures import Measure
from schemas.readings import GENERAL
from schemas.windows import HOUR_MS, MINUTE_MS, RETENTION_MS, ROLLING_MS, TO_DATE, WINDOW_RESOLUTION, WINDOWS

INDEX: Final = "kpis.md"
_GENERATED: Final = "<!-- Written by python -m schemas.export from the catalogue; not to be edited. -->"
_PERIODS: Final[Mapping[str, str]] = {"today": "day", "wtd": "week", "mtd": "month", "qtd": "quarter", "ytd": "year"}


def kpi_documents(kpis: Sequence[Kpi], measures: Sequence[Measure]) -> dict[str, str]:
    """Return file name -> text of all pages about a catalogue.

    Args:
        kpis: The KPIs, in the order in which they are to be listed.
        measures: Every measure that their formulas may name.
    """
    pages = {INDEX: _index(kpis)}
    for area in AREAS:
        of_area = [kpi for kpi in kpis if kpi.area == area]
        if of_area:
            pages[_page_of(area)] = _area(area, of_area, measures)
    return {
        **pages,
        "kpis/reading.md": _reading(),
        "kpis/windows.md": _windows(),
        "kpis/measures.md": _measures(kpis, measures),
        "kpis/facts.md": _facts(),
    }


def _page_of(area: Area) -> str:
    return f"kpis/{area}.md"


def _index(kpis: Sequence[Kpi]) -> str:
    lines = [
        (
            f"{len(kpis)} KPIs, each with its formula over [measures](kpis/measures.md), which count "
            "[facts](kpis/facts.md), over eleven [windows](kpis/windows.md). The name leads to what it counts, a "
            "worked example, when it is unknown, and under which names it comes out. What holds for all of them: "
            "[how to read them](kpis/reading.md)."
        ),
        "",
        "Dashboards (`deploy/grafana`): " + "; ".join(f"{board.title} (`{board.uid}`)" for board in BOARDS) + ".",
    ]
    for area, title in AREAS.items():
        of_area = [kpi for kpi in kpis if kpi.area == area]
        if of_area:
            rows = [
                (
                    f"[{kpi.name}]({_page_of(area)}#{kpi.name})",
                    kpi.title,
                    f"`{formula_of(kpi)}`",
                    kpi.unit,
                    str(kpi.row),
                )
                for kpi in of_area
            ]
            lines += ["", f"## {title}", "", *_table(("KPI", "called", "formula", "unit", "row"), rows)]
    return _text("KPIs", lines)


def _area(area: Area, kpis: Iterable[Kpi], measures: Sequence[Measure]) -> str:
    sections = [kpi_page(kpi, measures) for kpi in kpis]
    above = "[All KPIs](../kpis.md) · [how to read them](reading.md) · [measures](measures.md) · [windows](windows.md)"
    return _text(AREAS[area], [above, "", "\n".join(sections).rstrip()])


def _reading() -> str:
    lines = ["What holds for all [KPIs](../kpis.md). What holds for one of them stands with it."]
    for heading, rules in GENERAL.items():
        lines += ["", f"## {heading}", "", *(f"- {rule}" for rule in rules)]
    named = ", ".join(f"{letter} the {language} one" for letter, language in LISTS.items())
    lines += ["", "## Where KPIs are from", ""]
    lines += [f"Five lists of sales KPIs: {named}; numbers are items of a list. `ClickUp` is its goals and widgets."]
    return _text("How to read the KPIs", lines)


def _windows() -> str:
    lines = [
        "Each [KPI](../kpis.md) has a value for each window. A window holds what *happened* in it, without its end.",
        "",
        *_table(("window", "holds", "end rounded up to", "previous"), [_window(name) for name in WINDOWS]),
        "",
        '- Windows end at the present, rounded *up*; with `time.clock = "event"` the present is the newest event.',
        (
            "- Days, weeks, months, quarters and years are those of `time.zone`; weeks begin on `time.week_start`. A "
            "day of 23 or 25 hours is one day; a local time that does not exist, or twice, is read as the first one."
        ),
        (
            "- The previous window of a to-date window begins with the previous period and ends the same local time "
            "later, at most at that period's end: 31 March 12:00 is compared with all of February. Of `qtd` and `ytd` "
            "it ends with the local day of that counterpart; where that is exactly midnight, nothing is added."
        ),
        "- `all` begins with the first event and has no previous window.",
        "",
        "Late events restate a window while its slices are kept: " + ", ".join(_kept()) + ", and `all` for ever.",
    ]
    return _text("Windows", lines)


def _window(name: str) -> tuple[str, str, str, str]:
    rounded = {"10s": "10 s", "1m": "1 min", "15m": "15 min"}[WINDOW_RESOLUTION[name]]
    if name in ROLLING_MS:
        minutes = ROLLING_MS[name] // MINUTE_MS
        hours = minutes // 60
        length = (
            f"{minutes} minutes"
            if minutes < 60
            else f"{hours} hours"
            if hours < 48
            else f"{hours // 24} days of 24 hours"
        )
        return f"`{name}`", f"the last {length}".replace(" 1 hours", " hour"), rounded, "as long, just before it"
    if name in TO_DATE:
        period = _PERIODS[name]
        return f"`{name}`", f"the running {period} so far", rounded, f"the {period} before, up to the same local time"
    return f"`{name}`", "everything", rounded, "none"


def _kept() -> Iterator[str]:
    for resolution, length_ms in RETENTION_MS.items():
        hours = length_ms // HOUR_MS
        yield f"those of `{resolution}` for {f'{hours} hours' if hours < 72 else f'{hours // 24} days'}"


def _measures(kpis: Sequence[Kpi], measures: Iterable[Measure]) -> str:
    users: dict[str, list[str]] = {}
    for kpi in kpis:
        for name in measures_named(kpi):
            users.setdefault(name, []).append(f"[{kpi.name}]({kpi.area}.md#{kpi.name})")
    rows = [
        (f"`{measure.name}`", measure_words(measure), ", ".join(users.get(measure.name, ["none"])))
        for measure in sorted(measures, key=lambda measure: measure.name)
    ]
    lines = [
        (
            "Whole numbers that are added up in every slice of time and for every dimension value; formulas of "
            "[KPIs](../kpis.md) name them. They count [facts](facts.md)."
        ),
        "",
        *_table(("measure", "is the", "used by"), rows),
    ]
    return _text("Measures", lines)


def _facts() -> str:
    columns = ("fact", "exists when", "attributes", "quantities")
    lines = [
        "What [measures](measures.md) count: things that happened, each with a time and the dimensions of events.",
        "",
        "## Made of an account's history",
        "",
        (
            "By one definition, whatever the order in which its events came. A *level* is entered and left; it says "
            "what is in a state."
        ),
        "",
        *_table(columns, [_fact(name, fact) for name, fact in DERIVED_FACTS.items()]),
        "",
        "## Events as they came in",
        "",
        *_table(columns, [_fact(name, fact) for name, fact in EVENT_FACTS.items()]),
    ]
    return _text("Facts", lines)


def _fact(name: str, fact: FactType) -> tuple[str, str, str, str]:
    more = (" Level." if fact.level else "") + (" Once for every window." if fact.per_window else "")
    quantities = ", ".join(f"`{each}` ({QUANTITIES[each]})" for each in fact.quantities)
    return f"`{name}`", fact.doc + more, ", ".join(f"`{each}`" for each in fact.attributes), quantities


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _text(title: str, lines: Iterable[str]) -> str:
    return "\n".join((f"# {title}", "", _GENERATED, "", *lines)) + "\n"
