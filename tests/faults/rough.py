"""A broker that may be treated badly: on a small disk of its own, with a second address that is a proxy's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agents.brokers import free_port
from agents.brokers.kafka import KafkaBroker

_DISK_MIB: Final = 512
_PAGE: Final = 1 << 20


class RoughKafka(KafkaBroker):
    """An Apache Kafka whose second listener tells its clients the port of a proxy.

    Args:
        data_dir: Its disk.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.behind_port = free_port()
        """Where a proxy has to hand on to."""
        self.proxy_port = free_port()
        """Where that proxy has to listen."""

    @property
    def data_dir(self) -> Path:
        """Its disk."""
        return self._dir

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    @property
    def through_proxy(self) -> str:
        """Bootstrap servers of clients that are to go through the proxy."""
        return f"127.0.0.1:{self.proxy_port}"

    def _write_settings(self) -> None:
        super()._write_settings()
        text = self._settings_path.read_text()
        given = dict(line.split("=", 1) for line in text.splitlines())
        behind = f"127.0.0.1:{self.behind_port}"
        further = {
            "listeners": f"{given['listeners']},PROXIED://{behind}",
            "advertised.listeners": f"{given['advertised.listeners']},PROXIED://{self.through_proxy}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.cleaner.backoff.ms": 200,  # compaction within a test's time
            "log.segment.bytes": 16 << 20,  # Kafka opens segments with room for their indexes
            "log.index.size.max.bytes": 64 << 10,
        }
        self._settings_path.write_text(text + "".join(f"{name}={value}\n" for name, value in further.items()))


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of its own, in memory; needs root."""
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Use up all room of a file system; returns the file that does."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (_PAGE, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return filler


def may_mount() -> bool:
    """Whether a file system can be mounted here."""
    return os.geteuid() == 0
