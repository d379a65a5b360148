"""What grows with what: one module an axis, each run in a fresh process with the worker's settings of the collector.

``python -m tests.benchmarks growth`` runs them. An axis has sizes, which it measures in turn, round after round: what
the machine does meanwhile is in all of them, and the median of the rounds is what is told.
"""
