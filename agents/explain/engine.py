"""What values are computed by: the generation of state in force, its settings, its plan, and where its cells are."""

from __future__ import annotations

from agents.explain.state import CellsReader
from agents.generations import current, state_names
from schemas.catalogue import KPIS
from schemas.catalogue.compose import catalogue_of
from schemas.generations import in_force
from schemas.settings import Settings
from streams.explain.goals import ATTAINMENT
from streams.explain.parts import Explainer
from streams.plan import plan_of, plan_over
from streams.rollup.upstream import rollup_rules
from streams.time import Calendar
from streams.worktime import work_time


class Engine:
    """Everything that the workers compute values by, at one time.

    Args:
        settings: As they are in force.
        cells: Reads the cells of a few series.
        explainer: Takes values apart.
    """

    def __init__(self, settings: Settings, cells: CellsReader, explainer: Explainer) -> None:
        self.settings = settings
        self.cells = cells
        self.explainer = explainer
        self.plan = explainer.plan
        self.calendar = explainer.calendar


async def engine_of(settings: Settings) -> Engine:
    """Return what values are computed by now; another generation may come into force at any time.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    catalogue = catalogue_of(settings)
    goals = (kpi for kpi in KPIS if kpi.name == ATTAINMENT)  # it tells how far goals are, also where it is left out
    kpis = {kpi.name: kpi for kpi in (*goals, *catalogue.kpis)}
    catalogue = catalogue._replace(kpis=tuple(kpis.values()))
    generation = await current(settings)
    if generation is not None:
        plan = plan_over(catalogue, generation.counted).plan
        settings = in_force(settings, generation.counted)
    else:
        plan = plan_of(catalogue)
    calendar = Calendar(settings.time.zone, settings.time.week_start)
    worktime = work_time(settings, calendar)
    names = state_names(settings, generation.number if generation is not None else 0)
    cells = CellsReader(settings, plan, calendar, worktime, names)
    return Engine(settings, cells, Explainer(plan, calendar, rollup_rules(settings), worktime))
