// Numbers and times as people read them from four metres away.

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = [4, 3, 2].map(
  (digits) => new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: digits }),
);
export const NBSP = "\u00a0";
export const DASH = "–";

// Ways to write a value, the most exact first; the page takes the first that fits.
export function candidates(value, unit) {
  if (value === null || value === undefined) return [DASH];
  const short = compact.map((form) => form.format(value));
  if (unit === "money") return [cents.format(value), whole.format(value), ...short];
  if (unit === "ratio") return [2, 1, 0].map((digits) => `${(value * 100).toFixed(digits)}%`);
  if (unit === "seconds") return durations(value);
  return [Number.isInteger(value) ? whole.format(value) : cents.format(value), ...short];
}

// The value to the last digit: money with its currency, a ratio as its two parts, else nothing more to say.
export function exact(value, currency) {
  if (value.value === null) return "unknown";
  if (value.unit === "money") return `${cents.format(value.value)} ${value.currency ?? currency}`;
  if (value.unit === "ratio" && value.denominator !== null) {
    return `${whole.format(value.numerator)} of ${whole.format(value.denominator)}`;
  }
  return "";
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

function size({ unit, difference, change }) {
  const by = Math.abs(difference);
  if (unit === "ratio") return `${(by * 100).toFixed(1)} points`;
  if (change === null) return `by ${short(by, unit)}`;
  const percent = Math.abs(change) * 100;
  return percent < 1000 ? `${percent.toFixed(1)}%` : `${whole.format(percent / 100)} times`;
}

function durations(seconds) {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = Math.min(3, steps.findIndex(([length]) => seconds >= length) + 4) % 4;
  const [length, name] = steps[at];
  const first = Math.floor(seconds / length);
  const next = steps[at + 1];
  const rest = next ? Math.floor((seconds - first * length) / next[0]) : 0;
  const coarse = `${first}${NBSP}${name}`;
  return next && rest ? [`${coarse} ${rest}${NBSP}${next[1]}`, coarse] : [coarse];
}

export function clock(ms, zone, withSeconds = false) {
  const second = withSeconds ? "2-digit" : undefined;
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second }).format(ms);
}

// A moment: the time alone when it is of this day, else with its date.
export function moment(ms, nowMs, zone, withSeconds = false) {
  const day = (at) => new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(at);
  const time = clock(ms, zone, withSeconds);
  return day(ms) === day(nowMs) ? time : `${day(ms)} ${time}`;
}

export function age(ms) {
  if (ms < 120000) return `${Math.round(ms / 1000)} s`;
  return durations(Math.round(ms / 1000))[0].replaceAll(NBSP, " ");
}
