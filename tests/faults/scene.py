"""The product under load: its workers, a history on its way, and how far it has got."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agents.kafka import KafkaError, TopicPartition
from agents.reading import end_offsets
from agents.topics import create_topics
from schemas.errors import UnavailableError
from schemas.topics import changelog_topic
from streams.simulator import SimulatedEvent
from tests.e2e.history import History, Truth, send, truth_of
from tests.e2e.product import Installation, Process
from tests.e2e.surfaces import checkpoints, is_settled
from tests.faults.record import Figures
from tests.polling import end, until

SESSION_S: Final = 4.0
_LOAD_S: Final = 3.0
_CHUNK: Final = 50
_LOOK_S: Final = 0.1

Messages = Sequence[SimulatedEvent]


class Truths:
    """Computes what the oracle says of histories, once each, in a process of its own."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._found: dict[History, Future[Truth]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, history: History) -> None:
        """Compute it meanwhile."""
        if history not in self._found:
            self._found[history] = self._pool.submit(truth_of, history)

    async def of(self, history: History) -> Truth:
        """Wait for it."""
        self.begin(history)
        return await asyncio.wrap_future(self._found[history])


class Scene:
    """One installation with a history on its way to it.

    Args:
        product: The installation.
        history: What is sent.
        truths: What the oracle says of it.
        figures: What the test measures.
    """

    def __init__(self, product: Installation, history: History, truths: Truths, figures: Figures) -> None:
        self.product = product
        self.settings = product.settings
        self.history = history
        self.truths = truths
        self.figures = figures
        self.workers: list[Process] = []
        truths.begin(history)

    # Workers

    async def begin(self, workers: int = 1, run: Sequence[str] | None = None) -> None:
        """Make the topics and start workers (as `start` does); returns when they are ready."""
        await create_topics(self.settings)
        for _ in range(workers):
            self.start(run=run)
        for worker in self.workers:
            await worker.until_ready()

    def start(self, *, run: Sequence[str] | None = None, env: Mapping[str, str] | None = None) -> Process:
        """Start one more worker; `run` puts something between Python and the command line."""
        worker = self.product.start("worker", env=env) if run is None else self.product.start("worker", run=run)
        self.workers.append(worker)
        return worker

    def kill(self, worker: Process) -> None:
        """`kill -9`."""
        worker.kill()
        self.workers.remove(worker)

    async def stop(self, worker: Process) -> float:
        """SIGTERM; returns how long it took to end, seconds."""
        begun_s = time.monotonic()
        worker.terminate()
        assert await worker.ends(deadline_s=30) == 0, worker.log
        self.workers.remove(worker)
        return time.monotonic() - begun_s

    async def ended(self, worker: Process, deadline_s: float = 60.0) -> int:
        """Wait for a worker to end by itself; returns its exit code."""
        code = await worker.ends(deadline_s)
        assert code is not None, f"it still runs after {deadline_s:g} s\n{_tail(worker)}"
        self.workers.remove(worker)
        return code

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """Restart what ends, for the length of a block, as an init system does; counts that in the figures."""
        self.figures["restarts"] = 0

        async def supervise() -> None:
            while True:
                for worker in [each for each in self.workers if not each.child.running]:
                    print(f"{worker.child.name} ended with {worker.child.exit_code}:\n{_tail(worker)}")
                    self.workers.remove(worker)
                    self.start()
                    self.figures["restarts"] = int(self.figures["restarts"]) + 1
                await asyncio.sleep(_LOOK_S)

        supervising = asyncio.create_task(supervise())
        try:
            yield
        finally:
            await end(supervising)

    def assert_running(self) -> None:
        """Nobody ended by itself."""
        for worker in self.workers:
            assert worker.child.running, f"ended with code {worker.child.exit_code}\n{_tail(worker)}"

    def rebalances(self) -> int:
        """How often log partitions were recovered by any worker that runs."""
        return sum(worker.log.count("recovered log partitions") for worker in self.workers)

    def resident_mib(self) -> int:
        """Resident memory of all workers, MiB."""
        return round(sum(map(resident_mib, self.workers)))

    # Load

    def messages(self, parts: int = 1) -> list[list[SimulatedEvent]]:
        """All of the history in the order in which it is sent, in parts that follow each other."""
        every = list(self.history.messages())
        size = -(-len(every) // parts)
        return [every[begin : begin + size] for begin in range(0, len(every), size)]

    def load(self, messages: Iterable[SimulatedEvent] | None = None, seconds: float = _LOAD_S) -> asyncio.Task[int]:
        """Send messages at an even pace, in a task; all of the history when not given."""
        return asyncio.create_task(self._load(self.messages()[0] if messages is None else list(messages), seconds))

    async def _load(self, messages: Messages, seconds: float) -> int:
        begun_s, sent = time.monotonic(), 0
        while sent < len(messages):
            try:
                sent += await send(self.settings, iter(messages[sent : sent + _CHUNK]))
            except (UnavailableError, KafkaError) as error:  # what may have come through is sent again
                print(f"the sales floor waits: {error}")
            due_s = begun_s + seconds * sent / len(messages)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        return sent

    # How far it is

    async def until_settled(self, deadline_s: float = 90.0) -> float:
        """Wait until everything that was sent is in a durable state; returns how long that took, seconds."""
        begun_s = time.monotonic()

        async def settled() -> bool:
            return await is_settled(self.settings)

        await self._until(settled, deadline_s)
        return time.monotonic() - begun_s

    async def until_checkpoints(self, more: int, deadline_s: float = 60.0) -> None:
        """Wait until so many more checkpoints are written, or all is folded and durable."""
        before = await self._markers()

        async def written() -> bool:
            return await self._markers() >= before + more or await is_settled(self.settings)

        await self._until(written, deadline_s)

    async def until_progress(self, deadline_s: float) -> float:
        """Wait until every log partition's state is durable further than now, or to its end; returns the seconds."""
        begun_s, before = time.monotonic(), (await checkpoints(self.settings)).fences

        async def moved() -> bool:
            found = await checkpoints(self.settings)
            return all(
                now > then or now == end - 1
                for now, then, end in zip(found.fences, before, found.log_ends, strict=True)
            )

        await self._until(moved, deadline_s)
        return time.monotonic() - begun_s

    async def _markers(self) -> int:
        """How many checkpoints were ever written, of all log partitions together."""
        topic = changelog_topic(self.settings.app.id, "markers")
        partitions = [TopicPartition(topic, number) for number in range(self.settings.kafka.partitions)]
        return sum((await end_offsets(self.settings, partitions)).values())

    async def _until(self, condition: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        try:
            await until(condition, deadline_s, every_s=0.1)
        except AssertionError as error:
            found = await checkpoints(self.settings)
            tails = "\n".join(
                f"{worker.child.name} {worker.child.exit_code}\n{_tail(worker)}" for worker in self.workers
            )
            raise AssertionError(f"{error}; {found}\n{tails}") from None


def resident_mib(worker: Process) -> float:
    """Resident memory of a worker, MiB."""
    status = Path(f"/proc/{worker.child.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _tail(worker: Process) -> str:
    return "\n".join(f"  | {line}" for line in worker.child.last_log_lines(20))
