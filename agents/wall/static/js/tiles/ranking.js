// A ranking: a KPI by one dimension, the highest first.

import { DASH, NO_DATA, exact, pretty, short } from "../format.js";
import { inWindow } from "../windows.js";
import { RowsTile } from "./rows.js";

export class RankingTile extends RowsTile {
  // Who is in it; whoever has lost all events to others has no rank any more.
  #ranking(store) {
    const { by, kpis, window, where } = this.spec;
    return store.ranking(by, kpis[0], window, where).filter(([, value]) => value.rank !== null);
  }

  hasValues(store) {
    return this.#ranking(store).length > 0;
  }

  render(store, expired) {
    const ranking = this.#ranking(store);
    const shown = ranking.slice(0, this.most());
    const best = Math.max(0, ...shown.map(([, value]) => value.value ?? 0));
    // The order says who is ahead as well.
    if (expired) shown.sort(([one], [other]) => one.localeCompare(other));
    const rows = shown.map(([name, value]) => {
      const rank = expired ? null : (value.rank ?? rankOf(value, ranking));
      return {
        key: name,
        mark: rank === null ? DASH : String(rank),
        rank,
        name,
        share: !expired && best > 0 ? (value.value ?? 0) / best : 0,
        number: expired || value.value === null ? DASH : short(value.value, value.unit, best),
        exact: [expired ? NO_DATA : exact(value, this.board) || "\u00a0"],
      };
    });
    this.show(rows, expired ? NO_DATA : `Nothing by ${pretty(this.spec.by).toLowerCase()} ${inWindow(this.spec.window)}`);
    return [];
  }
}

// Equals share a rank: 1, 2, 2, 4.
function rankOf(value, ranking) {
  return 1 + ranking.filter(([, other]) => (other.value ?? -Infinity) > (value.value ?? -Infinity)).length;
}
