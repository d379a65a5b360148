// How old the data are, by the server's clock, and what that makes of the page.

// live: up to 2 intervals. amber: up to 6. stale: beyond. expired: beyond the time to live. waiting: nothing heard yet.
export function stateOf(store) {
  const { as_of, quality } = store.freshness;
  if (!store.heard) return "waiting";
  if (as_of === null) return "expired";
  const age = ageMs(store);
  if (age > store.page.ttl_ms) return "expired";
  if (age > 6 * store.page.interval_ms || quality === "stale") return "stale";
  return age > 2 * store.page.interval_ms ? "amber" : "live";
}

export function ageMs(store) {
  return Math.max(0, store.now() - sinceMs(store));
}

// Up to when the data were known to be good: last confirmed, or, where windows follow the wall clock and all has been
// read, the watermark, which then trails the clock by the out-of-orderness bound and no more.
export function sinceMs(store) {
  const { as_of, watermark, quality } = store.freshness;
  const confirmed = Date.parse(as_of);
  const bound = store.page.watermark_bound_ms;
  if (bound === null || watermark === null || quality === "catching_up") return confirmed;
  return Math.min(confirmed, Date.parse(watermark) + bound);
}
