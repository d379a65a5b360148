// The wall: asks what to show, reads the stream of events, and shows it page after page.
//
// Address: page=N begins with that page, pin holds it, window=W shows all over that window, token=T is sent along.

import { Controls } from "./controls.js";
import { setText } from "./dom.js";
import { age, clock, moment } from "./format.js";
import { ageMs, sinceMs, stateOf } from "./freshness.js";
import { Moments } from "./moments.js";
import { Page } from "./page.js";
import { apiUrl, getAtLast, listen } from "./server.js";
import { Store } from "./store.js";
import { WINDOWS } from "./windows.js";

const QUALITY = { live: "live", catching_up: "catching up", partial: "partial", stale: "stale" };
const RENDER_MS = 500;
const REFRESH_MS = 15000;

const given = new URLSearchParams(location.search).get("window");
const over = given in WINDOWS ? { window: given } : {};
const node = Object.fromEntries(
  ["pages", "title", "subtitle", "chip", "clock", "watermark", "quality", "age", "moment"].map((id) => [id, document.getElementById(id)]),
);
const store = new Store();
const moments = new Moments(node.moment, store);
let board = null;
let pages = [];
let controls = null;

function take(values) {
  // Another playlist than the one that is shown, or another version of this page: begin anew.
  if (board && store.page.version && store.page.version !== board.version) location.reload();
  for (const page of pages) page.take(values, store);
  render();
}

function render() {
  const state = stateOf(store);
  const { watermark, quality, as_of } = store.freshness;
  document.body.dataset.state = state;
  document.body.dataset.quality = quality;
  const zone = store.page.zone;
  const now = store.now();
  setText(node.clock, clock(now, zone));
  setText(node.watermark, watermark ? moment(Date.parse(watermark), now, zone, true) : "–");
  setText(node.age, as_of ? age(ageMs(store)) : "–");
  setText(node.quality, state === "waiting" ? "waiting for data" : state === "live" || state === "amber" ? QUALITY[quality] : "stale");
  setText(node.chip, chip(state, now, zone));
  const page = pages[controls?.current ?? 0];
  if (!page) return;
  setText(node.title, page.title);
  setText(node.subtitle, page.subtitle());
  for (const other of pages) other.node.classList.toggle("shown", other === page);
  page.render(store, state === "expired" || state === "waiting");
}

function chip(state, now, zone) {
  if (state === "stale" || state === "expired") {
    return store.freshness.as_of ? `STALE since ${moment(sinceMs(store), now, zone)}` : "NO DATA";
  }
  if (state === "amber") return `DELAYED by ${age(ageMs(store))}`;
  return state === "waiting" ? "connecting" : "";
}

async function refresh() {
  await pages[controls.current]?.refresh();
  render();
}

async function begin() {
  render();
  board = await getAtLast(apiUrl("wall", over));
  pages = board.pages.map((page) => new Page(page, board));
  node.pages.append(...pages.map((page) => page.node));
  controls = new Controls({
    count: pages.length,
    rotateMs: board.rotate_ms,
    passOver: (index) => !pages[index].hasValues(store),
    show: () => {
      render();
      refresh();
    },
  });
  listen(apiUrl("stream", { wall: true, ...over }), {
    snapshot: (data) => take(store.snapshot(data)),
    delta: (data) => take(store.delta(data)),
    moment: (data) => moments.hear(data),
  });
  render();
  setInterval(render, RENDER_MS);
  setInterval(refresh, REFRESH_MS);
  addEventListener("resize", render);
  // Of all pages once: one that has no value to show is passed over, and history is not in the stream.
  for (const page of pages) await Promise.all([page.seed(), page.refresh()]);
  render();
}

begin();
