"""What a recovery says of how far it is."""

from __future__ import annotations

import logging

import pytest

from agents.kafka import TopicPartition
from agents.progress import RecoveryProgress

CELLS, ACCOUNTS = TopicPartition("cells", 0), TopicPartition("accounts", 0)


def test_it_says_the_share_of_what_is_read_and_nothing_when_it_is_over() -> None:
    progress = RecoveryProgress()
    assert str(progress) == ""
    progress.begin({CELLS: 1_000, ACCOUNTS: 3_000})
    assert str(progress) == "recovering: 0 % of the changelogs read (0 of 4,000 offsets)"
    progress.reached(ACCOUNTS, 2_000)
    progress.reached(CELLS, 1_000)
    assert str(progress) == "recovering: 75 % of the changelogs read (3,000 of 4,000 offsets)"
    progress.end()
    assert str(progress) == ""


def test_empty_changelogs_are_read_at_once() -> None:
    progress = RecoveryProgress()
    progress.begin({CELLS: 0})
    assert "100 %" in str(progress)


def test_the_log_hears_of_it_every_few_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    now_s = 0.0
    monkeypatch.setattr("agents.progress.time.monotonic", lambda: now_s)
    progress = RecoveryProgress()
    progress.begin({CELLS: 100})
    for count in range(1, 6):
        now_s += 1.0
        progress.reached(CELLS, count)
    assert [record.getMessage().split()[1] for record in caplog.records] == ["2", "4"]
