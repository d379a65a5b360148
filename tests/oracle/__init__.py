"""The exactness oracle: cells and KPI values by brute force, written from kpis.md alone.

It shares no code with what it judges, and it prefers being obviously right to being quick.

Where kpis.md leaves a choice, these readings hold (number of the definition in brackets):

- (2) For qtd and ytd the counterpart is the local time that has passed since the period's start, not the same date; its
  day is whole, and where it is exactly midnight nothing is added. `all` starts at 0.
- (3, 8) Global series always exist. Class shares exist for a class once that class itself had a sale or return.
- (7) Every event of an account, deal events and repeated or ignored ones too, states dimensions for the account; deal
  events also for their deal. Ties: the order of `events.LIFE_CYCLE`, then event_id.
- (9) A customer with a lead takes source and channel from it even where the lead has none.
- (10) Only sales have units; items without a product count globally only.
- (11) product_revenue, product_units, channel_conversion and source_conversion have a global series.
- (13) Only lead.created and deal.won count once; every lead.qualified and deal.lost counts. A deal won, lost and
  won again has two sales; the first stays. A lead is "the latest" by its first lead.created.
- (14) An amendment restates the latest sale of the deal, also its products where buyers, new customers and cycles are
  counted by product. A sale of one product follows: the product's amount and cost become the sale's.
- (15) A return before any sale of its deal has no class, and the amount 0 if it states none.
- revenue_growth has no previous value of its own: it would need three windows. Goals have none either.
- (20) Every invoice_overdue counts; a payment takes out those of its invoice that came before it.
- (25-27) A closed lead enters no further stage; a move to the same stage is none. A lead that is first heard of by
  a stage_changed enters its to_stage. The tracked stage is the one left, whatever from_stage says.
- (29) At exactly the horizon a customer has left; a purchase at that instant starts again.
- (35) abc_share is the share of revenue; the ticket is gross, over all deals to date.
- (39, 40) A goal is reached at 1; children are current goals, each measured in its own window.
- (41) Elapsed working days are those that have ended by the window's end.
- (42) A deal opens once, at its first deal.created, and stays closed after its first won or lost.
"""

from tests.oracle.cells import cells
from tests.oracle.compare import cell_differences, kpi_differences
from tests.oracle.contributions import Contribution, contributions
from tests.oracle.kpis import KpiValue, kpis
from tests.oracle.settings import OracleSettings
from tests.oracle.whole import values_of, whole_catalogue, world_of

__all__ = [
    "Contribution",
    "KpiValue",
    "OracleSettings",
    "cell_differences",
    "cells",
    "contributions",
    "kpi_differences",
    "kpis",
    "values_of",
    "whole_catalogue",
    "world_of",
]
