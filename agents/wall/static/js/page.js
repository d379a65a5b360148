// A page of the playlist: tiles on a grid, and what its heading says of them all.

import { element, fitAll } from "./dom.js";
import { apiUrl, getOrNull } from "./server.js";
import { makeTile } from "./tiles/make.js";
import { WINDOWS } from "./windows.js";

const SIZES = [7.5, 7, 6.5, 6.25, 6]; // 6rem are 72 points on a screen of 1920 x 1080
const LARGE_SIZES = [12, 11, 10, 9, 8, ...SIZES]; // where a tile has twice the room
const KEEPS_OWN_WINDOW = ["trend", "heat", "abc"];

export class Page {
  constructor(spec, board) {
    this.title = spec.title;
    this.tiles = spec.tiles.map((tile) => makeTile(tile, board, spec));
    this.node = element("section", { class: "page", "aria-label": spec.title }, ...this.tiles.map((tile) => tile.node));
    this.node.style.gridTemplate = `repeat(${spec.rows}, minmax(0, 1fr)) / repeat(${spec.columns}, minmax(0, 1fr))`;
    this.sizes = spec.rows === 1 || spec.columns === 2 ? LARGE_SIZES : SIZES;
    this.node.dataset.rows = spec.rows;
    const windows = new Set(spec.tiles.filter((tile) => !KEEPS_OWN_WINDOW.includes(tile.kind)).map((tile) => tile.window));
    this.window = windows.size === 1 ? [...windows][0] : null;
    this.compares = spec.tiles.some((tile) => tile.kind === "number");
    for (const tile of this.tiles) tile.describe(this.window === null);
  }

  // What stands beside the title: the window of all tiles, and what they are compared with.
  subtitle() {
    if (this.window === null) return this.compares ? "each against the period before" : "";
    const [name, before] = WINDOWS[this.window];
    if (before === null) return "all time, since the first event";
    return this.compares ? `${name.toLowerCase()}, against ${before}` : name.toLowerCase();
  }

  hasValues(store) {
    return this.tiles.some((tile) => tile.hasValues(store));
  }

  render(store, expired) {
    const numbers = this.tiles.flatMap((tile) => tile.render(store, expired));
    if (numbers.length) fitAll(this.node, numbers, this.sizes);
  }

  // Hands on values that have just come to those who remember how they moved.
  take(values, store) {
    for (const value of values) {
      for (const tile of this.tiles) if (tile.take && tile.value(store) === value) tile.take(value, store);
    }
  }

  // What numbers remember of the time before the page was opened.
  async seed() {
    const tiles = this.tiles.filter((tile) => tile.recentQuery?.());
    for (const window of new Set(tiles.map((tile) => tile.spec.window))) {
      const kpis = [...new Set(tiles.filter((tile) => tile.spec.window === window).map((tile) => tile.spec.kpis[0]))];
      const found = await getOrNull(apiUrl("recent", { kpi: kpis.join(","), window }));
      for (const { kpi, points } of found?.series ?? []) {
        for (const tile of tiles) if (tile.spec.kpis[0] === kpi && tile.spec.window === window) tile.seed(points);
      }
    }
  }

  // What trends and heats show: asked for when the page comes up, and while it is shown.
  async refresh() {
    for (const tile of this.tiles) {
      if (!tile.historyQuery) continue;
      const { kpi, step, where } = tile.historyQuery();
      const url = apiUrl("history", { kpi, step });
      for (const [name, value] of Object.entries(where)) url.searchParams.append("where", `${name}:${value}`);
      const found = await getOrNull(url);
      if (found) tile.setHistory(found.series[0]);
    }
  }
}
