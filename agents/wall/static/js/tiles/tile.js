// What all tiles have: a place on the page, a title, and a line that says over which window and of what.

import { element, setText } from "../dom.js";
import { pretty } from "../format.js";
import { windowName } from "../windows.js";

export class Tile {
  #about = element("p", { class: "about" });

  constructor(spec, board, grid) {
    this.spec = spec;
    this.board = board;
    this.head = element("div", { class: "head" }, element("h2", {}, spec.title), this.#about);
    this.node = element("article", { class: "tile", "data-kind": spec.kind, "data-kpi": spec.kpis[0] }, this.head);
    const { column, row, width, height } = spec.place;
    this.node.classList.toggle("wide", width * 2 >= grid.columns);
    this.tall = height === grid.rows;
    this.node.style.gridColumn = `${column} / span ${width}`;
    this.node.style.gridRow = `${row} / span ${height}`;
  }

  // Says what the tile is about: the window where the page's heading does not, and of whom where its title does not.
  describe(withWindow) {
    const where = this.spec.titled ? [] : this.#conditions();
    setText(this.#about, [...(withWindow ? [this.windowText()] : []), ...where].join(" · "));
  }

  windowText() {
    return windowName(this.spec.window);
  }

  // The value of one of its KPIs, of the series it is about.
  value(store, kpi = this.spec.kpis[0]) {
    return store.get(kpi, this.spec.window, this.spec.where);
  }

  hasValues(store) {
    return Boolean(this.value(store));
  }

  // Of whom it is, in a sentence: " of rep r-7".
  ofWhom() {
    const where = this.#conditions();
    return where.length ? ` of ${where.join(", ")}` : "";
  }

  #conditions() {
    return Object.entries(this.spec.where).map(([name, value]) => `${pretty(name).toLowerCase()} ${value}`);
  }
}
