"""Benchmarks on real servers: `python -m tests.benchmarks latency`, `python -m tests.benchmarks throughput`."""
