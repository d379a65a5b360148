// A deal won, a new leader: shown once each. While history is read again nothing is shown, and what it brings back is
// not new: deals are counted over all time, and only more than ever before is a win.

import { element } from "./dom.js";
import { short } from "./format.js";

const SHOWN_MS = 7000;
const PIECES = 28;

export class Moments {
  #most = null;
  #revenue = null;
  #byRep = new Map();
  #leader = null;
  #announced = new Set();
  #queue = [];
  #timer = null;
  shown = 0;

  constructor(node) {
    this.node = node;
  }

  // Looks at what a snapshot or delta has brought.
  look(store, boardWindow) {
    if (store.freshness.quality !== "live") return;
    this.#wins(store);
    this.#leaders(store, boardWindow);
  }

  #wins(store) {
    const count = store.get("deals_won", "all")?.value;
    if (count === undefined || count === null) return;
    const revenue = store.get("revenue", "all")?.value ?? null;
    const byRep = new Map(store.ranking("deals_won", "rep", "all").map(([rep, value]) => [rep, value.value ?? 0]));
    if (this.#most !== null && count > this.#most) {
      const won = count - this.#most;
      const winners = [...byRep].filter(([rep, deals]) => deals > (this.#byRep.get(rep) ?? 0)).map(([rep]) => rep);
      const gain = revenue !== null && this.#revenue !== null ? revenue - this.#revenue : 0;
      const money = gain > 0 ? `+${short(gain, "money")} ${store.page.currency}` : "";
      const names = winners.length <= 3 ? winners.join(", ") : `${winners.length} reps`;
      this.#show(won === 1 ? "Deal won" : `${won} deals won`, [names, money].filter(Boolean).join(" · "), true);
    }
    this.#most = count; // it never falls while live, unless the world has been made anew
    this.#revenue = revenue;
    this.#byRep = byRep;
  }

  #leaders(store, window) {
    const [first, second] = store.ranking("revenue", "rep", window);
    if (!first || !(first[1].value > (second?.[1].value ?? 0))) return;
    const [leader, value] = first;
    const key = `${value.window_start}|${leader}`;
    if (this.#leader !== null && this.#leader !== leader && !this.#announced.has(key)) {
      this.#show("New number one", leader, false);
    }
    this.#announced.add(key);
    this.#leader = leader;
  }

  #show(title, text, festive) {
    this.#queue.push([title, text, festive]);
    if (this.#timer === null) this.#next();
  }

  #next() {
    const moment = this.#queue.shift();
    this.node.hidden = !moment;
    this.#timer = moment ? setTimeout(() => this.#next(), SHOWN_MS) : null;
    if (!moment) return;
    const [title, text, festive] = moment;
    this.shown += 1;
    this.node.dataset.shown = String(this.shown);
    this.node.replaceChildren(element("strong", {}, title), element("span", {}, text), ...(festive ? pieces() : []));
  }
}

function pieces() {
  return Array.from({ length: PIECES }, (_, index) => {
    const piece = element("i", { "aria-hidden": "true" });
    piece.style.left = `${((index * 37) % PIECES) * (100 / PIECES)}%`;
    piece.style.animationDelay = `${-((index * 53) % 50) / 10}s`;
    return piece;
  });
}
