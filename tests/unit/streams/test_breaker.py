"""When the share of dead letters stops intake."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from streams.intake.breaker import Breaker


@given(
    st.lists(st.one_of(st.integers(0, 30), st.none()), max_size=80),
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_it_looks_at_the_last_messages_and_no_others(
    steps: list[int | None], window: int, minimum: int, ratio: float
) -> None:
    breaker = Breaker(window, minimum, ratio)
    last: deque[bool] = deque(maxlen=window)
    for step in steps:
        if step is None:
            breaker.bad()
            last.append(True)
        else:
            breaker.good(step)
            last.extend([False] * step)
        assert (breaker.total, breaker.dead) == (len(last), sum(last))
        assert breaker.tripped == (sum(last) >= minimum and sum(last) > ratio * len(last))


def test_by_default_half_of_a_thousand_is_not_yet_too_much() -> None:
    breaker = Breaker(1_000, 100, 0.5)
    for _ in range(99):
        breaker.bad()
    assert not breaker.tripped
    breaker.bad()
    assert breaker.tripped
    breaker.good(100)
    assert not breaker.tripped
