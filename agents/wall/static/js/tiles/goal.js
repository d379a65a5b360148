// A goal: how much of it is attained, how that compares with the time that has passed, and where it will end.

import { bar, element, fitText, setBar, setCompare } from "../dom.js";
import { DASH, NBSP, NO_DATA, candidates, partOf, percents, short } from "../format.js";
import { inWindow } from "../windows.js";
import { Tile } from "./tile.js";

export class GoalTile extends Tile {
  constructor(spec, board, grid) {
    super(spec, board, grid);
    this.number = element("div", { class: "number" }, DASH);
    this.exact = element("div", { class: "exact" }, NBSP);
    this.bar = bar();
    this.compare = element("div", { class: "compare" }, NBSP);
    this.finish = element("div", { class: "finish" }, NBSP);
    this.node.append(this.number, this.exact, this.bar, this.compare, this.finish);
  }

  render(store, expired) {
    const [attainment, pace, projection] = this.spec.kpis.map((kpi) => (expired ? undefined : this.value(store, kpi)));
    const known = attainment !== undefined && attainment.value !== null;
    this.node.dataset.known = String(known);
    if (!known) {
      const nothing = attainment ? "the goal is nothing yet" : `no goal${this.ofWhom()} set ${forWindow(this.spec.window)}`;
      fitText(this.exact, expired ? [NO_DATA] : [nothing, `no goal ${forWindow(this.spec.window)}`]);
      setBar(this.bar, 0);
      setCompare(this.compare, { arrow: null, words: NBSP, tone: "none" });
      fitText(this.finish, [NBSP]);
      return [{ node: this.number, texts: [DASH] }];
    }
    fitText(this.exact, this.#amounts(attainment, projection));
    setBar(this.bar, attainment.value, passed(attainment, pace));
    setCompare(this.compare, against(attainment, pace));
    fitText(this.finish, finish(projection));
    return [{ node: this.number, texts: percents(attainment.value).slice(1) }];
  }

  // Goals in money have parts in minor units; what they are in, the projection says. A ratio's goal has none: its parts
  // are those of a division.
  #amounts({ numerator, denominator }, projection) {
    if (!projection) return [NBSP];
    if (projection.unit !== "money") return [partOf(numerator, denominator)];
    const [actual, goal] = [numerator, denominator].map((minor) => minor / this.board.minor_per_major);
    const compact = `${short(actual, "money", 1e6)} of ${short(goal, "money", 1e6)}`;
    return [partOf(actual, goal, projection.currency), partOf(actual, goal), `${compact} ${projection.currency}`, compact];
  }
}

function forWindow(window) {
  return `for ${inWindow(window)}`;
}

// The share of the working time that has passed, as far as the pace tells it.
function passed(attainment, pace) {
  return pace?.value > 0 && attainment.value > 0 ? attainment.value / pace.value : null;
}

function against(attainment, pace) {
  if (attainment.value >= 1) return { arrow: "up", words: "goal reached", tone: "good" };
  if (!pace) return { arrow: null, words: NBSP, tone: "none" };
  if (pace.value === null) return { arrow: null, words: "no working time over yet", tone: "none" };
  const off = Math.round((pace.value - 1) * 100);
  if (off === 0) return { arrow: "flat", words: "on pace", tone: "good" };
  return off > 0
    ? { arrow: "up", words: `${off}% ahead of pace`, tone: "good" }
    : { arrow: "down", words: `${-off}% behind pace`, tone: "bad" };
}

function finish(projection) {
  if (!projection || projection.value === null) return [NBSP];
  const rounded = candidates(projection.value, projection.unit);
  const amounts = projection.unit === "money" ? [`${rounded[1]} ${projection.currency}`, `${short(projection.value, "money", 1e6)} ${projection.currency}`] : rounded;
  return amounts.map((amount) => `heading for ${amount}`);
}
