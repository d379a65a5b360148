"""What holds for every history: cells add up, order of arrival and duplicates do not matter, buyers are buyers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import OracleSettings, cells, contributions, kpis
from tests.oracle.periods import windows

SETTINGS = OracleSettings(zone="Europe/Berlin")
HOUR_MS = 3_600_000
# Around the end of summer time, so that a day of 25 hours is among them.
START_MS = 1_729_900_000_000

event_types = st.sampled_from(
    ["lead.created", "lead.qualified", "deal.created", "deal.won", "deal.lost", "deal.amended", "deal.returned"]
)


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    body = st.fixed_dictionaries(
        {
            "event_type": event_types,
            "occurred_at": st.integers(0, 200).map(lambda n: START_MS + n * HOUR_MS // 4 + n % 3),
            "account_id": st.sampled_from(["a", "b"]),
            "deal_id": st.sampled_from(["1", "2"]),
        },
        optional={"amount": st.integers(0, 1000), "rep_id": st.sampled_from(["r", "s"]), "source": st.just("ads")},
    )
    bodies = draw(st.lists(body, max_size=25))
    return [{"event_id": str(place), **found} for place, found in enumerate(bodies)]


@given(histories(), st.randoms(use_true_random=False))
def test_leads_and_deals_do_not_depend_on_the_order_of_arrival_nor_on_duplicates(
    history: list[dict[str, Any]], random: Any
) -> None:
    shuffled = history * 2
    random.shuffle(shuffled)
    assert sorted(contributions(shuffled, SETTINGS)) == sorted(contributions(history, SETTINGS))


@given(histories())
def test_the_slices_of_every_resolution_add_up_to_all(history: list[dict[str, Any]]) -> None:
    sums: dict[tuple[str, str, str], int] = {}
    for (dims, resolution, _), cell in cells(contributions(history, SETTINGS), SETTINGS).items():
        for measure, total in cell.items():
            sums[measure, dims, resolution] = sums.get((measure, dims, resolution), 0) + total
    for (measure, dims, _), total in sums.items():
        assert sums.get((measure, dims, "all"), 0) == total


@given(histories(), st.integers(0, 400))
def test_active_and_repeated_customers_are_those_counted_one_by_one(history: list[dict[str, Any]], late: int) -> None:
    now_ms = START_MS + late * HOUR_MS // 4 + 1
    found = kpis(history, SETTINGS, now_ms)
    wins = [c for c in contributions(history, SETTINGS) if c.measure == "deals_won" and c.dims == "rep=r"]
    by_account = {
        account: [
            c.at_ms
            for c in contributions([e for e in history if e["account_id"] == account], SETTINGS)
            if c.measure == "deals_won" and c.dims == "rep=r"
        ]
        for account in ("a", "b")
    }
    for window in windows(now_ms, SETTINGS).values():
        if not any(win.at_ms < now_ms for win in wins):
            continue
        inside = [
            sum(window.start_ms <= at_ms < min(window.end_ms, now_ms) for at_ms in times)
            for times in by_account.values()
        ]
        assert found[f"active_customers|{window.name}|rep=r"]["value"] == sum(n >= 1 for n in inside)
        repeated = sum(n >= 2 for n in inside)
        assert found[f"deals_won|{window.name}|rep=r"]["value"] == sum(inside)
        assert (found[f"repeat_customer_share|{window.name}|"]["numerator"] or 0) >= repeated
