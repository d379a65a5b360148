// What the wall shows. A tile is a KPI of the catalogue; a page has at most eight.

export const TILES = [
  { kpi: "revenue", label: "Revenue" },
  { kpi: "deals_won", label: "Deals won" },
  { kpi: "win_rate", label: "Win rate" },
  { kpi: "lead_conversion", label: "Lead conversion" },
  { kpi: "average_ticket", label: "Average ticket" },
  { kpi: "leads_created", label: "Leads" },
  { kpi: "calls", label: "Calls" },
  { kpi: "active_customers", label: "Active customers" },
];

export const FUNNEL = [
  { kpi: "leads_created", label: "Leads" },
  { kpi: "opportunities_created", label: "Opportunities" },
  { kpi: "quotes_sent", label: "Quotes sent" },
  { kpi: "quotes_accepted", label: "Quotes accepted" },
  { kpi: "deals_won", label: "Deals won" },
];

// Pages in the order in which they come round; one without any value is passed over.
export const PAGES = [
  { kind: "tiles", window: "today" },
  { kind: "columns", window: "mtd", panels: [{ board: "rep", title: "Reps by revenue" }, { funnel: FUNNEL, title: "Funnel" }] },
  { kind: "columns", window: "mtd", panels: [{ board: "team", title: "Teams by revenue" }, { board: "region", title: "Regions by revenue" }] },
  { kind: "columns", window: "mtd", panels: [{ board: "product", title: "Products by revenue" }, { board: "source", title: "Sources by revenue" }] },
];

export const PAGE_SECONDS = 20;
export const ROWS = 6;

// Window -> its name, and what it is compared with.
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

// The stream's query: the global series, and revenue by what there is a board of. Deals by rep name who has won.
export function selectors() {
  const boards = PAGES.flatMap((page) => page.panels ?? []).filter((panel) => panel.board);
  const globals = [...TILES, ...FUNNEL].map((item) => item.kpi);
  return [...new Set([...globals, ...boards.map((panel) => `revenue@${panel.board}`), "deals_won@rep"])];
}
