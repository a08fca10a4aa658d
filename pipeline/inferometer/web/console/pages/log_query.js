// @ts-check
/** What the Logs page asks, read from the URL, and the words that belong to it. */

/** @import { App } from "../app.js" */

import { STATUS_CLASSES } from "../words.js";
import { windowLength } from "./window_lengths.js";

export const PAGE_ROWS = 100;

/**
 * The parameters that name rows, without the page of them.
 * @param {App} app
 * @returns {Record<string, string | string[] | null>}
 */
export function rowConditions(app) {
  return {
    status: app.state.all("status"),
    request_id: app.state.get("request_id").trim() || null,
    final_only: app.state.get("final_only") === "true" ? "true" : null,
  };
}

/**
 * A text that changes whenever the question does, the page of rows apart.
 * @param {App} app
 * @returns {string}
 */
export function questionKey(app) {
  return app.query(rowConditions(app)).toString();
}

/**
 * Whether something narrows the rows beyond the span.
 * @param {App} app
 * @returns {boolean}
 */
export function isNarrowed(app) {
  const { status, request_id, final_only } = rowConditions(app);
  return app.state.filters.length > 0 || (status ?? []).length > 0 || Boolean(request_id) ||
    Boolean(final_only);
}

/** What takes all of the page's own conditions away. */
export const NO_CONDITIONS = {
  status: null,
  request_id: null,
  final_only: null,
  filter: null,
  cursor: null,
};

/**
 * The same narrowing for counts by window; null where filters cannot say it, since statuses are
 * alternatives across code and class, and filters all hold.
 * @param {App} app
 * @returns {URLSearchParams | null}
 */
export function volumeQuery(app) {
  const { status, request_id, final_only } = rowConditions(app);
  const statuses = /** @type {string[]} */ (status);
  const classes = statuses.filter((value) => STATUS_CLASSES.includes(value));
  const codes = statuses.filter((value) => !STATUS_CLASSES.includes(value));
  if (request_id || (classes.length > 0 && codes.length > 0)) return null;
  const query = app.query({
    measure: final_only ? "requests" : "attempts",
    group_by: "status_class",
    top: STATUS_CLASSES.length,
    granularity: windowLength(app),
  });
  if (classes.length > 0) query.append("filter", `status_class=${classes.join(",")}`);
  if (codes.length > 0) query.append("filter", `status_code=${codes.join(",")}`);
  return query;
}
