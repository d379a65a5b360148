// A page of two panels: leaderboards and the funnel.

import { ROWS } from "./config.js";
import { bar, element, setBar, setText } from "./dom.js";
import { DASH, NBSP, candidates, exact, short } from "./format.js";

export class PanelPage {
  node = element("section", { class: "page columns" });

  constructor(window, panels) {
    this.window = window;
    this.panels = panels.map((panel) => (panel.board ? new Board(panel) : new Funnel(panel)));
    this.node.append(...this.panels.map((panel) => panel.node));
  }

  hasValues(store) {
    return this.panels.some((panel) => panel.hasValues(store, this.window));
  }

  render(store, expired) {
    for (const panel of this.panels) panel.render(store, this.window, expired);
  }
}

class Board {
  #rows = new Map();

  constructor({ board, title }) {
    this.dimension = board;
    this.list = element("div", { class: "rows" });
    this.node = element("section", { class: "panel", "data-board": board }, element("h2", {}, title), this.list);
  }

  hasValues(store, window) {
    return store.ranking("revenue", this.dimension, window).length > 0;
  }

  render(store, window, expired) {
    const ranking = store.ranking("revenue", this.dimension, window);
    const shown = ranking.slice(0, ROWS);
    const best = Math.max(0, ...shown.map(([, value]) => value.value ?? 0));
    const rows = shown.map(([name, value]) => this.#row(name, value, rankOf(value, ranking), best, store, expired));
    if (!rows.length) rows.push(this.#nothing());
    if (rows.some((row, index) => this.list.children[index] !== row) || this.list.children.length !== rows.length) {
      this.list.replaceChildren(...rows);
    }
  }

  #row(name, value, rank, best, store, expired) {
    let row = this.#rows.get(name);
    if (!row) {
      const parts = { rank: element("span", { class: "rank" }), bar: bar(), exact: element("div", { class: "exact" }), number: element("span", { class: "number" }) };
      const middle = element("div", {}, element("div", { class: "name" }, name), parts.bar, parts.exact);
      row = Object.assign(element("div", { class: "row", "data-name": name }, parts.rank, middle, parts.number), { parts });
      this.#rows.set(name, row);
    }
    if (row.dataset.rank && rank < Number(row.dataset.rank)) {
      row.classList.remove("risen");
      void row.offsetWidth; // so that it flashes anew
      row.classList.add("risen");
    }
    row.dataset.rank = rank;
    setText(row.parts.rank, String(rank));
    setText(row.parts.number, expired || value.value === null ? DASH : short(value.value, "money", best));
    setText(row.parts.exact, expired ? "no data" : exact(value, store.page.currency));
    setBar(row.parts.bar, best > 0 ? (value.value ?? 0) / best : 0);
    return row;
  }

  #nothing() {
    this.empty ??= element("p", { class: "empty" }, `No sales by ${this.dimension} yet`);
    return this.empty;
  }
}

// Equals share a rank: 1, 2, 2, 4.
function rankOf(value, ranking) {
  return 1 + ranking.filter(([, other]) => (other.value ?? -Infinity) > (value.value ?? -Infinity)).length;
}

class Funnel {
  constructor({ funnel, title }) {
    this.steps = funnel.map(({ kpi, label }) => {
      const parts = { kpi, label, bar: bar(), exact: element("div", { class: "exact" }, NBSP), number: element("span", { class: "number" }, DASH) };
      const left = element("div", {}, element("div", { class: "name" }, label), parts.bar, parts.exact);
      return { ...parts, node: element("div", { class: "step", "data-kpi": kpi }, left, parts.number) };
    });
    const list = element("div", { class: "funnel" }, ...this.steps.map((step) => step.node));
    this.node = element("section", { class: "panel", "data-funnel": "" }, element("h2", {}, title), list);
  }

  hasValues(store, window) {
    return this.steps.some((step) => store.get(step.kpi, window));
  }

  render(store, window, expired) {
    const values = this.steps.map((step) => (expired ? null : (store.get(step.kpi, window)?.value ?? null)));
    const widest = Math.max(0, ...values);
    this.steps.forEach((step, index) => {
      const [value, before] = [values[index], values[index - 1] ?? null];
      setText(step.number, value === null ? DASH : short(value, "count"));
      setBar(step.bar, widest > 0 ? (value ?? 0) / widest : 0);
      const share = value !== null && before > 0 ? `${candidates(value / before, "ratio")[1]} of ${this.steps[index - 1].label.toLowerCase()}` : NBSP;
      setText(step.exact, value === null ? (expired ? "no data" : "unknown") : share);
    });
  }
}
