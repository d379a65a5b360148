"""What is written about KPIs: complete, true of the metrics, and with links that lead somewhere."""

import itertools
import posixpath
import re

import msgspec
import pytest

from schemas.catalogue import KPIS, Kpi
from schemas.declare import VARIABLES, ratio
from schemas.kpi_documents import INDEX, kpi_documents
from schemas.kpi_pages import kpi_page
from schemas.kpi_words import formula_of, measures_named, variables_named
from schemas.measures import MEASURES, Measure
from schemas.readings import NOTES
from streams.metrics.names import kpi_facts, metric_facts
from streams.plan import Plan

PAGES = kpi_documents(KPIS, MEASURES)
every_kpi = pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)


@every_kpi
def test_a_page_says_all_that_is_to_be_known(kpi: Kpi) -> None:
    page = kpi_page(kpi, MEASURES)
    assert page.startswith(f"## {kpi.name}\n\n**{kpi.title}.** {kpi.doc}\n")
    assert f"{kpi.name} = {formula_of(kpi)}\n" in page
    for name in measures_named(kpi):
        assert f"\n- `{name}`: " in page
    for heading in ("Unit", "Row and area", "Series", "Windows", "Unknown (null)", "Example", "From", "Dashboards"):
        assert re.search(rf"^- \*\*{re.escape(heading)}:\*\* \S", page, flags=re.MULTILINE), heading
    assert all(f"- {note}\n" in page for note in NOTES.get(kpi.row, ()))
    assert "  " not in page


@every_kpi
def test_the_measures_named_are_those_that_the_engine_computes_with(kpi: Kpi) -> None:
    assert set(measures_named(kpi)) == set(Plan([kpi]).measure_names(kpi))
    assert set(variables_named(kpi)) <= set(VARIABLES)


@every_kpi
def test_the_metrics_named_are_those_that_the_exporter_writes(kpi: Kpi) -> None:
    line = next(line for line in kpi_page(kpi, MEASURES).splitlines() if line.startswith("- **Prometheus:**"))
    endings = re.findall(r"`(_by_\w+)`", line)
    named = set(re.findall(r"`(salespulse_\w+)`", line))
    exist = set(metric_facts(KPIS))
    written = {name for grouping in kpi.groupings for name in kpi_facts(kpi, tuple(filter(None, grouping.split(","))))}
    assert written <= named | {name + ending for name in named for ending in endings} | _unsaid(kpi)
    assert {name for name in named if name in exist} or not kpi.has_global
    assert all(name + ending in exist for name in named for ending in endings if _is_value_or_part(name))


def _unsaid(kpi: Kpi) -> set[str]:
    """A previous value that is never known needs no mention."""
    return {name for name in kpi_facts(kpi, ()) if name.endswith("_previous")} if kpi.growth or kpi.goal else set()


def _is_value_or_part(name: str) -> bool:
    return not name.endswith("_previous") and "_rank_by_" not in name


def test_every_kpi_is_in_the_index_and_on_the_page_of_its_area() -> None:
    for kpi in KPIS:
        assert f"| [{kpi.name}](kpis/{kpi.area}.md#{kpi.name}) | {kpi.title} | `{formula_of(kpi)}` |" in PAGES[INDEX]
        assert kpi_page(kpi, MEASURES) in PAGES[f"kpis/{kpi.area}.md"] + "\n"
    for measure in MEASURES:
        assert f"\n| `{measure.name}` | " in PAGES["kpis/measures.md"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_link_leads_to_a_page_and_a_heading(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        path, _, anchor = target.partition("#")
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        assert page in PAGES, target
        assert not anchor or f"\n## {anchor}\n" in PAGES[page], target


@pytest.mark.parametrize("name", sorted(PAGES))
def test_tables_are_tables(name: str) -> None:
    lines = PAGES[name].splitlines()
    for above, line in itertools.pairwise(lines):
        if above.startswith("| ") and line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", line)), line


def test_notes_are_about_rows_that_exist() -> None:
    assert set(NOTES) <= {kpi.row for kpi in KPIS}


def test_a_kpi_of_the_users_own_has_a_page_too() -> None:
    own = ratio(
        "gift_share",
        0,
        "Gifts",
        ("gifts", "deals_won"),
        dimensions=("shop",),
        source="my-kpis.toml",
        doc="Gifts over deals.",
    )
    own = msgspec.structs.replace(own, windows=("mtd", "ytd"))
    page = kpi_page(own, (*MEASURES, Measure("gifts", "sale", where={"customer_class": ("new",)})))
    assert "- `gifts`: number of facts `sale` where `customer_class` is new. A deal was won" in page
    assert "- **Row and area:** one of your own, Sales\n" in page
    assert "`gift_share|mtd|shop=...`" in page
    assert "- **Windows:** `mtd`, `ytd`; all but `all` with the previous value\n" in page
    assert "Dashboards" not in page


def test_what_makes_it_unknown_names_everything_that_does() -> None:
    unknown = {kpi.name: kpi.unknown_when for kpi in KPIS}
    assert unknown["email_open_rate"] == "`emails_delivered` is not above 0 and neither is `emails_sent`"
    assert unknown["ltv_cac"] == (
        "`end(new_customers) * acquisition_spend` is not above 0, or `new_customers` is not above 0"
    )
