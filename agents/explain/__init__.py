"""Explanations of KPI values, for the command line and the HTTP API."""

from agents.explain.explanations import Asked, Explanations, NoSeriesError

__all__ = ["Asked", "Explanations", "NoSeriesError"]
