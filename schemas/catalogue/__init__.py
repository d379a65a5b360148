"""The KPI catalogue: one short declaration a KPI; API, metrics, dashboards and documents follow from it.

To add a KPI, add one entry to the module of its area. Its formula is over measures of ``schemas/measures.py`` (see
:class:`schemas.declare.Kpi`); a KPI with a ``denominator`` divides last and is unknown when that is 0 or negative.
The numbers (``row``) and letters (``source``) are those of the five sales-KPI lists the catalogue was made from:
R the Russian list, C the Chinese, P the Polish, U the Ukrainian, D the Dutch.
"""

from __future__ import annotations

from typing import Final

from schemas.catalogue.activity import ACTIVITY
from schemas.catalogue.customers import CUSTOMERS
from schemas.catalogue.goals import GOALS
from schemas.catalogue.leads import LEADS
from schemas.catalogue.sales import SALES
from schemas.catalogue.service import SERVICE
from schemas.declare import Better, Kpi, KpiType

__all__ = ["KPIS", "Better", "Kpi", "KpiType"]

KPIS: Final[tuple[Kpi, ...]] = tuple(
    sorted((*SALES, *GOALS, *LEADS, *CUSTOMERS, *ACTIVITY, *SERVICE), key=lambda kpi: kpi.row)
)
"""Every built-in KPI, in the order of the catalogue's rows."""
