"""Series keys are stable and can be read back, whatever a dimension's value is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kpi import KpiValue, dims_key, escape, parse_dims, series_key, unescape
from tests.properties.profile import examples

VALUE = KpiValue(
    kpi="revenue",
    window="7d",
    dimensions={},
    value=None,
    unit="money",
    currency="USD",
    numerator=0,
    denominator=None,
    window_start=None,
    window_end="2024-03-13T10:00:00Z",
    previous=None,
    difference=None,
    change=None,
    watermark=None,
    revision=0,
    quality="live",
    emitted_at="2024-03-13T10:00:00Z",
)


def test_a_key_names_kpi_window_and_dimensions_in_alphabetical_order() -> None:
    assert series_key("revenue", "7d", {"stage": "won", "rep": "r-7"}) == "revenue|7d|rep=r-7,stage=won"
    assert series_key("revenue", "7d", {}) == "revenue|7d|"


@pytest.mark.parametrize(
    ("value", "escaped"), [("a|b", "a%7Cb"), ("a=b,c", "a%3Db%2Cc"), ("100 %", "100 %25"), ("ü", "ü")]
)
def test_characters_that_mean_something_in_a_key_are_escaped(value: str, escaped: str) -> None:
    assert escape(value) == escaped
    assert unescape(escaped) == value


@examples(100)
@given(st.dictionaries(st.sampled_from(["rep", "stage", "source"]), st.text(alphabet="%|=,25C7D3a ü", max_size=8)))
def test_dimensions_can_be_read_back_from_a_key(dimensions: dict[str, str]) -> None:
    key = dims_key(dimensions)
    assert parse_dims(key) == dimensions
    assert "|" not in key


def test_an_unknown_value_is_null_and_not_left_out() -> None:
    found = msgspec.json.decode(msgspec.json.encode(VALUE))
    assert found["value"] is None
    assert found["currency"] == "USD"


def test_rank_and_label_are_there_only_where_they_mean_something() -> None:
    assert not {"rank", "label"} & VALUE.to_dict().keys()
    ranked = msgspec.structs.replace(VALUE, rank=2)
    assert ranked.to_dict()["rank"] == 2
