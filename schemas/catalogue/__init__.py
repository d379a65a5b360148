"""The KPI catalogue: one short declaration a KPI; API, metrics, dashboards and documents follow from it.

To add a KPI, add one entry to the module of its area, which decides on which dashboard and page it is shown. Its
formula is over measures of ``schemas/measures.py`` (see :class:`schemas.declare.Kpi`); a KPI with a ``denominator``
divides last and is unknown when that is 0 or negative.
The numbers (``row``) and letters (``source``) are those of the five sales-KPI lists the catalogue was made from:
R the Russian list, C the Chinese, P the Polish, U the Ukrainian, D the Dutch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.areas import Area
from schemas.catalogue.activity import ACTIVITY
from schemas.catalogue.customer_classes import CUSTOMER_CLASSES
from schemas.catalogue.customers import CUSTOMERS
from schemas.catalogue.funnel import FUNNEL
from schemas.catalogue.marketing import MARKETING
from schemas.catalogue.pipeline import PIPELINE
from schemas.catalogue.sales import SALES
from schemas.catalogue.service import SERVICE
from schemas.declare import Better, Kpi, KpiType

__all__ = ["KPIS", "Better", "Kpi", "KpiType"]


def _of(area: Area, *modules: Iterable[Kpi]) -> Iterable[Kpi]:
    """Give KPIs the area of the module that declares them."""
    return (msgspec.structs.replace(kpi, area=area) for module in modules for kpi in module)


KPIS: Final[tuple[Kpi, ...]] = tuple(
    sorted(
        (
            *_of("sales", SALES),
            *_of("pipeline", PIPELINE),
            *_of("funnel", FUNNEL),
            *_of("marketing", MARKETING),
            *_of("customers", CUSTOMERS, CUSTOMER_CLASSES),
            *_of("activity", ACTIVITY),
            *_of("service", SERVICE),
        ),
        key=lambda kpi: kpi.row,
    )
)
"""Every built-in KPI, in the order of the catalogue's rows."""
