// Numbers and times as people read them from four metres away.

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = [4, 3, 2].map(
  (digits) => new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: digits }),
);
const MULTIPLE = 2; // from here on a ratio is read as "3.20×" and not as "320%"
export const NBSP = "\u00a0";
export const DASH = "–";
export const NO_DATA = "no data"; // what there is, is past its time to live

// Ways to write a value, the most exact first; the page takes the first that fits.
export function candidates(value, unit) {
  if (value === null || value === undefined) return [DASH];
  const short = compact.map((form) => form.format(value));
  if (unit === "money") return [cents.format(value), whole.format(value), ...short];
  if (unit === "ratio" && Math.abs(value) >= MULTIPLE) return [2, 1, 0].map((digits) => `${value.toFixed(digits)}×`);
  if (unit === "ratio") return percents(value);
  if (unit === "seconds") return durations(value);
  return [Number.isInteger(value) ? whole.format(value) : cents.format(value), ...short];
}

export function percents(share) {
  return [2, 1, 0].map((digits) => `${(share * 100).toFixed(digits)}%`);
}

// The value to the last digit: money with its currency, a ratio as its two parts where they are of one kind ("count"
// or "money"), else nothing more to say.
export function exact(value, board) {
  if (value.value === null) return value.denominator === 0 ? "unknown: no cases yet" : "unknown";
  if (value.unit === "money") return money(value.value, value.currency);
  const kind = board.parts[value.kpi];
  if (value.unit !== "ratio" || !kind || value.denominator === null) return "";
  const scale = kind === "money" ? board.minor_per_major : 1;
  return partOf(value.numerator / scale, value.denominator / scale);
}

export function money(amount, currency) {
  return `${cents.format(amount)} ${currency}`;
}

export function partOf(part, all, after = "") {
  return `${whole.format(part)} of ${whole.format(all)}${after && ` ${after}`}`;
}

// At most six characters. In a list all are written alike, as the greatest of them demands.
export function short(value, unit, greatest = value) {
  const forms = candidates(value, unit);
  if (value === null || (unit !== "money" && unit !== "count")) return forms[Math.min(1, forms.length - 1)];
  return Math.abs(greatest) < 100000 ? forms[unit === "money" ? 1 : 0] : compact[1].format(value);
}

// Direction, words and tone of a change; better is "higher", "lower" or "none".
export function comparison(value, better) {
  if (!value || value.value === null) return { arrow: null, words: NBSP, tone: "none" };
  if (value.previous === null) return { arrow: null, words: value.window === "all" ? NBSP : "no comparison yet", tone: "none" };
  if (value.difference === 0) return { arrow: "flat", words: "unchanged", tone: "none" };
  const up = value.difference > 0;
  const tone = better === "none" ? "none" : up === (better === "higher") ? "good" : "bad";
  return { arrow: up ? "up" : "down", words: `${up ? "up" : "down"} ${size(value)}`, tone };
}

function size({ unit, value, difference, change }) {
  const by = Math.abs(difference);
  if (unit === "ratio" && Math.abs(value) < MULTIPLE) return `${(by * 100).toFixed(1)} points`;
  if (change === null) return `by ${short(by, unit)}`;
  const percent = Math.abs(change) * 100;
  return percent < 1000 ? `${percent.toFixed(1)}%` : `${whole.format(percent / 100)} times`;
}

function durations(seconds) {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const found = steps.findIndex(([length]) => seconds >= length);
  const at = found < 0 ? 3 : found;
  const [length, name] = steps[at];
  const first = Math.floor(seconds / length);
  const next = steps[at + 1];
  const rest = next ? Math.floor((seconds - first * length) / next[0]) : 0;
  const coarse = `${first}${NBSP}${name}`;
  return next && rest ? [`${coarse} ${rest}${NBSP}${next[1]}`, coarse] : [coarse];
}

// A name as it stands in a field, made readable: "first_meeting" is "First meeting".
export function pretty(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function clock(ms, zone, withSeconds = false) {
  const second = withSeconds ? "2-digit" : undefined;
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second }).format(ms);
}

export function dayAndMonth(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" }).format(ms);
}

export function weekday(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short" }).format(ms);
}

// The local day, as a text that sorts.
export function day(ms, zone) {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(ms);
}

// A moment: the time alone when it is of this day, else with its date.
export function moment(ms, nowMs, zone, withSeconds = false) {
  const time = clock(ms, zone, withSeconds);
  return day(ms, zone) === day(nowMs, zone) ? time : `${day(ms, zone)} ${time}`;
}

export function age(ms) {
  if (ms < 120000) return `${Math.round(ms / 1000)} s`;
  return durations(Math.round(ms / 1000))[0].replaceAll(NBSP, " ");
}
