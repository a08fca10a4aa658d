// @ts-check
/** What prices said beside what providers billed: sums by provider, and the days behind them. */

/** @import { App } from "../app.js" */

import { h, replace } from "../components/dom.js";
import { table } from "../components/table.js";
import { createPart, rowsOf } from "./part.js";

/**
 * @typedef {object} ReconciledRow a provider over the span, or one of its days
 * @property {string} provider
 * @property {string} [day]
 * @property {number | null} priced_usd
 * @property {number | null} billed_usd
 * @property {number | null} difference_usd
 * @property {number | null} difference_ratio
 * @property {number} unpriced_requests
 */

/** A month of a few providers; more are drawn when asked for. */
const SHOWN_DAYS = 25;

/**
 * Tell whether somebody may see bills: they are of the platform as a whole.
 * @param {import("../types.js").Me} me
 * @returns {boolean}
 */
export function maySeeBills(me) {
  return me.role === "admin" && me.workspace === null;
}

/**
 * @param {() => void} onRetry
 */
export function billsPart(onRetry) {
  const part = createPart({
    title: "Priced and billed",
    definition:
      "Every UTC day that the span touches, over all workspaces and whatever the filters. The " +
      "bill is the reference. Only days that are both measured and billed are compared; a bill " +
      "that has not come is no difference.",
    onRetry,
  });
  const providers = reconciledTable({
    caption: "By provider, days that have a bill",
    sort: { key: "provider", isDescending: false },
    columns: [
      { key: "provider", label: "Provider", isRowHeader: true, value: providerOf },
      { key: "compared_days", label: "Days", unit: "count", definition: "Days compared." },
      ...MONEY,
      {
        key: "only_priced_usd",
        label: "Not billed yet",
        unit: "usd",
        definition: "Priced on days without a bill.",
      },
    ],
  });
  const days = reconciledTable({
    caption: "By day",
    sort: { key: "day", isDescending: true },
    maxRows: SHOWN_DAYS,
    columns: [
      { key: "day", label: "Day (UTC)", isRowHeader: true },
      { key: "provider", label: "Provider", value: providerOf },
      ...MONEY,
      {
        key: "unpriced_requests",
        label: "Unpriced",
        unit: "count",
        definition: "Attempts without any price: what the bill has of them is part of the " +
          "difference.",
      },
    ],
  });
  const both = h("div", { class: "stack" }, providers.element, days.element);
  return {
    element: part.element,
    /** @param {Promise<any>} answer */
    load: (answer) =>
      part.load(answer, (body) => {
        /** @type {ReconciledRow[]} */
        const rows = rowsOf(body, "days");
        if (rows.every((row) => row.billed_usd === null)) {
          replace(part.content, noBill());
          return;
        }
        if (!both.isConnected) replace(part.content, both);
        providers.set(rowsOf(body, "providers"));
        days.set(rows);
      }),
  };
}

/** @type {import("../components/table.js").Column[]} */
const MONEY = [
  { key: "priced_usd", label: "Priced", unit: "usd" },
  { key: "billed_usd", label: "Billed", unit: "usd" },
  {
    key: "difference_usd",
    label: "Difference",
    unit: "usd",
    definition: "Billed less priced: what the bill has beyond what prices explain.",
  },
  { key: "difference_ratio", label: "Of the bill", unit: "ratio" },
];

/** @param {Omit<import("../components/table.js").TableOptions, "rowKey">} options */
function reconciledTable(options) {
  return table({ ...options, rowKey: (row) => `${row.day ?? ""}/${row.provider}` });
}

/** @param {ReconciledRow} row */
function providerOf(row) {
  return row.provider || "unknown";
}

function noBill() {
  return h(
    "p",
    { class: "quiet cost-hint" },
    "No bill of these days is stored. ",
    h("code", { class: "mono" }, "inferometer bill import FILE.csv --provider NAME"),
    " imports one: CSV with the columns day, provider and amount_usd.",
  );
}
