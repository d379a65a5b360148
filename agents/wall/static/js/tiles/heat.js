// The heat of the week: how a KPI falls on the hours of the last seven days.

import { element, setText } from "../dom.js";
import { DASH, NBSP, NO_DATA, candidates, dayAndMonth, short, weekday } from "../format.js";
import { Tile } from "./tile.js";

const DAYS = 7;
const FEWEST_HOURS = 8;
const LEVELS = 6;
const DAY_REM = 17; // the names of the days, and the sides
const LABEL_REM = 3.2;

export class HeatTile extends Tile {
  #points = [];
  #zone = "";
  #drawn = "";

  constructor(spec, board, grid) {
    super(spec, board, grid);
    this.number = element("div", { class: "number" }, DASH);
    this.exact = element("div", { class: "exact" }, NBSP);
    this.grid = element("div", { class: "hours" });
    this.empty = element("p", { class: "empty" });
    this.legend = element("div", { class: "legend" });
    this.head.append(element("div", { class: "peak" }, this.exact, this.number));
    this.node.append(this.grid, this.empty, this.legend);
  }

  windowText() {
    return "by the hour, last 7 days";
  }

  describe() {
    super.describe(true);
  }

  historyQuery() {
    return { kpi: this.spec.kpis[0], step: "1h", where: this.spec.where };
  }

  setHistory({ points, unit, currency }) {
    this.#points = points;
    this.unit = unit;
    this.currency = currency;
  }

  hasValues() {
    return this.#points.length > 0;
  }

  render(store, expired) {
    this.#zone = store.page.zone;
    setText(this.empty, expired ? NO_DATA : "no history yet");
    const points = expired ? [] : this.#points;
    const wanted = JSON.stringify([points, this.#zone]);
    if (wanted !== this.#drawn) {
      this.#drawn = wanted;
      this.#draw(points);
    }
    return [];
  }

  #draw(points) {
    const days = daysOf(points, this.#zone, this.unit);
    const cells = days.flatMap(({ hours }) => [...hours.values()]).filter((cell) => cell.value !== null);
    const peak = cells.reduce((one, other) => (other.value > (one?.value ?? 0) ? other : one), null);
    this.empty.hidden = cells.length > 0;
    this.node.dataset.points = cells.length;
    setText(this.number, peak ? short(peak.value, this.unit, 1e6) : DASH);
    setText(this.exact, peak ? `most: ${weekday(peak.at, this.#zone)} ${dayAndMonth(peak.at, this.#zone)}, ${hour(peak.hour)}–${hour(peak.hour + 1)}` : NBSP);
    this.grid.replaceChildren(...(cells.length ? this.#cells(days, span(cells), peak) : []));
    this.legend.replaceChildren(...(peak ? legend(peak.value, this.unit) : []));
  }

  #cells(days, [first, last], peak) {
    const hours = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    this.grid.style.setProperty("--hours", hours.length);
    const every = this.#labelEvery(hours.length);
    const top = [element("span"), ...hours.map((at) => element("span", { class: "hour" }, at % every === 0 ? String(at).padStart(2, "0") : ""))];
    const rows = days.flatMap(({ at, hours: known }, index) => {
      const name = index === days.length - 1 ? "Today" : `${weekday(at, this.#zone)} ${dayAndMonth(at, this.#zone)}`;
      return [element("span", { class: "day" }, name), ...hours.map((of) => cell(known.get(of), peak))];
    });
    return [...top, ...rows];
  }

  // Every how many hours there is room for a name over the column.
  #labelEvery(hours) {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const column = (this.node.clientWidth / rem - DAY_REM) / hours;
    return [1, 2, 3, 6].find((every) => column * every >= LABEL_REM) ?? 12;
  }
}

// The newest seven local days, each with its hours; hours that a change of the clock brings twice are one.
function daysOf(points, zone, unit) {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short", timeStyle: "short", hourCycle: "h23" });
  const days = new Map();
  for (const point of points) {
    const at = Date.parse(point.start);
    const [date, time] = format.format(at).split(", ");
    if (!days.has(date)) days.set(date, { at, hours: new Map() });
    const hours = days.get(date).hours;
    const of = Number(time.slice(0, 2));
    hours.set(of, { at, hour: of, ...joined(hours.get(of), point, unit) });
  }
  return [...days.values()].slice(-DAYS);
}

function joined(known, point, unit) {
  if (!known || known.value === null || point.value === null) return known?.value != null ? known : point;
  const [numerator, denominator] = ["numerator", "denominator"].map((part) => (known[part] ?? 0) + (point[part] ?? 0));
  if (unit === "ratio" && denominator > 0) return { value: numerator / denominator, numerator, denominator };
  return point.denominator === null ? { value: known.value + point.value, numerator, denominator: null } : point;
}

// From the first hour to the last in which anything happened on any day, and some more if those are few.
function span(cells) {
  const busy = cells.filter((cell) => cell.value !== 0).map((cell) => cell.hour);
  let [first, last] = busy.length ? [Math.min(...busy), Math.max(...busy)] : [8, 17];
  while (last - first + 1 < FEWEST_HOURS) {
    if (first > 0) first -= 1;
    if (last < 23) last += 1;
  }
  return [first, last];
}

function cell(known, peak) {
  const node = element("i");
  if (!known || known.value === null) return node;
  node.dataset.level = known.value > 0 && peak ? Math.max(1, Math.ceil((known.value / peak.value) * LEVELS)) : 0;
  if (peak && known.at === peak.at) node.className = "most";
  return node;
}

function legend(most, unit) {
  const steps = Array.from({ length: LEVELS }, (_, index) => {
    const step = element("i");
    step.dataset.level = index + 1;
    return step;
  });
  return [element("span", {}, candidates(0, unit).at(-1)), ...steps, element("span", {}, short(most, unit, 1e6))];
}

function hour(of) {
  return `${String(of % 24).padStart(2, "0")}:00`;
}
