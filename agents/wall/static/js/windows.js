// Windows by name: what they are called, and what they are compared with.

export const WINDOWS = {
  "5m": ["Last 5 minutes", "the 5 minutes before"],
  "1h": ["Last hour", "the hour before"],
  "24h": ["Last 24 hours", "the 24 hours before"],
  "7d": ["Last 7 days", "the 7 days before"],
  "30d": ["Last 30 days", "the 30 days before"],
  today: ["Today", "yesterday up to this hour"],
  wtd: ["This week", "last week up to this day"],
  mtd: ["This month", "last month up to this day"],
  qtd: ["This quarter", "last quarter up to this day"],
  ytd: ["This year", "last year up to this day"],
  all: ["All time", null],
};

export function windowName(window) {
  return WINDOWS[window][0].toLowerCase();
}

// As it stands in a sentence: "no deal in the last 7 days", "no goal this month".
export function inWindow(window) {
  const name = windowName(window);
  if (window === "all") return "yet";
  return name.startsWith("last") ? `in the ${name}` : name;
}
