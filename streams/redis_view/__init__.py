"""The live view in Redis: written by whoever owns the series, read by the wall, the API and the command line.

The only package that imports redis. Core types only, so any Redis from 7.0 on and Valkey will do; one server or a
replicated one, not a cluster: what one owner says is written in one atomic step over many keys.
"""

from streams.redis_view.freshness import Freshness
from streams.redis_view.query import Query, Selection
from streams.redis_view.reader import Answer, RedisReader, Update, Updates, as_stale, entry_order
from streams.redis_view.sink import RedisSink

__all__ = [
    "Answer",
    "Freshness",
    "Query",
    "RedisReader",
    "RedisSink",
    "Selection",
    "Update",
    "Updates",
    "as_stale",
    "entry_order",
]
