"""What rules are drawn with: events, and how much of everything."""

from __future__ import annotations

from hypothesis import strategies as st

from agents.kafka import TopicPartition
from tests.model.setting import PARTITIONS, SOURCES

AGAIN, BAD = "sent again", "no event"
_KINDS = ("deal.won", "deal.won", "deal.returned", "call.completed", "email.sent", "email.opened", AGAIN, BAD)
happenings = st.tuples(
    st.sampled_from(SOURCES),
    st.sampled_from(_KINDS),
    st.sampled_from("afi"),  # accounts: one of one log partition, two of the other
    st.integers(0, 100),  # minutes
    st.sampled_from((None, "r")),
)
Happening = tuple[TopicPartition, str, str, int, str | None]
incoming = st.lists(happenings, max_size=3)
"""Events that come in each in a frame of its own."""
partitions = st.integers(0, PARTITIONS - 1)
few = st.integers(0, 4)
many = st.sampled_from((0, 1, 2, 3, 60, 60))
of_both = st.tuples(many, many)
"""Frames of either log partition."""
of_all_sources = st.tuples(many, many, many)
steps = st.integers(0, 7)
"""A checkpoint takes that many, from its emission to the rollup's marker."""
meanwhile = st.integers(0, 2)
"""Messages of either topic that come whenever a checkpoint lets others."""
turns = st.integers(0, 2)
"""Of the records of one send: which comes first."""
jumps = st.sampled_from((-3, -2, -2, -1, 1, 2))
first_ones = st.sampled_from((0, 1, 1, 2))
"""Frames or messages that are read after a jump, or by whoever takes over."""
who = st.sampled_from((0, 0, 0, 0, 1, 2))
"""0: whoever began last; else one who was paused, unaware of the others."""
