"""Options that all commands share, and what they bring about: settings, logging, an event loop."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click
import msgspec

from agents.cli.running import with_running
from agents.cli.signals import run_cancellable
from schemas.errors import UsageError
from schemas.settings import Settings, load_settings
from schemas.windows import WINDOWS

P = ParamSpec("P")
R = TypeVar("R")

NOISY: Final = ("aiokafka", "redis", "asyncio", "faust", "mode", "aiohttp")
"""Libraries that log what we say in one line of our own."""


def command_options(function: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """Add --config and --debug to a command and hand it the settings as its first argument."""

    @click.option("--config", type=click.Path(path_type=Path), help="Settings file [default: salespulse.toml, if any]")
    @click.option("--debug", is_flag=True, help="Show tracebacks and the libraries' own messages")
    @functools.wraps(function)
    def with_settings(*args: P.args, **kwargs: P.kwargs) -> R:
        config = kwargs.pop("config")
        debug = kwargs.pop("debug")
        _quieten(debug=bool(debug))
        return function(with_running(load_settings(config if isinstance(config, Path) else None)), *args, **kwargs)

    return with_settings


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add --json to a command; it arrives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs")(function)


def run_async(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    """Make a coroutine function a command's callback; SIGTERM cancels it as Ctrl-C does."""

    @functools.wraps(function)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_cancellable(function(*args, **kwargs))

    return synchronous


def window_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add --window to a command."""
    return click.option(
        "--window", type=click.Choice(WINDOWS), default="30d", show_default=True, help="Over which time"
    )(function)


def port_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add --port to a server's command."""
    return click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [default: http.port]")(
        function
    )


def with_port(settings: Settings, port: int | None) -> Settings:
    """Settings with another port, if one is given."""
    if port is None:
        return settings
    replace = msgspec.structs.replace
    return replace(settings, http=replace(settings.http, port=port))


def pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    """Read repeated `NAME=VALUE` options."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option}: found {text!r}; allowed is NAME=VALUE, such as rep=r-7")
        found[name] = value
    return found


def debug_wanted() -> bool:
    """Whether the command that is running was given --debug."""
    return _debug.wanted


class _Debug:
    """Whether --debug was given; the last resort needs it when the command is gone."""

    wanted = False


_debug = _Debug()


def _quieten(*, debug: bool) -> None:
    _debug.wanted = debug
    if debug:
        logging.basicConfig(level=logging.DEBUG)
        return
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
