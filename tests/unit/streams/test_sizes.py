from __future__ import annotations

import pytest

from streams.sizes import class_value, size_class


def test_small_values_have_a_size_class_each() -> None:
    assert [class_value(size_class(value)) for value in range(100)] == list(range(100))


@pytest.mark.parametrize("value", [101, 999, 86_400, 31_536_000, 10**9 - 1, 4 * 10**9, 2**53, 10**18])
def test_a_size_class_stands_for_its_values_within_one_percent(value: int) -> None:
    assert class_value(size_class(value)) == pytest.approx(value, rel=0.01)


def test_size_classes_keep_the_numbers_under_which_they_are_stored() -> None:
    values = (0, 100, 86_400, 250_000, 31_536_000, 10**9, 3_178_000_000)
    assert [size_class(value) for value in values] == [0, 100, 779, 886, 1372, 1719, 1835]
