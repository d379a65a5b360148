"""What fault tests share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.brokers import Broker, RedisServer
from tests.e2e.history import History, settings_of_history
from tests.e2e.product import Installation, installed
from tests.faults.record import Figures
from tests.faults.scene import Scene, Truths

_KPIS = (
    "revenue deals_won win_rate new_customers active_customers repeat_customer_share churn_rate lead_conversion "
    "cohort_conversion sales_cycle_p90 stuck_leads new_vs_returning_revenue calls open_pipeline "
    "gross_margin source_conversion email_open_rate returns satisfaction"
)
"""Of every sort some, most of them dependent on what accounts did before: plain counts miss errors that these show."""

SETTINGS: dict[str, Any] = {
    **{name: table for name, table in settings_of_history().items() if name != "wall"},
    "catalogue": {"include": _KPIS.split()},
    "kafka": {"partitions": 2, "source_partitions": 2, "session_timeout": "4s"},
    "pipeline": {"checkpoint_interval": "500ms"},
    "intake": {"frame_events": 200, "commit_interval": "300ms"},
}


@pytest.fixture(scope="session")
def truths() -> Iterator[Truths]:
    """What the oracle says of histories, once each, computed in another process."""
    with Truths() as found:
        yield found


@pytest.fixture
def history(seed: int) -> History:
    """A small history with everything that makes one hard."""
    return History(seed=seed, count=2_000, days=25, hard=True)


@pytest.fixture
def chance(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Chance of one test."""
    print(f"seed {seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def product(kafka: Broker, valkey: RedisServer, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path / "product", kafka.bootstrap_servers, valkey.url, topic_prefix, SETTINGS) as found:
        yield found


@pytest.fixture
def scene(product: Installation, history: History, truths: Truths, figures: Figures) -> Scene:
    """The product under load, with the servers of the whole run."""
    return Scene(product, history, truths, figures)
