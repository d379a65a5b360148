// A page of tiles: number, exact value, comparison, trend.

import { TILES } from "./config.js";
import { arrow, element, fitAll, setText } from "./dom.js";
import { DASH, NBSP, candidates, comparison, exact, short } from "./format.js";
import { Trend } from "./trend.js";

const SIZES = [7.5, 7, 6.5, 6.25, 6]; // 6rem are 72 points on a screen of 1920 x 1080

export class TilePage {
  node = element("section", { class: "page tiles" });
  #tiles = TILES.map((tile) => new Tile(tile));

  constructor(window) {
    this.window = window;
    this.node.append(...this.#tiles.map((tile) => tile.node));
  }

  hasValues(store) {
    return this.#tiles.some((tile) => store.get(tile.kpi, this.window));
  }

  seed(history) {
    for (const { kpi, window, points } of history) {
      if (window === this.window) this.#tiles.find((tile) => tile.kpi === kpi)?.trend.seed(points);
    }
  }

  take(values, store) {
    // Where windows follow event time, so do the trends; else a point belongs to the moment it was told.
    const replayed = store.page.watermark_bound_ms === null;
    for (const value of values) {
      if (value.window === this.window && Object.keys(value.dimensions).length === 0) {
        this.#tiles.find((tile) => tile.kpi === value.kpi)?.trend.add(value, replayed ? Date.parse(value.watermark ?? value.emitted_at) : store.now());
      }
    }
  }

  render(store, expired) {
    const numbers = this.#tiles.map((tile) => ({ node: tile.number, texts: tile.render(store, this.window, expired) }));
    fitAll(this.node, numbers, SIZES);
  }
}

class Tile {
  constructor({ kpi, label }) {
    this.kpi = kpi;
    this.unit = element("span", { class: "unit" });
    this.number = element("div", { class: "number" }, DASH);
    this.exact = element("div", { class: "exact" }, NBSP);
    this.compare = element("div", { class: "compare" }, NBSP);
    const trendNode = element("div", { class: "trend" });
    this.trend = new Trend(trendNode);
    const head = element("h2", {}, element("span", {}, label), this.unit);
    this.node = element("article", { class: "tile", "data-kpi": kpi }, head, this.number, this.exact, this.compare, trendNode);
  }

  // Shows all but the number, of which it returns the ways to write it.
  render(store, window, expired) {
    const value = store.get(this.kpi, window);
    this.node.dataset.known = String(Boolean(value && value.value !== null && !expired));
    if (!value || expired) {
      setText(this.exact, "no data");
      this.#compare({ arrow: null, words: NBSP, tone: "none" });
      return [DASH];
    }
    setText(this.unit, value.unit === "money" ? (value.currency ?? store.page.currency) : "");
    const before = value.unit === "count" && value.previous !== null ? `from ${short(value.previous, value.unit)}` : NBSP;
    setText(this.exact, exact(value, store.page.currency) || before);
    this.#compare(comparison(value, store.page.better[this.kpi] ?? "none"));
    this.trend.draw();
    return candidates(value.value, value.unit);
  }

  #compare({ arrow: direction, words, tone }) {
    const wanted = `${direction}|${words}|${tone}`;
    if (this.compare.dataset.wanted === wanted) return;
    this.compare.dataset.wanted = wanted;
    this.compare.dataset.tone = tone;
    this.compare.replaceChildren(...(direction ? [arrow(direction)] : []), words);
  }
}
