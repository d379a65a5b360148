// Rows with a bar each: what rankings, funnels and classes are made of.

import { bar, element, fitText, setBar, setChildren, setText } from "../dom.js";
import { DASH, NBSP } from "../format.js";
import { Tile } from "./tile.js";

export class RowsTile extends Tile {
  #rows = new Map();
  #empty = element("p", { class: "empty" });

  constructor(spec, board, grid) {
    super(spec, board, grid);
    this.list = element("div", { class: "rows" });
    this.node.append(this.list);
  }

  // How many rows of which the numbers are large enough fit into the tile.
  most() {
    return this.tall ? 6 : 3;
  }

  // Shows rows: {key, mark, name, share, exact, number, rank}; exact as ways to say it. Without any: why there are none.
  show(rows, nothing) {
    const shown = rows.map((row) => this.#row(row));
    this.list.style.setProperty("--rows", Math.max(shown.length, this.fewest()));
    if (shown.length) return setChildren(this.list, shown);
    setText(this.#empty, nothing);
    setChildren(this.list, [this.#empty]);
  }

  // Rows are no higher than if there were so many of them.
  fewest() {
    return this.most();
  }

  #row({ key, mark, name, share, exact, number, rank = null, flag = "" }) {
    let row = this.#rows.get(key);
    if (!row) {
      const parts = {
        mark: element("span", { class: "rank" }),
        name: element("div", { class: "name" }),
        bar: bar(),
        exact: element("div", { class: "exact" }, NBSP),
        number: element("span", { class: "number" }, DASH),
      };
      const middle = element("div", { class: "middle" }, parts.name, parts.bar, parts.exact);
      row = Object.assign(element("div", { class: "row", "data-name": key }, parts.mark, middle, parts.number), { parts });
      this.#rows.set(key, row);
    }
    if (rank !== null && row.dataset.rank && rank < Number(row.dataset.rank)) {
      row.classList.remove("risen");
      void row.offsetWidth; // so that it flashes anew
      row.classList.add("risen");
    }
    if (rank !== null) row.dataset.rank = rank;
    row.dataset.flag = flag;
    setText(row.parts.mark, mark);
    setText(row.parts.name, name);
    setText(row.parts.number, number);
    fitText(row.parts.exact, exact);
    setBar(row.parts.bar, share);
    return row;
  }
}
