"""What is counted follows from the catalogue, and a catalogue that cannot be counted is refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas.catalogue import KPIS, Kpi
from schemas.errors import CatalogueError
from schemas.measures import Measure
from schemas.windows import EVENT_DIMENSIONS, ROLLING_MS
from streams.groupings import COMBINED, FIXED
from streams.plan import Plan
from tests.unit.streams.rows import plan_of


def kpi(**fields: object) -> Kpi:
    return msgspec.structs.replace(KPIS[0], **fields)


def test_a_measure_is_kept_under_every_grouping_of_the_kpis_that_use_it() -> None:
    plan = plan_of("quotes_sent", "lead_conversion")
    assert plan.groupings["quotes_sent"] == {"", "rep", "product"}
    assert plan.groupings["leads_created"] == {"", *EVENT_DIMENSIONS}
    assert plan.groupings["won_amount"] == frozenset()


def test_what_no_kpi_uses_is_not_counted() -> None:
    plan = plan_of("quotes_sent")
    assert plan.counting("sale", "new").groups == ()
    assert [plain.name for plain in plan.plain if plain is not None] == ["deal.quote_sent"]


def test_a_measure_counts_only_facts_with_the_attributes_it_asks_for() -> None:
    plan = plan_of("price_inquiries", "calls")

    def measures(*attributes: str | None) -> set[str]:
        counting = plan.counting("call.completed", *attributes)
        return {op.measure for grouped in counting.groups for op in grouped.ops}

    assert measures("inbound", "busy", "price") == {"calls", "price_inquiries"}
    assert measures("inbound", "busy", "support") == {"calls"}
    assert measures("outbound", "busy", "price") == {"calls"}
    assert measures(None, None, None) == {"calls"}


def test_a_grouping_by_an_attribute_takes_the_facts_own_value() -> None:
    def fixed(*attributes: str | None) -> set[str]:
        return {
            grouped.key
            for grouped in plan_of("calls").counting("call.completed", *attributes).groups
            if grouped.by == FIXED
        }

    assert fixed("inbound", "busy", None) == {"", "direction=inbound"}
    assert fixed(None, None, None) == {""}


def test_a_pair_combines_a_dimension_of_the_event_with_an_attribute_of_the_fact() -> None:
    plan = Plan([kpi(numerator="stage_entries", dimensions=("rep,stage", "stage,team"))])
    pairs = [grouped for grouped in plan.counting("stage_entry", "a|b").groups if grouped.by >= 0]
    assert [(EVENT_DIMENSIONS[grouped.by], grouped.keys["=x"]) for grouped in pairs] == [
        ("rep", "rep=%3Dx,stage=a%7Cb"),
        ("team", "stage=a%7Cb,team=%3Dx"),
    ]


def test_a_pair_of_dimensions_of_the_event_has_a_part_by_value_of_each() -> None:
    plan = Plan([kpi(numerator="leads_created", dimensions=("rep,source",))])
    (combined,) = [grouped for grouped in plan.counting("lead").groups if grouped.by == COMBINED]
    parts = [part for part in combined.parts if not isinstance(part, str)]
    assert [(EVENT_DIMENSIONS[index], keys["x"]) for index, keys in parts] == [("rep", "rep=x"), ("source", "source=x")]


def test_a_keyed_measure_is_kept_once_for_each_value_and_a_histogram_for_each_size() -> None:
    plan = Plan([kpi(numerator="stage_entries_of + stage_dwell_histogram", dimensions=())])
    entered = {op.measure for grouped in plan.counting("stage_entry", "won").groups for op in grouped.ops}
    assert entered == {"stage_entries", "stage_entries_of#won"}
    (exits,) = plan.counting("stage_exit", "won", "yes").groups
    assert [(op.measure, op.slot, op.by) for op in exits.sized] == [("stage_dwell_histogram", 0, 1)]


def test_what_exists_once_a_window_is_a_level_in_rolling_windows_only() -> None:
    plan = plan_of("active_customers")
    assert {f"buyers@{window}" for window in ROLLING_MS} <= plan.levels
    assert "buyers@today" not in plan.levels


def test_a_quantity_alone_is_joined_by_a_count_since_it_may_be_0() -> None:
    plan = Plan([kpi(numerator="gifts", dimensions=("rep",))], [Measure("gifts", "sale", "amount")])
    assert plan.presence["gifts"] == "gifts_count"
    assert plan.groupings["gifts_count"] == plan.groupings["gifts"] == {"", "rep"}


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(CatalogueError, match="KPI revenue: no measure is called 'wins'"):
        Plan([kpi(numerator="wins")])


def test_a_dimension_that_the_facts_do_not_have_is_named_with_those_they_have() -> None:
    with pytest.raises(CatalogueError, match=r"'lead' facts, which have no 'direction'; allowed: channel, "):
        Plan([kpi(numerator="leads_created", dimensions=("direction",))])


def test_the_whole_catalogue_can_be_counted() -> None:
    plan = Plan()
    used = {name for found in plan.kpis for name in plan.measure_names(found)}
    assert used <= set(plan.measures)
    assert all(plan.groupings[name] for name in used)
