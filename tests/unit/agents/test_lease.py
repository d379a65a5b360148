"""A worker that stood still does not tell values until the group had time to say who owns them."""

from __future__ import annotations

import asyncio
import time

import pytest

from agents.lease import Lease


class Clock:
    """Moved by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_worker_that_runs_may_tell_values() -> None:
    clock = Clock()
    lease = Lease(10.0, clock)
    for _ in range(50):
        clock.now_s += 4.9
        assert lease.holds


@pytest.mark.parametrize("noticed_by", ["who tells values", "the beat"])
def test_after_a_standstill_it_waits_for_a_session(noticed_by: str) -> None:
    clock = Clock()
    lease = Lease(10.0, clock)
    clock.now_s += 5.0
    if noticed_by == "the beat":
        asyncio.run(lease.beat())
    assert not lease.holds
    for _ in range(99):
        clock.now_s += 0.1
        assert not lease.holds
    clock.now_s += 0.2
    assert lease.holds


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux tells how long a machine slept")
def test_a_machine_that_slept_has_lost_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_BOOTTIME: 5.0, time.CLOCK_MONOTONIC: 5.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    lease = Lease(10.0)
    assert lease.holds
    clocks[time.CLOCK_BOOTTIME] += 3_600.0
    assert not lease.holds
