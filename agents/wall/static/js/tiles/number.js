// A number: exact value, comparison with the window before, and how it has moved lately.

import { element, fitText, setCompare, setText } from "../dom.js";
import { DASH, NBSP, NO_DATA, candidates, comparison, exact, pretty } from "../format.js";
import { Spark } from "../spark.js";
import { Tile } from "./tile.js";

export class NumberTile extends Tile {
  constructor(spec, board, grid) {
    super(spec, board, grid);
    this.number = element("div", { class: "number" }, DASH);
    this.exact = element("div", { class: "exact" }, NBSP);
    this.compare = element("div", { class: "compare" }, NBSP);
    const sparkNode = element("div", { class: "spark" });
    this.spark = new Spark(sparkNode);
    this.node.append(this.number, this.exact, this.compare, sparkNode);
  }

  // What the server remembers of it, if it does: of global series only.
  recentQuery() {
    return Object.keys(this.spec.where).length ? null : { kpi: this.spec.kpis[0], window: this.spec.window };
  }

  seed(points) {
    this.spark.seed(points);
  }

  take(value, store) {
    // Where windows follow event time, so do the points; else a point belongs to the moment it was told.
    const replayed = store.page.watermark_bound_ms === null;
    this.spark.add(value, replayed ? Date.parse(value.watermark ?? value.emitted_at) : store.now());
  }

  // Shows all but the number, of which it returns the ways to write it.
  render(store, expired) {
    const value = expired ? undefined : this.value(store);
    this.node.dataset.known = String(Boolean(value && value.value !== null));
    this.exact.classList.toggle("label", Boolean(value?.label));
    if (!value) {
      fitText(this.exact, expired ? [NO_DATA] : [`nothing${this.ofWhom()} yet`, "nothing yet"]);
      setCompare(this.compare, { arrow: null, words: NBSP, tone: "none" });
      return [{ node: this.number, texts: [DASH] }];
    }
    fitText(this.exact, this.#lines(value));
    setCompare(this.compare, comparison(value, this.board.better[value.kpi] ?? "none"));
    this.spark.draw();
    return [{ node: this.number, texts: candidates(value.value, value.unit) }];
  }

  // What stands under the number: the name of what it is about, its parts, or else what it was before.
  #lines(value) {
    if (value.label) return [pretty(value.label)];
    const said = exact(value, this.board);
    if (said) return [said];
    const before = value.previous === null ? [] : candidates(value.previous, value.unit);
    return before.length ? before.map((text) => `from ${text}`) : [NBSP];
  }
}
