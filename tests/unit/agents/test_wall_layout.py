"""How the tiles of a page are laid out: all of them, none over another, nothing left empty."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.wall.layout import Place, arrange
from schemas.playlist import PLACES, PLACES_OF_SIZE
from tests.properties.profile import examples


@pytest.mark.parametrize(
    ("sizes", "drawn"),
    [
        ([1], "a"),
        ([3], "a"),
        ([1, 1], "ab"),
        ([1, 1, 1], "abc"),
        ([2, 1], "aab"),
        ([2, 2], "aa/bb"),
        ([1, 1, 1, 1], "ab/cd"),
        ([3, 1], "aab/aab"),
        ([1, 1, 1, 1, 1], "abc/dee"),
        ([3, 3], "aabb/aabb"),
        ([1, 1, 1, 1, 1, 2, 1], "abcd/effg"),
        ([3, 1, 1, 1, 1], "aabc/aade"),
        ([1] * 7, "abcd/efgg"),
        ([1] * 8, "abcd/efgh"),
    ],
)
def test_layouts(sizes: Sequence[int], drawn: str) -> None:
    assert draw(sizes) == drawn


def draw(sizes: Sequence[int]) -> str:
    layout = arrange(sizes)
    letter = {cell: chr(97 + index) for index, place in enumerate(layout.places) for cell in place.cells()}
    columns, rows = range(1, layout.columns + 1), range(1, layout.rows + 1)
    return "/".join("".join(letter.get((column, row), ".") for column in columns) for row in rows)


@given(
    st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=8).filter(
        lambda sizes: sum(PLACES_OF_SIZE[size] for size in sizes) <= PLACES
    )
)
@examples(300)
def test_whatever_takes_eight_places_or_fewer_fits(sizes: list[int]) -> None:
    layout = arrange(sizes)
    cells = [cell for place in layout.places for cell in place.cells()]
    assert len(layout.places) == len(sizes)
    assert len(cells) == len(set(cells)), "no tile lies over another"
    assert set(cells) <= Place(1, 1, layout.columns, layout.rows).cells()
    assert (layout.columns, layout.rows) <= (4, 2)
    areas = [place.width * place.height for place in layout.places]
    if len(sizes) > 1:
        assert all(area >= PLACES_OF_SIZE[size] for area, size in zip(areas, sizes, strict=True))
