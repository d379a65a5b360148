"""Where log messages go: for servers to stderr, for `up` to a file, so that the terminal stays readable."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agents.cli.options import NOISY, debug_wanted

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OURS: Final = ("agents", "streams", "schemas")


def log_to_stderr() -> None:
    """Log our own doings and the libraries' warnings to stderr, as a service does."""
    _install(logging.StreamHandler())


@contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Log our own doings and the libraries' warnings to a file, for the length of a `with` block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    _install(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _install(handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    if debug_wanted():
        return
    root.setLevel(logging.WARNING)
    for names, level in ((NOISY, logging.WARNING), (_OURS, logging.INFO)):
        for name in names:
            logging.getLogger(name).setLevel(level)
