"""Where all commands come together, and where every error becomes a line or two and an exit code.

Exit codes: 0 done, 1 failed (a server, a file, a check), 2 wrong use (an option, a setting, a mapping).
"""

from __future__ import annotations

import asyncio
import difflib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from agents.brokers import ServerError
from agents.cli.options import debug_wanted
from agents.cli.output import fail
from schemas.errors import SalesPulseError, UsageError

_COMMANDS: Final = {
    "up": "agents.cli.up",
    "worker": "agents.cli.worker",
    "wall": "agents.cli.wall",
    "topics": "agents.cli.topics",
    "simulate": "agents.cli.simulate",
    "replay": "agents.cli.replay",
    "kpis": "agents.cli.kpis",
    "catalogue": "agents.cli.catalogue",
    "rebuild": "agents.cli.rebuild",
    "explain": "agents.cli.explain",
    "dlq": "agents.cli.dlq",
    "check": "agents.cli.check",
    "schemas": "agents.cli.schemas",
}
"""Command -> module that holds it; imported when used, so that `--help` need not wait for Kafka's client."""

_EXIT_FAILED: Final = 1
_EXIT_WRONG_USE: Final = 2
_EXIT_INTERRUPTED: Final = 130


class _Commands(click.Group):
    """The group of all commands; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(module), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="salespulse", message="%(prog)s %(version)s")
def cli() -> None:
    """Live sales KPIs from Kafka.

    To see it work, with a simulated sales floor on this machine:

    \b
        salespulse up

    With a Kafka and a Redis of your own, write salespulse.toml, then:

    \b
        salespulse check
        salespulse topics create
        salespulse worker
        salespulse wall

    Every command has --help with examples.
    """


def main() -> None:
    """Run the command line of this process; the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is said on stderr."""
    try:
        code = cli.main(args=list(arguments), prog_name="salespulse", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        return _wrong_use(error)
    except (SalesPulseError, ServerError) as error:
        fail(str(error))
        return _EXIT_WRONG_USE if isinstance(error, UsageError) else _EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError, click.Abort):
        fail("interrupted")
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone, as `head` does; keep the interpreter from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_FAILED
    except Exception as error:  # noqa: BLE001  the last resort: a person gets a line, the traceback goes to a file
        return _unexpected(error)


def _wrong_use(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "salespulse"
    message = error.format_message()
    fail(f"{message[:1].lower()}{message[1:].rstrip('.')}. Try: {path} --help")
    return error.exit_code


def _unexpected(error: Exception) -> int:
    text = "".join(traceback.format_exception(error))
    if debug_wanted():
        sys.stderr.write(text)
        return _EXIT_FAILED
    with tempfile.NamedTemporaryFile("w", prefix="salespulse-error-", suffix=".log", delete=False) as log:
        log.write(text)
    fail(
        f"unexpected {type(error).__name__}: {str(error) or 'no details'}. This is a fault of SalesPulse; "
        f"the traceback is in {log.name} (--debug shows it)."
    )
    return _EXIT_FAILED
