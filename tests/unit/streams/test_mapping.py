import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import CatalogueError
from streams.mapping.csv_file import DataFileError
from streams.mapping.find import builtin_mappings, fitting_mapping, load_mapping, parse_mapping
from streams.mapping.rows import MappedFile, map_csv
from streams.mapping.values import read_amount

DEALS = """
[dates]
formats = ["%d.%m.%Y", "iso"]
zone = "Europe/Berlin"
time = "09:30"

[lookups.owner]
file = "owners.csv"
column = "owner"
key = "name"

[fields]
deal_id = "id"
account_id = { columns = ["customer", "id"] }
region = { lookup = "owner", column = "area", case = "lower", replace = { "n" = "north" } }
channel = { value = "fair" }

[[events]]
event_type = "deal.won"
when = { state = ["won", "closed"], closed = "*" }
occurred_at = "closed"
fields = { amount = { column = "price", type = "amount", required = true } }

[[skips]]
when = { state = "open" }
reason = "still open"
"""
HEADER = "id,customer,owner,state,closed,price"


def mapped(tmp_path: Path, *rows: str, text: str = DEALS, header: str = HEADER) -> MappedFile:
    tmp_path.joinpath("owners.csv").write_text("name,area\nann,N\nbob, South  West \n")
    data = tmp_path / "deals.csv"
    data.write_text("\n".join((header, *rows)) + "\n")
    return map_csv(parse_mapping(text, "deals.toml"), data)


def test_a_row_becomes_an_event_with_fields_from_columns_lookups_and_constants(tmp_path: Path) -> None:
    (event,) = mapped(tmp_path, "7,  ACME   Ltd ,bob,won,31.03.2025,1234.5").events
    assert event.event | {"event_id": ""} == {
        "event_id": "",
        "event_type": "deal.won",
        "occurred_at": "2025-03-31T07:30:00.000Z",  # 09:30 in Berlin, summer time
        "deal_id": "7",
        "account_id": "ACME Ltd",
        "region": "south west",
        "channel": "fair",
        "amount": 123450,
    }


def test_the_first_column_that_is_not_empty_counts_and_values_are_replaced(tmp_path: Path) -> None:
    (event,) = mapped(tmp_path, "7,,ann,closed,2025-01-15T23:00:00+01:00,1").events
    assert (event.event["account_id"], event.event["region"]) == ("7", "north")
    assert event.event["occurred_at"] == "2025-01-15T22:00:00.000Z"


def test_events_come_in_order_of_event_time(tmp_path: Path) -> None:
    events = mapped(tmp_path, "1,a,ann,won,03.01.2025,1", "2,a,ann,won,01.01.2025,1", "3,a,ann,won,02.01.2025,1").events
    assert [event.event["deal_id"] for event in events] == ["2", "3", "1"]


def test_rows_without_an_event_are_counted_by_reason(tmp_path: Path) -> None:
    found = mapped(tmp_path, "1,a,ann,open,,", "2,a,ann,won,,5", "3,a,ann,lost,01.01.2025,")
    assert found.rows == 3
    assert found.skipped == {
        "still open": 1,
        "no event's condition holds: deal.won needs closed not empty": 1,
        "no event's condition holds: deal.won needs state = won or closed": 1,
    }


def test_event_ids_without_a_template_are_the_same_in_every_run_and_differ_for_equal_rows(tmp_path: Path) -> None:
    rows = ("1,a,ann,won,03.01.2025,1", "1,a,ann,won,03.01.2025,1", "2,a,ann,won,03.01.2025,1")
    ids = [event.event_id for event in mapped(tmp_path, *rows).events]
    assert len(set(ids)) == 3
    assert ids == [event.event_id for event in mapped(tmp_path, *rows).events]
    # A row put before them, and they keep their ids.
    assert set(ids) < {event.event_id for event in mapped(tmp_path, "9,a,ann,won,03.01.2025,1", *rows).events}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7,a,ann,won,2025/31/03,1", "line 2, column closed: found '2025/31/03'; allowed: a date like 31.03.2017"),
        ("7,a,ann,won,31.03.2025,x", "line 2, column price: found 'x'; allowed: a number with '.'"),
        (
            "7,a,ann,won,31.03.2025,1.005",
            "column price: found '1.005'; allowed: an amount without parts of a minor unit",
        ),
        ("7,a,ann,won,31.03.2025,NaN", "column price: found 'NaN'; allowed: a number"),
        ("7,a,ann,won,31.03.2025,", "column price: found nothing; allowed: a value, since amount needs one"),
        ("7,a,eve,won,31.03.2025,1", "column owner: found 'eve'; allowed: a value of column name in owners.csv"),
        ("7,a,ann,won,31.03.2025", "line 2: found 5 cells; allowed: 6, as in the header"),
        ('7,"a,ann,won,31.03.2025,1', "not CSV"),
        ("7,a,ann,won,31.03.2025,-1", "line 2: deal.won would be refused: Expected `int` >= 0 - at `$.amount`"),
        (",a,ann,won,31.03.2025,1", "line 2: deal.won would be refused: Object missing required field `deal_id`"),
    ],
)
def test_a_wrong_cell_is_named_with_file_line_column_found_and_allowed(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataFileError) as caught:
        mapped(tmp_path, row)
    assert message in str(caught.value)
    assert str(tmp_path / "deals.csv") in str(caught.value)


def test_lines_are_counted_over_cells_with_line_breaks(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="line 4, column price"):
        mapped(tmp_path, '1,"a\nb",ann,won,31.03.2025,1', "2,a,ann,won,31.03.2025,x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"deal.won"', '"deal.one"', "events[0].event_type: found 'deal.one'; allowed: lead.created"),
        ('zone = "Europe/Berlin"', 'zone = "Berlin"', "dates.zone: found 'Berlin'; allowed: an IANA zone"),
        ('time = "09:30"', 'time = "9"', "dates.time: found '9'; allowed: a time of day"),
        ('{ value = "fair" }', '{ value = "fair", column = "id" }', "channel: found column, value; allowed is one of"),
        ('lookup = "owner"', 'lookup = "boss"', "region.lookup: found 'boss'; allowed: a lookup (owner)"),
        ('type = "amount"', 'type = "money"', "invalid enum value 'money'"),
        ('deal_id = "id"', 'deal = "id"', "events[0]: deal.won has no field 'deal'; allowed: event_id, occurred_at"),
        ("[[skips]]", "[[ships]]", "unknown field `ships`"),
        ("[dates]", "[dates", "not valid TOML"),
    ],
)
def test_a_wrong_declaration_is_named_with_key_found_and_allowed(old: str, new: str, message: str) -> None:
    assert old in DEALS
    with pytest.raises(CatalogueError) as caught:
        parse_mapping(DEALS.replace(old, new), "deals.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("deals.toml: ")


def test_a_column_that_the_file_does_not_have_is_named_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"events\[0\] \(deal.won\).deal_id: column 'id' is not in .*deals.csv"):
        mapped(tmp_path, header=HEADER.replace("id,", "number,"))


def test_a_lookup_column_that_its_file_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"lookups.owner: column 'zone' is not in .*owners.csv"):
        mapped(tmp_path, text=DEALS.replace('column = "area"', 'column = "zone"'))


def test_a_mapping_that_does_not_exist_is_answered_with_the_built_in_ones() -> None:
    with pytest.raises(CatalogueError, match=r"nonsense: no such mapping file; built in: .*crm_opportunities"):
        load_mapping("nonsense")


@given(st.integers(min_value=-(10**15), max_value=10**15), st.sampled_from([1, 10, 100, 1000]))
def test_amounts_come_back_from_any_way_of_writing_them(minor: int, scale: int) -> None:
    digits = len(str(scale)) - 1
    whole, rest = divmod(abs(minor), scale)
    text = f"{'-' if minor < 0 else ''}{whole:,}" + (f".{rest:0{digits}}" if digits else "")
    german = text.translate(str.maketrans(",.", ".,"))
    assert read_amount(text, scale, ".", ",") == minor
    assert read_amount(german, scale, ",", ".") == minor


def test_the_crm_mapping_gives_the_deals_of_the_crm_export(crm: Path) -> None:
    assert "crm_opportunities" in builtin_mappings()
    found = map_csv(load_mapping("crm_opportunities"), crm / "sales_pipeline.csv")
    with (crm / "sales_teams.csv").open(newline="") as file:
        teams = {row["sales_agent"]: row for row in csv.DictReader(file)}

    assert found.rows == 8800
    assert found.skipped == {"prospect that nobody has engaged yet": 500}
    events = [event.event for event in found.events]
    assert Counter(event["event_type"] for event in events) == {
        "deal.created": 8300,
        "deal.won": 4238,
        "deal.lost": 2473,
    }
    assert sum(event.get("amount", 0) for event in events) == 10_005_534_00
    assert len({event["event_id"] for event in events}) == len(events)
    for event in events:
        team = teams[event["rep_id"]]
        assert (event["team_id"], event["region"]) == (team["manager"], team["regional_office"])
    assert {event["product"] for event in events} >= {"GTXPro", "GTX Plus Basic"}
    assert [event["occurred_at"] for event in events] == sorted(event["occurred_at"] for event in events)


def test_a_table_with_the_columns_of_a_built_in_mapping_needs_no_name(tmp_path: Path) -> None:
    columns = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value"
    fitting = tmp_path / "pipeline.csv"
    fitting.write_text(f"{columns},remarks\n")
    found = fitting_mapping(fitting)
    assert found is not None
    assert found.name == "crm_opportunities"


def test_a_table_with_other_columns_fits_no_built_in_mapping(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("opportunity_id,close_value\n")
    assert fitting_mapping(other) is None
