// A tile of each kind.

import { AbcTile } from "./abc.js";
import { StagesTile, StepsTile } from "./funnel.js";
import { GoalTile } from "./goal.js";
import { HeatTile } from "./heat.js";
import { NumberTile } from "./number.js";
import { RankingTile } from "./ranking.js";
import { TrendTile } from "./trend.js";

const KINDS = { number: NumberTile, goal: GoalTile, ranking: RankingTile, trend: TrendTile, abc: AbcTile, heat: HeatTile };

export function makeTile(spec, board, grid) {
  if (spec.kind === "funnel") return new (spec.by ? StagesTile : StepsTile)(spec, board, grid);
  return new KINDS[spec.kind](spec, board, grid);
}
