// @ts-check
/** A row for each value that spend is split by; what has no row of its own stands last. */

/** @import { App } from "../app.js" */

import { h } from "../components/dom.js";
import { sorted, table } from "../components/table.js";
import { formatChange } from "../format.js";

/**
 * @typedef {object} GroupRow
 * @property {string} key
 * @property {string} label
 * @property {string | null} href
 * @property {boolean} isOther everything that has no row of its own
 * @property {number | null} cost
 * @property {number | null} before
 * @property {number} share
 * @property {Record<string, number | null>} total
 */

const UNITS = [
  "requests",
  "total_tokens",
  "cost_per_1k_requests_usd",
  "cost_per_million_tokens_usd",
];

const DEFAULT_SORT = "cost";

/**
 * @param {App} app
 * @param {boolean} withUnits
 */
export function groupTable(app, withUnits) {
  let columns = columnsOf(app, withUnits, "Group");
  /** @type {GroupRow[]} */
  let rows = [];
  /** @type {GroupRow | null} */
  let total = null;
  const list = table({
    caption: "Spend by group",
    sort: sortOf(app),
    onSort: (sort) => {
      draw(sort);
      app.state.set(sortParameters(sort), { replace: true });
    },
    rowKey: (row) => row.key,
    columns,
    emptyText: "Nothing was spent in this span.",
  });
  /** @param {{key: string, isDescending: boolean}} sort */
  const draw = (sort) => {
    const named = sorted(rows.filter((row) => !row.isOther), columns, sort);
    list.set([...named, ...rows.filter((row) => row.isOther)], { total });
  };
  return {
    element: list.element,
    /**
     * @param {string} label what the rows are
     * @param {GroupRow[]} newRows
     * @param {GroupRow} newTotal
     */
    set(label, newRows, newTotal) {
      columns = columnsOf(app, withUnits, label);
      list.setColumns(columns);
      rows = newRows;
      total = newTotal;
      list.setSort(sortOf(app));
      draw(sortOf(app));
    },
  };
}

/**
 * @param {App} app
 * @param {boolean} withUnits
 * @param {string} label
 * @returns {import("../components/table.js").Column[]}
 */
function columnsOf(app, withUnits, label) {
  return [
    {
      key: "label",
      label,
      isRowHeader: true,
      render: (/** @type {GroupRow} */ row) =>
        row.href ? h("a", { href: row.href }, row.label) : row.label,
    },
    { key: "cost", measure: "cost_usd", label: "Spend" },
    {
      key: "share",
      label: "Share",
      align: "end",
      definition: "Of the spend in the span.",
      render: (/** @type {GroupRow} */ row) => shareBar(row.share),
    },
    {
      key: "change",
      label: "Change",
      align: "end",
      definition: "To the span of the same length before.",
      value: (/** @type {GroupRow} */ row) =>
        row.cost === null || row.before === null ? null : row.cost - row.before,
      render: (/** @type {GroupRow} */ row) => changeNode(app, row),
    },
    ...(withUnits ? UNITS : []).map((measure) => ({
      key: measure,
      measure,
      value: (/** @type {GroupRow} */ row) => row.total[measure],
    })),
  ];
}

/**
 * @param {App} app
 * @returns {{key: string, isDescending: boolean}}
 */
function sortOf(app) {
  return {
    key: app.state.get("sort", DEFAULT_SORT),
    isDescending: app.state.get("order") !== "ascending",
  };
}

/** @param {{key: string, isDescending: boolean}} sort */
function sortParameters({ key, isDescending }) {
  return {
    sort: key === DEFAULT_SORT ? null : key,
    order: isDescending ? null : "ascending",
  };
}

/**
 * @param {number} share
 * @returns {Node}
 */
function shareBar(share) {
  const bar = h("span", { class: "cost-share-bar", "aria-hidden": "true" });
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h(
    "span",
    { class: "cost-share" },
    h("span", { class: "cost-share-track" }, bar),
    h("span", { class: "num" }, `${(share * 100).toFixed(1)} %`),
  );
}

/**
 * @param {App} app
 * @param {GroupRow} row
 * @returns {Node}
 */
function changeNode(app, row) {
  // To spend more is no fault by itself, here as in the tile above.
  const isWorse = app.measure("cost_usd").higher_is_worse;
  const change = formatChange(row.cost, row.before, "usd", isWorse);
  return h("span", { class: `change change-${change.kind}` }, change.text || "–");
}
