// Customers by what they bought: few make most of the revenue, and here they are counted.

import { DASH, NBSP, NO_DATA, candidates, percents, short } from "../format.js";
import { RowsTile } from "./rows.js";

const CLASSES = ["A", "B", "C"];

export class AbcTile extends RowsTile {
  #of(store, kpi, name) {
    return store.get(kpi, this.spec.window, { ...this.spec.where, [this.spec.by]: name });
  }

  hasValues(store) {
    return CLASSES.some((name) => this.#of(store, this.spec.kpis[0], name));
  }

  render(store, expired) {
    const [counts, revenues, shares] = this.spec.kpis.map((kpi) => CLASSES.map((name) => this.#of(store, kpi, name)));
    const all = counts.reduce((sum, count) => sum + (count?.value ?? 0), 0);
    const rows = CLASSES.map((name, index) => {
      const share = expired ? null : (shares[index]?.value ?? null);
      return {
        key: name,
        mark: name,
        name: expired ? NBSP : customers(counts[index]?.value ?? 0),
        share: share ?? 0,
        number: share === null ? DASH : percents(share)[1],
        exact: expired ? [NO_DATA] : lines(counts[index]?.value ?? 0, all, revenues[index]),
      };
    });
    this.show(all > 0 || expired ? rows : [], "No customer has bought yet");
    return [];
  }

  windowText() {
    return "share of the revenue to date";
  }

  describe() {
    super.describe(true); // what its numbers are a share of is said on any page
  }

  fewest() {
    return CLASSES.length;
  }
}

function customers(count) {
  return `${candidates(count, "count")[0]} ${count === 1 ? "customer" : "customers"}`;
}

function lines(count, all, revenue) {
  const part = `${percents(all > 0 ? count / all : 0)[1]} of all`;
  if (!revenue || revenue.value === null) return [part];
  const texts = [candidates(revenue.value, "money")[1], short(revenue.value, "money", 1e6)];
  return [...texts.map((text) => `${part} · ${text} ${revenue.currency}`), part];
}
