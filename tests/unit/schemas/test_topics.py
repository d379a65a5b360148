"""What brokers may forget of each topic."""

from __future__ import annotations

from schemas.topics import Topics, all_topics

SPECS = {spec.name: spec.config for spec in all_topics(Topics(), "salespulse", 8, 8)}


def test_topics_that_are_read_back_by_key_keep_the_last_record_of_every_key() -> None:
    topics = Topics()
    for name in (topics.latest, topics.alerts, topics.moments):
        assert SPECS[name]["cleanup.policy"] == "compact"
        assert "retention.ms" not in SPECS[name]
