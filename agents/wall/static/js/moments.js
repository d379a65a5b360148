// Deals won, ranks gained, goals reached: each is shown once, for some seconds, over the heading and never over a number.

import { element, svgElement } from "./dom.js";
import { percents, short } from "./format.js";

const FRESH_MS = 60000;
const SHOWN_MS = 7000;
const PAUSE_MS = 1000;
const MANY = 4; // so many that wait are told together

const ICONS = {
  deal_won: "M12 1l3.2 7.2 7.8.8-5.9 5.2 1.7 7.7L12 18l-6.8 3.9 1.7-7.7L1 9l7.8-.8z",
  rank_up: "M12 2 22 13h-6v9H8v-9H2z",
  goal_reached: "M4 1h3v2h14l-4 5 4 5H7v10H4z",
};

export class Moments {
  #waiting = [];
  #known = new Set();
  #busy = false;

  constructor(node, store) {
    this.node = node;
    this.store = store;
  }

  hear(moment) {
    if (this.#known.has(moment.id) || !this.#isFresh(moment)) return;
    this.#known.add(moment.id);
    this.#waiting.push(moment);
    this.#next();
  }

  #isFresh(moment) {
    return this.store.now() - Date.parse(moment.occurred_at) < FRESH_MS;
  }

  #next() {
    if (this.#busy) return;
    this.#waiting = this.#waiting.filter((moment) => this.#isFresh(moment));
    const wins = this.#waiting.filter(({ kind }) => kind === "deal_won");
    if (wins.length >= MANY) {
      this.#waiting = this.#waiting.filter(({ kind }) => kind !== "deal_won");
      this.#show("deal_won", `${wins.length} deals won`, together(wins));
    } else if (this.#waiting.length) {
      const moment = this.#waiting.shift();
      this.#show(moment.kind, moment.title, worth(moment));
    }
  }

  #show(kind, title, text) {
    this.#busy = true;
    this.node.dataset.shown = String(Number(this.node.dataset.shown ?? 0) + 1);
    this.node.dataset.kind = kind;
    const icon = svgElement("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svgElement("path", { d: ICONS[kind] ?? ICONS.deal_won }));
    this.node.replaceChildren(icon, element("strong", {}, title), element("span", {}, text));
    this.node.hidden = false;
    setTimeout(() => this.#hide(), SHOWN_MS);
  }

  #hide() {
    this.node.hidden = true;
    setTimeout(() => {
      this.#busy = false;
      this.#next();
    }, PAUSE_MS);
  }
}

function worth({ kind, value, unit, currency }) {
  if (value === null || value === undefined) return "";
  if (kind === "goal_reached") return percents(value)[2];
  const amount = short(value, unit);
  return unit === "money" ? `${kind === "deal_won" ? "+" : ""}${amount} ${currency}` : amount;
}

function together(wins) {
  const total = wins.reduce((sum, { value }) => sum + (value ?? 0), 0);
  return total > 0 ? `+${short(total, "money", 1e6)} ${wins[0].currency}` : "";
}
