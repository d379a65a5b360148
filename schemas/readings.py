"""How KPIs are to be read where their formula leaves a choice: general rules, and notes to rows of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GENERAL: Final[Mapping[str, tuple[str, ...]]] = {
    "Unknown, and zero": (
        (
            "A ratio whose denominator is 0 or negative is *unknown*: `null` in JSON, `NaN` in Prometheus, a dash on "
            "the wall. It is never shown as 0."
        ),
        "Counts and sums are 0 where nothing happened, also before the first event.",
        (
            "`difference` is the value less the previous one; `change` is that over the previous one, and unknown when "
            "the previous one is unknown or 0."
        ),
    ),
    "Ratios, means and percentiles": (
        (
            "Ratios divide last: numerator and denominator are exact integers and travel with the value. Values are not"
            " rounded, and ratios are never averaged."
        ),
        (
            "Unless a KPI says otherwise, both parts are what happened in the window, also where they are about "
            "different leads or deals (a period ratio)."
        ),
        "Durations are cut to whole seconds one by one, then added.",
        "Percentiles are nearest rank, from classes of size that are 1 % wide.",
    ),
    "Levels": (
        (
            "A level says what is in a state, and is taken at the window's end; its previous value at the end of the "
            "previous window."
        ),
    ),
    "Dimensions": (
        (
            "An event counts under the dimensions that it states. What it leaves out is what its deal (of deal events),"
            " else its account, had last stated as of the time of the event. Every event of an account states them for "
            "it, also one that is repeated or otherwise without effect."
        ),
        (
            "Leads, deals and sales are resolved anew when an earlier statement comes late; calls, e-mails, visits and "
            "service events keep what was known when they came."
        ),
        (
            "Events of the same millisecond follow their life cycle (a lead before its deal, a win before its return), "
            "then their `event_id`."
        ),
        (
            "What has no value of a dimension counts globally only. A series exists once something counted had that "
            "value; global series always exist."
        ),
        (
            "`source` and `channel` of new customers, conversions, lifetime values, acquisition cost, return on spend, "
            "churn, retention and lifetime are the *customer's*: those of the latest lead created before the first "
            "purchase, even where that lead has none; without a lead those of the first purchase. Rep, team, region and"
            " product are those of the first purchase. All other KPIs go by the event's own."
        ),
        (
            "A sale or return with items counts once under each product with that product's amounts, and not under its "
            "own `product`; items without a product count globally only. Without items a sale is one unit of its "
            "`product`; a return has no units."
        ),
        "Spend has only the dimensions that it states.",
    ),
    "Money": (
        "Values are in major units of the reporting currency (`money.currency`), numerators in minor units.",
        (
            "Foreign amounts are converted one by one with `money.rates`, half up. Without `currency` an amount is in "
            "the reporting currency."
        ),
        (
            "An amount that a won deal leaves out is the sum of its items, else what the deal last said; that a return "
            "leaves out is the sum of its items, else the sale's. A missing cost is the sum of the items, else what the"
            " deal last said, else 0; of a return 0."
        ),
    ),
    "Deals and sales": (
        (
            "Events with the same `event_id` count once. A lead is created once and a deal is won once: a further "
            "`lead.created` of the same lead adds nothing, a further `deal.won` of a deal that stands as won is an "
            "amendment."
        ),
        "A deal lost and later won counts in both; a deal won, lost and won again has two sales.",
        (
            "An amendment before the win changes the open amount. After it, it restates the latest sale in the window "
            "of the *sale*; a sale of one product follows, one of several only if the amendment has items."
        ),
        "A return counts in its own window, under its own dimensions.",
        (
            "A deal that is given to another rep before it closes counts for the closing rep; given on after it closed,"
            " it keeps its sale."
        ),
    ),
    "Late events": (
        "A window counts what *happened* in it. What comes late restates the windows it belongs to.",
        "Conversions of cohorts go on growing after their window is over; that is no restatement.",
    ),
}
"""Heading -> rules that hold for all KPIs."""

NOTES: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("Net: a return lowers the window in which it *occurred*.",),
    3: (
        "Numerator: revenue less that of the previous window; denominator: that of the previous window.",
        "It has no previous value of its own: that would need three windows.",
    ),
    4: (
        (
            "Every goal whose period is the present one has the series `target=ID`, in the to-date window of its "
            "period. The last `target.set` of an id holds; `withdrawn: true` ends it."
        ),
        (
            "Actual and target: minor units of money goals; counts of number goals; of boolean goals 1 if `done`, of 1;"
            " of task goals `done`, of `value`."
        ),
        (
            "A number or an amount for a KPI that is a ratio is about the ratio, which has neither pace nor projected "
            "finish, and is no part of a parent's sum. Where a target is no integer, and of ratios, both parts of the "
            "attainment are multiplied until they are integers: 2 of 2.5 are 4 over 5. A target has six decimals at "
            "most."
        ),
        (
            "A parent has what its children of the same kind have together, against its own value or, if that is 0, the"
            " sum of theirs. Of a parent with tasks: children reached, of all children; boolean: whether all are "
            "reached. Reached means attainment of at least 1; each child is measured in its own window."
        ),
        "Global, by rep and by team: the sums of the present money goals on revenue with just that dimension.",
    ),
    5: (
        (
            "Working time is whole local days of `kpi.working_days`; a day has passed when it has ended by the window's"
            " end."
        ),
        "The projection is in the goal's unit: money in major units, else a count.",
    ),
    6: ("Rank 1 is the highest; equals share a rank, and the next ones are skipped (1, 2, 2, 4).",),
    11: ("Numerator: customers whose *first* purchase lies in the window, whenever their lead was created.",),
    12: (
        (
            "A win converts the latest lead of its account that was created at or before it, once. `So far` is at "
            "present, for the previous window as well."
        ),
    ),
    13: ("The channel is the customer's. The global series is that of `lead_conversion`.",),
    14: ("The source is the customer's. The global series is that of `lead_conversion`.",),
    15: (
        (
            "About leads. A lead enters the `stage` of its `lead.created` (default `new`); a lead first heard of by "
            "`lead.stage_changed` enters the `to_stage`. The stage left is the one it was in, whatever `from_stage` "
            "says; a move to the same stage is none, and a closed lead enters no further stage."
        ),
        (
            "Onward is a move to a later stage of `kpi.stages`, or any move if one of the two is not among them. Being "
            "qualified and a purchase are onward, being disqualified is not."
        ),
        (
            "The weakest stage is looked for among stages that were ever left onward; of equals the one most entered, "
            "then by name."
        ),
    ),
    16: ("A stay counts where it ends, under the stage that was left and the dimensions of the event that ended it.",),
    17: (
        (
            "Open until qualified, disqualified, or any purchase of its account. Stuck when the entry and the stage's "
            "limit (`kpi.stage_limit`, `kpi.stage_limits`) lie before the window's end; under the dimensions of the "
            "entry."
        ),
    ),
    19: ("Only deals with a `deal.created` at or before the win.",),
    20: ("Only a customer's first purchase. A conversation is a connected call, `email.replied` or `lead.contacted`.",),
    21: (
        (
            "From that lead which the win converted (see `cohort_conversion`), in the win's window, under the lead's "
            "source."
        ),
    ),
    23: ("Gross: returns are not taken off.",),
    26: ("To date: everything until the window's end, and all customers ever.",),
    27: ("Spend of the categories marketing and sales. By source: the source that the spend states.",),
    28: ("`roi` takes all spend, `ltv_cac` that of marketing and sales.",),
    29: (
        (
            "The class is a deal's: an account's first win is new, the others are returning. A return takes the class "
            "of its sale; a return without one has none."
        ),
        "Shares exist for a class once it had a sale or return.",
    ),
    30: ("By dimension a buyer counts once under each value bought under.",),
    31: (
        (
            "Somebody is a customer from a purchase until told as churned or until `kpi.churn_horizon` after the last "
            "purchase, whichever is first; at exactly that instant the customer has left, and a later purchase (also "
            "one at that instant) starts again. Churn of somebody who is no customer is ignored."
        ),
        "By revenue each customer weighs the net revenue to date, at the window's start and at the exit.",
    ),
    32: ("From the purchase that began the stay to the exit.",),
    33: (
        (
            "The first open of a `message_id` counts, in its window. Over e-mails sent only for a series in which "
            "nothing was ever delivered."
        ),
    ),
    34: ("Talk time is that of connected calls.",),
    38: ("An amendment counts in its own window; so does a `deal.won` of a deal that stands as won.",),
    39: ("Scores are brought to `kpi.satisfaction_scale`, in thousandths, half up.",),
    40: ("A payment takes out the overdue amounts of its invoice that came before it, where they were counted.",),
    41: (
        (
            "Customers with a net revenue to date above 0, highest first. A while the sum *before* the customer is "
            "below the first of `kpi.abc_shares`, B while it is below both together, else C."
        ),
        "The share is of revenue; the ticket is gross, over all deals to date.",
    ),
    42: (
        (
            "Stage moves are those of leads and of deals. Points by event type are set in `kpi.points`; without it 1 "
            "for a call and an e-mail sent, 2 for a stage move, 10 for a win."
        ),
    ),
    43: (
        (
            "A deal is open from its first `deal.created` until its first win or loss, in its stage (`stage` of "
            "`deal.created`, default `new`) and under the dimensions of its latest event."
        ),
        "Coverage: in the window of the revenue goals, globally and by rep; unknown if nothing remains of them.",
    ),
}
"""Row -> what is to be known beside the formula of its KPIs."""
