"""The exactness oracle: cells and KPI values by brute force, written from kpis.md alone.

It shares no code with what it judges, and it prefers being obviously right to being quick.
"""

from tests.oracle.cells import cells
from tests.oracle.contributions import Contribution, contributions
from tests.oracle.kpis import KpiValue, kpis
from tests.oracle.settings import OracleSettings

__all__ = ["Contribution", "KpiValue", "OracleSettings", "cells", "contributions", "kpis"]
