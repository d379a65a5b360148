// Funnels: how many go on from each stage, or how many are left at each of several steps.

import { DASH, NBSP, NO_DATA, partOf, percents, pretty, short } from "../format.js";
import { inWindow } from "../windows.js";
import { RowsTile } from "./rows.js";

// By stage: of those who came into it, the share that went on; the weakest is named as such.
export class StagesTile extends RowsTile {
  #stages(store) {
    const { by, kpis, window, where } = this.spec;
    const place = new Map(this.board.stages.map((stage, index) => [stage, index]));
    const order = (stage) => place.get(stage) ?? place.size;
    return store.by(by, kpis[0], window, where).sort(([one], [other]) => order(one) - order(other) || one.localeCompare(other));
  }

  hasValues(store) {
    return this.#stages(store).length > 0;
  }

  render(store, expired) {
    const stages = this.#stages(store).slice(0, this.most());
    const widest = Math.max(0, ...stages.map(([, value]) => value.denominator ?? 0));
    const weakest = this.spec.kpis[1] ? this.value(store, this.spec.kpis[1])?.label : undefined;
    const rows = stages.map(([stage, value]) => ({
      key: stage,
      mark: "",
      name: pretty(stage),
      flag: !expired && stage === weakest ? "weakest" : "",
      share: !expired && widest > 0 ? (value.denominator ?? 0) / widest : 0,
      number: expired || value.value === null ? DASH : percents(value.value)[1],
      exact: [expired ? NO_DATA : went(value)],
    }));
    this.show(rows, expired ? NO_DATA : `No lead came into a stage ${inWindow(this.spec.window)}`);
    return [];
  }

  fewest() {
    return Math.min(this.most(), Math.max(5, this.list.children.length));
  }
}

function went({ numerator, denominator, unit }) {
  if (unit !== "ratio" || denominator === null) return NBSP;
  return denominator > 0 ? partOf(numerator, denominator, "went on") : "nobody came in";
}

// By KPI: each step is a part of the one before.
export class StepsTile extends RowsTile {
  hasValues(store) {
    return this.spec.kpis.some((kpi) => this.value(store, kpi));
  }

  render(store, expired) {
    const found = this.spec.kpis.map((kpi) => this.value(store, kpi));
    const values = found.map((value) => (expired ? null : (value?.value ?? null)));
    const widest = Math.max(0, ...values);
    const rows = this.spec.kpis.map((kpi, index) => ({
      key: kpi,
      mark: "",
      name: this.board.titles[kpi],
      share: widest > 0 ? (values[index] ?? 0) / widest : 0,
      number: values[index] === null ? DASH : short(values[index], found[index].unit, widest),
      exact: [expired ? NO_DATA : this.#share(values, index)],
    }));
    this.show(rows.slice(0, this.most()), "");
    return [];
  }

  #share(values, index) {
    if (values[index] === null) return "unknown";
    const before = values[index - 1] ?? null;
    if (!(before > 0)) return NBSP;
    return `${percents(values[index] / before)[1]} of ${this.board.titles[this.spec.kpis[index - 1]].toLowerCase()}`;
  }

  fewest() {
    return this.spec.kpis.length;
  }
}
