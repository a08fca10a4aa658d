// @ts-check
/** The rows of the log: seven columns, and more for who asks for them. */

/** @import { App } from "../app.js" */

import { h } from "../components/dom.js";
import { table } from "../components/table.js";
import { formatCount, formatDuration_ms, formatInstant, formatUsd } from "../format.js";
import { statusBadge } from "./status_badge.js";

/**
 * @typedef {object} LogRow
 * @property {string} request_id
 * @property {string} event_id
 * @property {string} ts_end
 * @property {string} model
 * @property {number} total_tokens
 * @property {number} input_tokens
 * @property {number} output_tokens
 * @property {number | null} ttft_ms
 * @property {number | null} e2e_ms
 * @property {number} status_code
 * @property {string} status_class
 * @property {string} error_type
 * @property {string} user_id
 * @property {string} workspace_id
 * @property {string | number | null} cost_usd
 * @property {number} attempt_no
 * @property {boolean} is_final
 */

/**
 * @param {App} app
 * @returns {any[]}
 */
function usualColumns(app) {
  return [
    {
      key: "request_id",
      label: "Request ID",
      definition: "The logical request; equal in all its attempts.",
      // A text, not a node: the table makes it the button that opens the row.
      isRowHeader: true,
      class: "mono logs-id",
    },
    {
      key: "ts_end",
      label: "Timestamp",
      definition: "When the attempt ended: event time.",
      render: (/** @type {LogRow} */ row) =>
        h(
          "time",
          { class: "num logs-time", datetime: row.ts_end },
          formatInstant(row.ts_end, app.zone, { milliseconds: true }),
        ),
    },
    { key: "model", label: "Model", definition: "The model that was asked for." },
    {
      key: "usage",
      label: "Usage",
      definition: "Tokens: total, input, output.",
      align: "end",
      render: (/** @type {LogRow} */ row) => usage(row),
    },
    {
      key: "ttft_ms",
      label: "TTFT",
      unit: "ms",
      definition: "From receipt to the first token of any kind; queue time is inside.",
      align: "end",
      render: (/** @type {LogRow} */ row) => duration(row.ttft_ms),
    },
    {
      key: "e2e_ms",
      label: "Latency",
      unit: "ms",
      definition: "End to end: from receipt to the last byte, at the server.",
      align: "end",
      render: (/** @type {LogRow} */ row) => duration(row.e2e_ms),
    },
    {
      key: "status_code",
      label: "Status",
      definition: "HTTP status; 499 when the client went away.",
      render: (/** @type {LogRow} */ row) => statusBadge(row.status_code, row.status_class),
    },
  ];
}

/** Columns that can be added; none of them shows by default. */
export const MORE_COLUMNS = [
  { key: "user_id", label: "User" },
  { key: "error_type", label: "Error type" },
  {
    key: "cost_usd",
    label: "Cost",
    align: "end",
    render: (/** @type {LogRow} */ row) =>
      h("span", { class: "num" }, formatUsd(row.cost_usd === null ? null : Number(row.cost_usd))),
  },
  {
    key: "attempt_no",
    label: "Attempt",
    align: "end",
    render: (/** @type {LogRow} */ row) =>
      h("span", { class: "num" }, row.attempt_no, row.is_final ? "" : " (not final)"),
  },
  { key: "workspace_id", label: "Workspace" },
  {
    key: "event_id",
    label: "Event ID",
    render: (/** @type {LogRow} */ row) => h("span", { class: "mono logs-id" }, row.event_id),
  },
];

/**
 * @param {LogRow} row
 * @returns {Node}
 */
function usage(row) {
  return h(
    "span",
    { class: "logs-usage num" },
    h("strong", {}, formatCount(row.total_tokens, { isLong: true })),
    h(
      "span",
      { class: "quiet" },
      `${formatCount(row.input_tokens, { isLong: true })} in · ${
        formatCount(row.output_tokens, { isLong: true })
      } out`,
    ),
  );
}

/**
 * @param {number | string | null} value
 * @returns {Node}
 */
function duration(value) {
  return h("span", { class: "num" }, formatDuration_ms(value === null ? null : Number(value)));
}

/**
 * @param {App} app
 * @param {string[]} more keys of further columns
 * @param {(row: LogRow) => void} onRow
 */
export function logTable(app, more, onRow) {
  return table({
    caption: "Requests, newest first",
    columns: [
      ...usualColumns(app),
      ...MORE_COLUMNS.filter((column) => more.includes(column.key)),
    ].map((column) => ({ ...column, isSortable: false })),
    sort: null,
    rowKey: (row) => row.event_id,
    rowLabel: (row) => `Details of request ${row.request_id}, status ${row.status_code}`,
    onRow,
    emptyText: "No rows",
  });
}
