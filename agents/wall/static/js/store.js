// The newest value of every series, and how fresh they all are.

export class Store {
  values = new Map();
  freshness = { as_of: null, watermark: null, quality: "stale" };
  page = { interval_ms: 1700, ttl_ms: 120000, watermark_bound_ms: null, zone: "UTC", currency: "", version: null };
  serverAheadMs = 0;
  heard = false;

  // A snapshot is the truth as of now; what it does not have is no more.
  snapshot(data) {
    this.values = new Map(data.series.map((value) => [keyOf(value), value]));
    Object.assign(this.page, data.page);
    this.#about(data);
    return data.series;
  }

  // Of a delta, what is newer than what is known: the highest (window_end, revision) stands.
  delta(data) {
    const taken = data.series.filter((value) => !isNewer(this.values.get(keyOf(value)), value));
    for (const value of taken) this.values.set(keyOf(value), value);
    this.#about(data);
    return taken;
  }

  get(kpi, window, dimensions = {}) {
    return this.values.get(keyOf({ kpi, window, dimensions }));
  }

  // All values of a KPI by one dimension, where the others have a certain value: [value of the dimension, KPI value].
  by(dimension, kpi, window, where = {}) {
    const found = [];
    const conditions = Object.entries(where);
    for (const value of this.values.values()) {
      if (value.kpi !== kpi || value.window !== window || !(dimension in value.dimensions)) continue;
      const names = Object.keys(value.dimensions);
      if (names.length !== conditions.length + 1) continue;
      if (conditions.every(([name, text]) => value.dimensions[name] === text)) found.push([value.dimensions[dimension], value]);
    }
    return found;
  }

  // The same, highest first; unknown ones last.
  ranking(dimension, kpi, window, where = {}) {
    const found = this.by(dimension, kpi, window, where);
    return found.sort(([one, a], [other, b]) => (b.value ?? -Infinity) - (a.value ?? -Infinity) || one.localeCompare(other));
  }

  now() {
    return Date.now() + this.serverAheadMs;
  }

  #about({ as_of, watermark, quality, now_ms }) {
    // What was known stays: a silent server does not make an old value younger, nor unknown.
    this.freshness = { as_of: as_of ?? this.freshness.as_of, watermark: watermark ?? this.freshness.watermark, quality };
    if (now_ms) this.serverAheadMs = now_ms - Date.now();
    this.heard = true;
  }
}

export function keyOf({ kpi, window, dimensions }) {
  const dims = Object.entries(dimensions).map(([name, text]) => `${name}=${text}`);
  return `${kpi}|${window}|${dims.sort().join(",")}`;
}

function isNewer(known, value) {
  if (!known) return false;
  const [one, other] = [Date.parse(known.window_end), Date.parse(value.window_end)];
  return one > other || (one === other && known.revision > value.revision);
}
