// @ts-check
/**
 * Parameters for routes that do not take all that a page has: the API refuses a parameter that it
 * does not know, so that a filter is never ignored in silence.
 */

/** @import { App } from "../app.js" */

/**
 * The span and the workspace, without filters.
 * @param {App} app
 * @param {Record<string, string | number | null>} [extra]
 * @returns {URLSearchParams}
 */
export function spanQuery(app, extra = {}) {
  return without(app.query(extra), "filter");
}

/**
 * What is open now, whatever span the page shows.
 * @param {App} app
 * @returns {URLSearchParams}
 */
export function openNow(app) {
  const query = without(app.query({ state: "open" }), "filter", "from", "to");
  query.set("from", "now-90d");
  query.set("to", "now");
  return query;
}

/**
 * The workspace and the filters, without a span: a forecast has a month of its own.
 * @param {App} app
 * @returns {URLSearchParams}
 */
export function scopeQuery(app) {
  return without(app.query(), "from", "to");
}

/**
 * @param {URLSearchParams} query
 * @param {...string} names
 * @returns {URLSearchParams}
 */
export function without(query, ...names) {
  for (const name of names) query.delete(name);
  return query;
}
