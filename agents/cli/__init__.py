"""The command line `salespulse`: one module a command, and `entry`, where all of them come together."""

from agents.cli.entry import main

__all__ = ["main"]
