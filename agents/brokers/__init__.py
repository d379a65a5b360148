"""Servers for a laptop or a test: two sorts of Kafka broker, and Redis, each a child process that ends with its parent.

    from agents.brokers import RedisServer, start_broker

    broker = await start_broker("kafka", Path("data"))
    print(broker.bootstrap_servers)
    await broker.stop()
"""

from agents.brokers.base import Broker, BrokerKind, start_broker
from agents.brokers.process import ChildProcess, ServerError, free_port
from agents.brokers.redis import RedisServer

__all__ = ["Broker", "BrokerKind", "ChildProcess", "RedisServer", "ServerError", "free_port", "start_broker"]
