"""Cells to window sums and KPI values."""
