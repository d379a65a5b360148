"""Both sorts of broker serve clients, end with their parent, and say clearly what keeps them from starting."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from agents.brokers import Broker, ChildProcess, MissingProgramError, RedisServer, ServerError, free_port, start_broker
from agents.brokers.ports import port_is_free
from tests.servers import StartPrometheus

ROOT = Path(__file__).parents[2]


async def create_topic(broker: Broker, topic: str, partitions: int = 2) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, partitions, 1)])
        assert [error[1] for error in answer.topic_errors] == [0]
    finally:
        await admin.close()


async def produce(broker: Broker, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, enable_idempotence=broker.idempotent, acks="all"
    )
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(broker: Broker, topic: str, count: int) -> list[tuple[int, bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(20):
            return [(record.offset, record.value) for record in [await consumer.getone() for _ in range(count)]]
    finally:
        await consumer.stop()


def is_running(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped by an init that does not care."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 10.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.02)


@pytest.fixture(params=["tansu", "kafka"])
def any_broker(request: pytest.FixtureRequest) -> Broker:
    """Each sort of broker, running."""
    broker: Broker = request.getfixturevalue(request.param)
    return broker


@pytest.mark.asyncio
async def test_what_is_produced_is_consumed(any_broker: Broker, topic_prefix: str) -> None:
    topic = topic_prefix + "round-trip"
    await create_topic(any_broker, topic)
    await produce(any_broker, topic, [b"one", b"two"])
    assert await read(any_broker, topic, 2) == [(0, b"one"), (1, b"two")]


@pytest.mark.asyncio
async def test_a_paused_broker_answers_nobody_and_goes_on_when_resumed(tansu: Broker) -> None:
    await create_topic(tansu, "paused")
    tansu.pause()
    sending = asyncio.create_task(produce(tansu, "paused", [b"held up"]))
    done, _ = await asyncio.wait([sending], timeout=1.0)
    assert not done
    tansu.resume()
    await asyncio.wait_for(sending, 20)
    assert await read(tansu, "paused", 1) == [(0, b"held up")]


@pytest.mark.asyncio
async def test_a_paused_broker_can_be_stopped(tansu: Broker) -> None:
    tansu.pause()
    await tansu.stop()
    assert not is_running(tansu.pid)


@pytest.mark.asyncio
async def test_kafka_keeps_its_port_and_data_over_a_kill(own_kafka: Broker) -> None:
    await create_topic(own_kafka, "kept")
    await produce(own_kafka, "kept", [b"before"])
    servers, first_pid = own_kafka.bootstrap_servers, own_kafka.pid
    own_kafka.kill()
    assert not is_running(first_pid)
    await own_kafka.start()
    assert own_kafka.bootstrap_servers == servers
    await produce(own_kafka, "kept", [b"after"])
    assert await read(own_kafka, "kept", 2) == [(0, b"before"), (1, b"after")]


@pytest.mark.asyncio
async def test_kafka_continues_with_the_data_of_its_directory_on_another_port(
    own_kafka: Broker, tmp_path: Path
) -> None:
    await create_topic(own_kafka, "kept")
    await produce(own_kafka, "kept", [b"stays"])
    await own_kafka.stop()
    next_day = await start_broker("kafka", tmp_path / "kafka")
    try:
        assert next_day.bootstrap_servers != own_kafka.bootstrap_servers
        assert await read(next_day, "kept", 1) == [(0, b"stays")]
    finally:
        await next_day.stop()


@pytest.mark.asyncio
async def test_tansu_comes_back_empty_on_its_port(tansu: Broker) -> None:
    await create_topic(tansu, "gone")
    servers = tansu.bootstrap_servers
    tansu.kill()
    await tansu.start()
    assert tansu.bootstrap_servers == servers
    await create_topic(tansu, "gone")  # would be refused, were it still there


@pytest.mark.asyncio
async def test_redis_answers_and_is_empty_after_a_restart(own_valkey: RedisServer) -> None:
    for _ in range(2):
        async with Redis.from_url(own_valkey.url) as client:
            assert await client.get("key") is None
            await client.set("key", "value")
            assert await client.get("key") == b"value"
        own_valkey.kill()
        await own_valkey.start()


# What a user's process does: start a server, say which, and be killed without a chance to clean up.
STARTER = """
import asyncio, pathlib, signal, sys
from agents.brokers import RedisServer, start_broker

async def run(kind, data_dir):
    if kind == "redis":
        server = RedisServer(data_dir)
        await server.start()
    else:
        server = await start_broker(kind, data_dir)
    print(server.pid, flush=True)
    if sys.argv[3] == "wait":
        signal.pause()

asyncio.run(run(sys.argv[1], pathlib.Path(sys.argv[2])))
"""


def start_in_another_process(kind: str, data_dir: Path, then: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", STARTER, kind, str(data_dir), then]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children of a process that was killed")
@pytest.mark.parametrize("kind", ["tansu", "kafka", "redis"])
def test_a_server_ends_with_a_parent_that_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "kafka":
        request.getfixturevalue("kafka")  # skips, or fails under CI, where Java is missing
    with start_in_another_process(kind, tmp_path, then="wait") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        wait_until(lambda: not is_running(pid), f"{kind} (pid {pid}) gone after its parent")


def test_a_server_ends_with_a_parent_that_just_returns(tmp_path: Path) -> None:
    with start_in_another_process("redis", tmp_path, then="return") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.wait(20) == 0
    wait_until(lambda: not is_running(pid), f"redis (pid {pid}) gone after its parent")


def test_a_server_is_not_tied_to_a_thread_that_may_end(tmp_path: Path) -> None:
    raised: list[ServerError] = []

    def start() -> None:
        try:
            asyncio.run(RedisServer(tmp_path).start())
        except ServerError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["tansu", "kafka"])
async def test_a_port_in_use_is_named(kind: str, tmp_path: Path, valkey: RedisServer, kafka: Broker) -> None:
    del kafka  # for its check that Java is here
    with pytest.raises(ServerError, match=f"port 127.0.0.1:{valkey.port} is in use"):
        await start_broker(kind, tmp_path, port=valkey.port)


@pytest.mark.asyncio
async def test_missing_java_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=r"needs Java 17 .* no java on PATH.*apt-get install openjdk"):
        await start_broker("kafka", tmp_path)


@pytest.mark.asyncio
async def test_missing_maven_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("SALESPULSE_KAFKA_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=r"no mvn on PATH.*apt-get install maven"):
        await start_broker("kafka", tmp_path)


@pytest.mark.asyncio
async def test_a_wrong_jar_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka: Broker) -> None:
    del kafka  # for its check that Java is here
    monkeypatch.setenv("SALESPULSE_KAFKA_JARS", str(tmp_path))
    with pytest.raises(ServerError, match=r"SALESPULSE_KAFKA_JARS=.* holds no kafka_2.13"):
        await start_broker("kafka", tmp_path)


@pytest.mark.asyncio
async def test_an_unknown_broker_is_refused_with_the_ones_there_are(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="unknown broker 'rabbit'; allowed: tansu, kafka"):
        await start_broker("rabbit", tmp_path)


@pytest.mark.asyncio
async def test_a_server_that_fails_says_its_last_words(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; print('no room left'); sys.exit(3)"]
    server = ChildProcess("Shop", argv, tmp_path / "shop.log")
    (tmp_path / "shop.log").write_text("of the run before\n")
    with pytest.raises(ServerError, match=r"Shop ended with code 3 while starting") as raised:
        await server.start(lambda: False, deadline_s=20)
    assert "| no room left" in str(raised.value)
    assert "of the run before" not in str(raised.value)


@pytest.mark.asyncio
async def test_a_server_that_is_not_ready_in_time_is_killed(tmp_path: Path) -> None:
    server = ChildProcess("Shop", [sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "shop.log")
    with pytest.raises(ServerError, match=r"Shop was not ready within 0.2 s. It wrote nothing"):
        await server.start(lambda: False, deadline_s=0.2)
    assert not is_running(server.pid)


@pytest.mark.asyncio
async def test_a_start_that_is_cancelled_leaves_no_server(tmp_path: Path) -> None:
    server = ChildProcess("Shop", [sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "shop.log")
    starting = asyncio.create_task(server.start(lambda: False, deadline_s=60))
    await asyncio.sleep(0)  # lets it spawn
    assert is_running(server.pid)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not is_running(server.pid)


@pytest.mark.asyncio
async def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    server = ChildProcess("Shop", [sys.executable, "-c", deaf], tmp_path / "shop.log")
    await server.start(lambda: server.last_log_lines() == ["deaf"], deadline_s=20)
    await server.stop(deadline_s=0.2)
    assert not is_running(server.pid)


def test_free_ports_are_free_and_outside_the_range_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(50)]
    assert all(port_is_free(port) and port < 32_000 for port in ports)


def test_prometheus_starts_with_a_configuration_and_its_rules(prometheus_server: StartPrometheus) -> None:
    rules = "groups: [{name: demo, rules: [{record: answer, expr: 'vector(42)'}]}]"
    server = prometheus_server("rule_files: [rules.yml]", files={"rules.yml": rules})
    with urllib.request.urlopen(f"{server.url}/api/v1/rules", timeout=5) as response:
        groups = json.load(response)["data"]["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"]] == ["answer"]


def test_chromium_runs(chromium: str) -> None:
    answer = subprocess.run([chromium, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert "Chrom" in answer.stdout
