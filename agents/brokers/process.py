"""Child processes that never outlive the process that started them.

On Linux the kernel itself ends the child (`PR_SET_PDEATHSIG`), so a parent that is killed with SIGKILL leaves nothing
behind. Elsewhere an `atexit` hook does it, which covers every end of the parent but SIGKILL. Either way the child
leads a session of its own: Ctrl-C in a terminal reaches the parent only, which then stops its children in order.
"""

import asyncio
import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

POLL_S: Final = 0.02
_PR_SET_PDEATHSIG: Final = 1


class ServerError(RuntimeError):
    """A server could not be started or stopped; the message says what happened and what to do, in a few lines."""


class MissingProgramError(ServerError):
    """Something a server needs is not installed here; the message says what, and how to install it."""


class ChildProcess:
    """One run of a command, its log file, and its end.

    Args:
        name: What messages call it.
        argv: Program and arguments.
        log_path: Standard output and error are appended here; a run's messages quote only its own lines.
        env: Variables set on top of this process's environment.
        cwd: Working directory; the log's directory when not given.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._argv = tuple(argv)
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd if cwd is not None else log_path.parent
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Process id of the current run, or of the last one.

        Raises:
            ServerError: It was never started.
        """
        if self._popen is None:
            raise ServerError(f"{self.name} was not started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended (a paused one is running)."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last run ended (a signal's number is negative); None before that."""
        return None if self._popen is None else self._popen.poll()

    def spawn(self) -> None:
        """Start the process and return at once.

        Raises:
            ServerError: It is running, the program cannot be executed, or this is Linux and not the main thread: there
                the kernel ends a child with the *thread* that started it.
        """
        if self.running:
            raise ServerError(f"{self.name} runs already (pid {self.pid})")
        if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
            raise ServerError(f"{self.name} must be started from the main thread, else it ends with the thread")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._popen = subprocess.Popen(  # noqa: S603  no shell; the commands are ours
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._env,
                    cwd=self._cwd,
                    start_new_session=True,
                    preexec_fn=_end_with_parent(),  # noqa: PLW1509  two system calls, loaded before the fork: no lock is taken
                )
            except OSError as error:
                raise ServerError(f"{self.name}: cannot run {self._argv[0]}: {error.strerror}") from error
        atexit.register(self._kill_at_exit, os.getpid())

    async def start(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Start the process and wait until it serves.

        Args:
            ready: Asked every 20 ms, from this thread; must answer within a fraction of a second and not raise.
            deadline_s: Seconds from now. A process that is not ready by then is killed.

        Raises:
            ServerError: It ended, or was not ready in time; the message ends with the last lines of its log.
        """
        self.spawn()
        until = time.monotonic() + deadline_s
        try:
            while not ready():
                if not self.running:
                    raise ServerError(
                        f"{self.name} ended with code {self.exit_code} while starting.{self._quoted_log()}"
                    )
                if time.monotonic() > until:
                    raise ServerError(f"{self.name} was not ready within {deadline_s:g} s.{self._quoted_log()}")
                await asyncio.sleep(POLL_S)
        except BaseException:  # a cancelled start must not leave a server behind either
            self.kill()
            raise

    async def run_to_end(self, deadline_s: float) -> None:
        """Run a command that ends by itself.

        Raises:
            ServerError: It ended with a code other than 0, or not in time; with the last lines of its log.
        """
        self.spawn()
        try:
            ended = await self._ends_within(deadline_s)
        finally:
            self.kill()
        if not ended:
            raise ServerError(f"{self.name} did not end within {deadline_s:g} s.{self._quoted_log()}")
        if self.exit_code != 0:
            raise ServerError(f"{self.name} failed with code {self.exit_code}.{self._quoted_log()}")

    async def stop(self, deadline_s: float = 10.0) -> None:
        """Ask the process to end (SIGTERM), and kill it if it does not in time. Does nothing when it is gone."""
        if self.running:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a paused process would not see the SIGTERM
            await self._ends_within(deadline_s)
        self.kill()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): its connections stay open and nothing answers.

        Raises:
            ServerError: It is not running.
        """
        self._require_running()
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT); no effect on one that is not paused.

        Raises:
            ServerError: It is not running.
        """
        self._require_running()
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once (SIGKILL) and reap it. Does nothing when it is gone."""
        if self._popen is not None:
            if self.running:
                self._signal(signal.SIGKILL)
            self._popen.wait()
        atexit.unregister(self._kill_at_exit)

    def last_log_lines(self, count: int = 12) -> list[str]:
        """The last lines that the current or last run wrote."""
        if not self.log_path.exists():
            return []
        with self.log_path.open("rb") as log:
            log.seek(max(self._log_start, self.log_path.stat().st_size - 16_384))
            return log.read().decode("utf-8", "replace").splitlines()[-count:]

    async def _ends_within(self, deadline_s: float) -> bool:
        until = time.monotonic() + deadline_s
        while self.running and time.monotonic() < until:  # noqa: ASYNC110  nobody would set an event: it is a process
            await asyncio.sleep(POLL_S)
        return not self.running

    def _require_running(self) -> None:
        if not self.running:
            raise ServerError(f"{self.name} is not running")

    def _signal(self, number: int) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)  # takes care of a process that has just ended

    def _quoted_log(self) -> str:
        lines = "".join(f"\n  | {line}" for line in self.last_log_lines())
        return f" Its last words in {self.log_path}:{lines}" if lines else f" It wrote nothing to {self.log_path}."

    def _kill_at_exit(self, owner_pid: int) -> None:
        if os.getpid() == owner_pid:  # a forked copy of this process inherits the hook, not the child
            self.kill()


def _end_with_parent() -> Callable[[], None] | None:
    """What the child runs between fork and exec, on Linux: ask the kernel to kill it when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        if prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)  # the parent died before the kernel was asked

    return ask
