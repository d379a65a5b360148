// A deal won, a new leader: shown once each. While history is read again nothing is shown, and what it brings back is
// not new: deals are counted over all time, and only more than ever before is a win.

import { element } from "./dom.js";
import { short } from "./format.js";

const SHOWN_MS = 7000;
const PAUSE_MS = 20000; // on a busy floor: what comes meanwhile is shown together
const PIECES = 28;

export class Moments {
  #most = null;
  #revenue = 0;
  #byRep = new Map();
  #leader = null;
  #announced = new Set();
  #won = nothingWon();
  #promoted = null;
  #timer = null;

  constructor(node) {
    this.node = node;
  }

  // Looks at what a snapshot or delta has brought.
  look(store, boardWindow) {
    if (store.freshness.quality !== "live") return;
    this.#wins(store);
    this.#leaders(store, boardWindow);
    if (this.#timer === null) this.#next();
  }

  #wins(store) {
    const count = store.get("deals_won", "all")?.value;
    if (count === undefined || count === null) return;
    const revenue = store.get("revenue", "all")?.value ?? 0;
    const byRep = new Map(store.ranking("deals_won", "rep", "all").map(([rep, value]) => [rep, value.value ?? 0]));
    if (this.#most !== null && count > this.#most) {
      this.#won.deals += count - this.#most;
      this.#won.money += revenue - this.#revenue;
      for (const [rep, deals] of byRep) if (deals > (this.#byRep.get(rep) ?? 0)) this.#won.reps.add(rep);
      this.#won.currency = store.page.currency;
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
      this.#promoted = leader;
    }
    this.#announced.add(key);
    this.#leader = leader;
  }

  #next() {
    const { deals, money, reps, currency } = this.#won;
    this.#timer = null;
    if (deals) {
      const names = reps.size <= 3 ? [...reps].join(", ") : `${reps.size} reps`;
      const gain = money > 0 ? `+${short(money, "money")} ${currency}` : "";
      this.#won = nothingWon();
      this.#show(deals === 1 ? "Deal won" : `${deals} deals won`, [names, gain].filter(Boolean).join(" · "), pieces());
    } else if (this.#promoted !== null) {
      const leader = this.#promoted;
      this.#promoted = null;
      this.#show("New number one", leader, []);
    }
  }

  #show(title, text, decoration) {
    this.node.dataset.shown = String(Number(this.node.dataset.shown ?? 0) + 1);
    this.node.replaceChildren(element("strong", {}, title), element("span", {}, text), ...decoration);
    this.node.hidden = false;
    this.#timer = setTimeout(() => {
      this.node.hidden = true;
      this.#timer = setTimeout(() => this.#next(), PAUSE_MS);
    }, SHOWN_MS);
  }
}

function nothingWon() {
  return { deals: 0, money: 0, reps: new Set(), currency: "" };
}

function pieces() {
  return Array.from({ length: PIECES }, (_, index) => {
    const piece = element("i", { "aria-hidden": "true" });
    piece.style.left = `${((index * 37) % PIECES) * (100 / PIECES)}%`;
    piece.style.animationDelay = `${((index * 53) % 25) / 10}s`;
    return piece;
  });
}
