"""What of a sale's money falls to which product."""

from __future__ import annotations

from streams.fold.items import amended_products, amount_of_items, cost_of_items, each, first, names, splits
from tests.unit.streams.rows import row


def test_the_first_that_is_known_is_taken_even_when_it_is_0() -> None:
    assert first(None, 0, 5) == 0
    assert first(None, None) == 0


def test_items_that_tell_no_amount_make_no_sum() -> None:
    won = row("deal.won", 0, items=[{"product": "p"}, {"product": "q", "amount": 0, "cost": 3}])
    assert (amount_of_items(won), cost_of_items(won)) == (0, 3)
    assert amount_of_items(row("deal.won", 0, items=[{"product": "p"}])) is None
    assert amount_of_items(row("deal.won", 0)) is None


def test_items_of_one_product_are_put_together() -> None:
    items = [{"product": "p", "quantity": 2, "amount": 5}, {"amount": 1}, {"product": "p", "amount": 4, "cost": 1}]
    won = row("deal.won", 0, items=items)
    assert splits(won, units=True) == (("p", 1, (9, 1, 3)), (None, 1, (1, 0, 1)))
    assert splits(won, units=False) == (("p", 1, (9, 1)), (None, 1, (1, 0)))
    assert splits(row("deal.won", 0), units=True) is None


def test_a_single_product_follows_an_amendment_and_several_stay_as_they_were() -> None:
    amended = row("deal.amended", 0, amount=7)
    one, two = (("p", 1, (5, 0, 2)),), (("p", 1, (5, 0, 2)), ("q", 1, (1, 0, 1)))
    assert amended_products(amended, one, 7, 3) == (("p", 1, (7, 3, 2)),)
    assert amended_products(amended, two, 7, 3) == two
    assert amended_products(amended, None, 7, 3) is None
    assert amended_products(row("deal.amended", 0, items=[{"product": "q"}]), one, 7, 3) == (("q", 1, (0, 0, 1)),)


def test_names_do_not_depend_on_the_order_of_items() -> None:
    assert names((("q", 1, ()), (None, 1, ()), ("p", 1, ()))) == names((("p", 1, ()), ("q", 1, ()), (None, 1, ())))
    assert names(None) == []


def test_a_duration_falls_to_each_product_alike() -> None:
    assert each((("p", 1, (5, 0, 2)), ("q", 1, (1, 0, 1))), 60) == (("p", 1, (60,)), ("q", 1, (60,)))
    assert each(None, 60) is None
