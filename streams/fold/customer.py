"""An account as a customer: its money, how long it stays one, and where it stands among the others.

Levels are entries and exits; an exit lies in the future (the churn horizon after the last purchase) and is moved when
the customer buys again. What a customer weighs is the net revenue to date, so money moves the weight of the stay it
falls into, and of the exit that ends it.
"""

from __future__ import annotations

import msgspec

from streams.dimensions import Dims
from streams.fold.accumulator import Accumulator


class _Step(msgspec.Struct, gc=False):
    """A sale (``deals`` 1), or a return with amounts below 0, in order of event time."""

    at_ms: int
    amount: int
    cost: int
    deals: int


class _Stay(msgspec.Struct, gc=False):
    """An account is a customer in ``[start_ms, end_ms)``; ``revenue`` is what it weighs at the end."""

    start_ms: int
    end_ms: int
    revenue: int


class Customer:
    """One account as a customer, after some of its events in order of event time.

    Args:
        out: Where contributions go.
    """

    __slots__ = ("_deals", "_dims", "_out", "_revenue", "_sold", "_stays", "_steps")

    def __init__(self, out: Accumulator) -> None:
        self._out = out
        self._dims: Dims | None = None
        self._steps: list[_Step] = []
        self._stays: list[_Stay] = []
        # Sums of all steps: an account may make thousands of sales, and each of them asks for these.
        self._revenue = self._sold = self._deals = 0

    def sale(self, at_ms: int, amount: int, cost: int, dims: Dims) -> int:
        """Take a purchase.

        Args:
            at_ms: Its event time.
            amount: Minor units.
            cost: Minor units.
            dims: The customer's dimensions, if this is the first purchase.

        Returns:
            What :meth:`restate` knows it by.
        """
        if self._dims is None:
            for step in self._steps:  # returns that came before any sale: now it is known whose they are
                self._money(self._out.unknown, step.at_ms, -step.amount, -step.cost, -1)
                self._money(dims, step.at_ms, step.amount, step.cost, 1)
            self._dims = dims
        self._add(_Step(at_ms, amount, cost, 1))
        self._stay_on(at_ms)
        return len(self._steps) - 1

    def returned(self, at_ms: int, amount: int, cost: int) -> None:
        """Take a return."""
        self._add(_Step(at_ms, -amount, -cost, 0))

    def restate(self, index: int, amount: int, cost: int) -> None:
        """Bring a sale to other amounts, when it was made."""
        step = self._steps[index]
        more, costlier = amount - step.amount, cost - step.cost
        if not more and not costlier:
            return
        self._stand(index, -1)
        step.amount, step.cost = amount, cost
        self._revenue += more
        self._sold += more
        self._stand(index, 1)
        self._money(self._whose, step.at_ms, more, costlier, 0)
        self._weigh(step.at_ms, more)

    def churned(self, at_ms: int) -> None:
        """Take a told churn; of an account that is no customer it is ignored."""
        if self._stays and at_ms < self._stays[-1].end_ms:
            self._move_end(self._stays[-1], at_ms)

    @property
    def _whose(self) -> Dims:
        """The customer's dimensions; none before the first purchase."""
        return self._dims if self._dims is not None else self._out.unknown

    def _add(self, step: _Step) -> None:
        self._steps.append(step)
        self._revenue += step.amount
        self._sold += step.amount if step.deals else 0
        self._deals += step.deals
        self._stand(len(self._steps) - 1, 1)
        self._money(self._whose, step.at_ms, step.amount, step.cost, 1)
        self._weigh(step.at_ms, step.amount)

    def _money(self, dims: Dims, at_ms: int, amount: int, cost: int, count: int) -> None:
        self._out.fact(self._out.plan.counting("customer_money"), at_ms, dims, (amount, cost), count)

    def _stay_on(self, at_ms: int) -> None:
        """Begin a stay with a purchase, or make the running one longer."""
        end_ms = at_ms + self._out.rules.churn_horizon_ms
        if self._stays and at_ms < self._stays[-1].end_ms:
            self._move_end(self._stays[-1], end_ms)
            return
        stay = _Stay(at_ms, end_ms, self._revenue)
        self._stays.append(stay)
        self._level(at_ms, 1, stay.revenue, 1)
        self._exit(stay, 1)

    def _move_end(self, stay: _Stay, end_ms: int) -> None:
        self._exit(stay, -1)
        stay.end_ms = end_ms
        self._exit(stay, 1)

    def _exit(self, stay: _Stay, sign: int) -> None:
        out, revenue = self._out, stay.revenue * sign
        self._level(stay.end_ms, -sign, -revenue, 0)
        seconds = (stay.end_ms - stay.start_ms) // 1000 * sign
        out.fact(out.plan.counting("customer_exit"), stay.end_ms, self._whose, (seconds, revenue), sign)

    def _level(self, at_ms: int, count: int, revenue: int, entries: int) -> None:
        out = self._out
        out.fact(out.plan.counting("customer"), at_ms, self._whose, (revenue, entries), count)

    def _weigh(self, at_ms: int, amount: int) -> None:
        """Add money to what the customer weighs, from its time or the start of a stay on, until the stay's end."""
        out = self._out
        for stay in reversed(self._stays):
            if stay.end_ms < at_ms:
                break
            stay.revenue += amount
            self._level(max(at_ms, stay.start_ms), 0, amount, 0)
            self._level(stay.end_ms, 0, -amount, 0)
            out.fact(out.plan.counting("customer_exit"), stay.end_ms, self._whose, (0, amount), 0)

    def _stand(self, first: int, sign: int) -> None:
        """Add the standing after every step from one on, in the place of the standing before it."""
        steps = self._steps[first:]
        revenue = self._revenue - sum(step.amount for step in steps)
        sold = self._sold - sum(step.amount for step in steps if step.deals)
        deals = self._deals - sum(step.deals for step in steps)
        for step in steps:
            self._standing(step.at_ms, revenue, sold, deals, -sign)
            revenue += step.amount
            sold += step.amount if step.deals else 0
            deals += step.deals
            self._standing(step.at_ms, revenue, sold, deals, sign)

    def _standing(self, at_ms: int, revenue: int, sold: int, deals: int, sign: int) -> None:
        if deals and revenue > 0:
            out = self._out
            quantities = (revenue * sign, sold * sign, deals * sign, int(sign > 0))
            out.fact(out.plan.counting("standing"), at_ms, self._out.unknown, quantities, sign)
