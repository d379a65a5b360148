"""Tables: several KPIs of one dimension's values side by side, ranks, and pairs of dimensions crosswise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from string import ascii_uppercase
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import GREY, NO_DATA, steps
from deploy.grafana.queries import current, datasource, known, query, unit_of
from schemas.catalogue import Kpi
from schemas.metric_names import label_name, part_names, rank_name

TOP: Final = 10


class Column(NamedTuple):
    """A column: what it is called, Grafana's unit, and the query that has a value for each row."""

    title: str
    unit: str
    expression: str


def side_by_side(title: str, doc: str, dimension: str, columns: Sequence[Column], *, ascending: bool = False) -> Any:
    """A row for each value of a dimension, by the first column; a value without one in another column is left out."""
    label = label_name(dimension)
    panel = _table(title, doc)
    for ref, column in zip(ascii_uppercase, columns, strict=False):
        expression = f"max by ({label}) ({column.expression})"
        panel = panel.with_target(query(expression, ref, column.title, table=True)).override_by_name(
            f"Value #{ref}" if len(columns) > 1 else "Value",
            [
                models.DynamicConfigValue(id_val="displayName", value=column.title),
                models.DynamicConfigValue(id_val="unit", value=column.unit),
            ],
        )
    first = "Value #A" if len(columns) > 1 else "Value"
    return panel.transformations(
        [
            models.DataTransformerConfig(id_val="joinByField", options={"byField": label, "mode": "outer"}),
            models.DataTransformerConfig(
                id_val="filterFieldsByName", options={"include": {"pattern": f"^({label}|Value.*)$"}}
            ),
            models.DataTransformerConfig(
                id_val="sortBy", options={"fields": {}, "sort": [{"field": first, "desc": not ascending}]}
            ),
        ]
    )


def of_kpis(title: str, doc: str, dimension: str, kpis: Sequence[Kpi], filters: Collection[str] = ()) -> Any:
    """KPIs of a dimension's values, by the first of them."""
    return side_by_side(title, doc, dimension, [_column(kpi, dimension, filters) for kpi in kpis])


def top(kpis: Sequence[Kpi], dimension: str, title: str) -> Any:
    """The values with the highest first KPI, and their other figures."""
    first, *others = (_column(kpi, dimension) for kpi in kpis)
    highest = first._replace(expression=f"topk({TOP}, {first.expression})")
    rows = f" and on ({label_name(dimension)}) {highest.expression}"
    return side_by_side(
        title,
        f"The {TOP} highest by {kpis[0].title.lower()}.",
        dimension,
        [highest, *(column._replace(expression=f"{column.expression}{rows}") for column in others)],
    )


def ranks(kpi: Kpi, dimension: str) -> Any:
    """The first in a ranking, with their ranks: equals share one."""
    value = _column(kpi, dimension)
    rank = known(rank_name(kpi, (dimension,)))
    columns = [
        Column("Rank", "none", f"bottomk({TOP}, {rank})"),
        value._replace(expression=f"{value.expression} and on ({label_name(dimension)}) bottomk({TOP}, {rank})"),
    ]
    return side_by_side(kpi.title, kpi.doc, dimension, columns, ascending=True)


def crosswise(kpi: Kpi, rows: str, columns: str, filters: Collection[str]) -> Any:
    """One KPI by two dimensions."""
    names = sorted((rows, columns))
    expression = f"max by ({', '.join(names)}) ({current(kpi, ','.join(names), filters)})"
    title = f"{kpi.title} by {rows} and {columns}"
    return (
        _table(title, kpi.doc)
        .unit(unit_of(kpi))
        .with_target(query(expression, table=True))
        .transformations(
            [
                models.DataTransformerConfig(
                    id_val="groupingToMatrix",
                    options={"rowField": rows, "columnField": columns, "valueField": "Value", "emptyValue": "null"},
                )
            ]
        )
    )


def steps_of(kpi: Kpi, dimension: str, others: Sequence[Kpi], filters: Collection[str]) -> Any:
    """What entered each step and went on from it, most entered first: a ratio with its parts, and other KPIs."""
    went_on, entered = (known(name) for name in part_names(kpi, (dimension,)))
    columns = [
        Column("Entered", "locale", entered),
        Column("Went on", "locale", went_on),
        *(_column(each, dimension, filters) for each in (kpi, *others)),
    ]
    return side_by_side(f"{kpi.title}, step by step", kpi.doc, dimension, columns)


def _column(kpi: Kpi, dimension: str, filters: Collection[str] = ()) -> Column:
    return Column(kpi.title, unit_of(kpi), current(kpi, dimension, filters))


def _table(title: str, doc: str) -> Any:
    return (
        table.Panel()
        .title(title)
        .description(doc)
        .datasource(datasource())
        .no_value(NO_DATA)
        .sort_by([])
        .thresholds(steps((None, GREY)))
    )
