// The wall: reads the stream of events and shows it, page after page.
//
// Address parameters: page=N stays on one page, window=W shows every page over that window, token=T is sent along.

import { PAGES, PAGE_SECONDS, TILES, WINDOWS, selectors } from "./config.js";
import { setText } from "./dom.js";
import { age, clock, moment } from "./format.js";
import { ageMs, sinceMs, stateOf } from "./freshness.js";
import { Moments } from "./moments.js";
import { PanelPage } from "./panels.js";
import { Store } from "./store.js";
import { TilePage } from "./tiles.js";

const given = new URLSearchParams(location.search);
const frozenWindow = given.get("window") in WINDOWS ? given.get("window") : null;
const frozenPage = Number.parseInt(given.get("page"), 10) - 1;
const node = Object.fromEntries(
  ["pages", "window-title", "compared", "chip", "clock", "watermark", "quality", "age", "dots", "moment"].map((id) => [id, document.getElementById(id)]),
);
const QUALITY = { live: "live", catching_up: "catching up", partial: "partial", stale: "stale" };

const store = new Store();
const moments = new Moments(node.moment);
const pages = PAGES.map(({ kind, window, panels }) =>
  kind === "tiles" ? new TilePage(frozenWindow ?? window) : new PanelPage(frozenWindow ?? window, panels),
);
const boardWindow = pages.find((page) => page instanceof PanelPage).window;
let current = PAGES[frozenPage] ? frozenPage : 0;

function apiUrl(path, parameters) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  if (given.get("token")) url.searchParams.set("token", given.get("token"));
  return url;
}

function listen() {
  const windows = [...new Set([...pages.map((page) => page.window), "all"])];
  const source = new EventSource(apiUrl("stream", { kpis: selectors().join(","), window: windows.join(",") }));
  source.addEventListener("snapshot", (event) => take(store.snapshot(JSON.parse(event.data))));
  source.addEventListener("delta", (event) => take(store.delta(JSON.parse(event.data))));
  source.addEventListener("error", () => {
    // The browser comes back by itself after a lost connection, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
}

function take(values) {
  for (const page of pages) page.take?.(values, store);
  moments.look(store, boardWindow);
  render();
}

async function seed() {
  const windows = [...new Set(pages.filter((page) => page.seed).map((page) => page.window))];
  try {
    const kpis = TILES.map((tile) => tile.kpi).join(",");
    const answer = await fetch(apiUrl("history", { kpi: kpis, window: windows.join(",") }));
    if (!answer.ok) return;
    const { series } = await answer.json();
    for (const page of pages) page.seed?.(series);
  } catch {
    // The trends begin now, then.
  }
}

function render() {
  const state = stateOf(store);
  const { watermark, quality } = store.freshness;
  document.body.dataset.state = state;
  document.body.dataset.quality = quality;
  const zone = store.page.zone;
  const now = store.now();
  setText(node.clock, clock(now, zone));
  setText(node.watermark, watermark ? moment(Date.parse(watermark), now, zone, true) : "–");
  setText(node.age, store.freshness.as_of ? age(ageMs(store)) : "–");
  setText(node.quality, state === "waiting" ? "waiting for data" : state === "live" || state === "amber" ? QUALITY[quality] : "stale");
  setText(node.chip, chip(state, now, zone));
  const [title, before] = WINDOWS[pages[current].window];
  setText(node["window-title"], title);
  const compares = pages[current] instanceof TilePage;
  setText(node.compared, before === null ? "since the first event" : compares ? `against ${before}` : "");
  setText(node.dots, `page ${current + 1} of ${pages.length}`);
  pages.forEach((page, index) => page.node.classList.toggle("shown", index === current));
  pages[current].render(store, state === "expired" || state === "waiting");
}

function chip(state, now, zone) {
  if (state === "stale" || state === "expired") {
    return store.freshness.as_of ? `STALE since ${moment(sinceMs(store), now, zone)}` : "NO DATA";
  }
  if (state === "amber") return `DELAYED by ${age(ageMs(store))}`;
  return state === "waiting" ? "connecting" : "";
}

function turn() {
  const order = pages.map((_, step) => (current + 1 + step) % pages.length);
  current = order.find((index) => pages[index].hasValues(store)) ?? current;
  render();
}

node.pages.append(...pages.map((page) => page.node));
render();
listen();
seed();
setInterval(render, 500);
if (!PAGES[frozenPage]) setInterval(turn, PAGE_SECONDS * 1000);
addEventListener("resize", render);
