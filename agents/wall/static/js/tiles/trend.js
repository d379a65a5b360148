// A trend: a KPI hour by hour or day by day, under what it comes to over all of them.

import { element, fitText, setCompare, setText, svgElement } from "../dom.js";
import { DASH, NBSP, NO_DATA, candidates, clock, comparison, day, dayAndMonth, short } from "../format.js";
import { windowName } from "../windows.js";
import { Tile } from "./tile.js";

const HOUR_MS = 3600000;
const DAYS = { "7d": 7, "30d": 30 };

export class TrendTile extends Tile {
  #points = [];
  #drawn = "";

  constructor(spec, board, grid) {
    super(spec, board, grid);
    this.number = element("div", { class: "number" }, DASH);
    this.exact = element("div", { class: "exact" }, NBSP);
    this.compare = element("div", { class: "compare" }, NBSP);
    this.chart = svgElement("svg", { class: "bars", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.empty = element("p", { class: "empty" });
    this.from = element("span");
    this.to = element("span");
    const axis = element("div", { class: "axis" }, this.from, this.to);
    this.node.append(this.number, this.exact, this.compare, element("div", { class: "chart" }, this.chart, this.empty), axis);
  }

  windowText() {
    return `${windowName(this.spec.window)}, ${this.spec.step === "1h" ? "by the hour" : "by the day"}`;
  }

  describe() {
    super.describe(true); // that the bars are hours or days is said on any page
  }

  historyQuery() {
    return { kpi: this.spec.kpis[0], step: this.spec.step, where: this.spec.where };
  }

  setHistory({ points, unit, currency }) {
    this.#points = points.map(({ start, value }) => ({ start: Date.parse(start), value }));
    this.unit = unit;
    this.currency = currency;
  }

  hasValues(store) {
    return super.hasValues(store) || this.#points.length > 0;
  }

  render(store, expired) {
    const value = expired ? undefined : this.value(store);
    setCompare(this.compare, comparison(value, this.board.better[this.spec.kpis[0]] ?? "none"));
    setText(this.empty, expired ? NO_DATA : "no history yet");
    this.#draw(expired ? [] : this.#shown(store), store.page.zone);
    return [{ node: this.number, texts: candidates(value?.value, value?.unit) }];
  }

  // The points of the window: the newest so many days, or of to-date windows those of the period.
  #shown(store) {
    const { window } = this.spec;
    const zone = store.page.zone;
    if (window in DAYS) return this.#points.slice(-DAYS[window]);
    const newest = this.#points.at(-1)?.start ?? 0;
    if (window === "24h") return this.#points.filter(({ start }) => start > newest - 24 * HOUR_MS);
    if (window === "today") return this.#points.filter(({ start }) => day(start, zone) === day(newest, zone));
    const begun = Date.parse(this.value(store)?.window_start ?? 0);
    return this.#points.filter(({ start }) => start >= begun);
  }

  #draw(points, zone) {
    const wanted = JSON.stringify(points);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    const values = points.map(({ value }) => value).filter((value) => value !== null);
    this.node.dataset.points = points.length;
    this.empty.hidden = values.length > 0;
    this.chart.replaceChildren(...(values.length ? bars(points) : []));
    this.chart.setAttribute("viewBox", `0 0 ${Math.max(1, points.length) * 10} 100`);
    const name = (at) => (this.spec.step === "1h" ? clock(at, zone) : dayAndMonth(at, zone));
    setText(this.from, points.length ? name(points[0].start) : NBSP);
    setText(this.to, points.length ? (this.spec.step === "1h" ? "now" : "today") : NBSP);
    const found = extreme(points, this.board.better[this.spec.kpis[0]] ?? "none");
    const said = found && `${found.word}: ${short(found.point.value, this.unit, 1e6)}`;
    fitText(this.exact, found ? [`${said}, ${name(found.point.start)}`, said] : [NBSP]);
  }
}

// The point that is worth naming: the best one, or the highest where neither direction is better.
function extreme(points, better) {
  const known = points.filter(({ value }) => value !== null);
  if (!known.length) return null;
  const sign = better === "lower" ? -1 : 1;
  const point = known.reduce((one, other) => (sign * (other.value - one.value) > 0 ? other : one));
  return { point, word: better === "none" ? "highest" : "best" };
}

// A bar a point, from nothing up or down; what is unknown has none, and the last one is not over yet.
function bars(points) {
  const values = points.map(({ value }) => value ?? 0);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = 100 / (high - low || 1);
  return points.map(({ value }, index) => {
    const height = value === null ? 0 : Math.max(1.5, Math.abs(value) * scale);
    const y = value !== null && value < 0 ? high * scale : high * scale - height;
    const open = index === points.length - 1 ? "open" : "";
    return svgElement("rect", { class: open, x: index * 10 + 1, width: 8, y: y.toFixed(2), height: height.toFixed(2) });
  });
}
