"""Benchmarks on real servers: `python -m tests.benchmarks throughput` and `latency`; `--help` tells the rest."""
