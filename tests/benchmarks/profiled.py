"""Runs a `salespulse` command under cProfile: `python -m tests.benchmarks.profiled FILE worker`."""

from __future__ import annotations

import cProfile
import sys

from agents.cli.entry import run

if __name__ == "__main__":
    profile = cProfile.Profile()
    code = profile.runcall(run, sys.argv[2:])
    profile.dump_stats(sys.argv[1])
    sys.exit(code)
