"""How property tests run: without a clock, the same every time where CI is set; a failure says how to repeat it."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def examples(number: int) -> settings:
    """Return the settings of a property that takes so many examples."""
    return settings(
        max_examples=number,
        deadline=None,  # the machine is shared; how long an example takes is no property
        derandomize=bool(os.environ.get("CI")),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # histories are large on purpose
    )
